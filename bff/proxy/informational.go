package proxy

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
)

// informational passes the upstream's 1xx answers on (RFC 9110 §15.2), without
// what an answer of the upstream must not say, and leaves the headers of our
// own answer as they were.
type informational struct {
	w  http.ResponseWriter
	in *http.Request

	hook httptrace.ClientTrace
	mu   sync.Mutex
	over bool // the final answer has begun, its headers are in other hands
}

func (i *informational) trace(ctx context.Context) context.Context {
	if !i.in.ProtoAtLeast(1, 1) {
		return ctx // HTTP/1.0 knows no 1xx
	}
	i.hook.Got1xxResponse = i.pass
	return httptrace.WithClientTrace(ctx, &i.hook)
}

func (i *informational) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}

func (i *informational) pass(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over || code == http.StatusContinue {
		return nil // 100 is between two peers: our server sends its own as the body is read
	}
	h := i.w.Header()
	ours := maps.Clone(h)
	clear(h)
	for name, values := range header {
		if !forbidden(name) {
			h[name] = values
		}
	}
	i.w.WriteHeader(code)
	clear(h)
	maps.Copy(h, ours)
	return nil
}
