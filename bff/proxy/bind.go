package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// streamAfter is how long an answer of unknown length may run before it is
// taken for a stream. Most are only written that way, and over at once.
const streamAfter = 5 * time.Second

// errCut is why a stream ends before its time.
var errCut = errors.New("proxy: the session ended, or the server stops")

// bind ties an answer that may go on for long to the session it was asked for
// with: it must not outlive it. Which ones:
//
//   - a WebSocket, at once. It ends with its connections.
//   - server-sent events, at once. The body ends, and the page's EventSource
//     asks anew, for which it needs a session.
//   - gRPC, at once, and whatever has no known length, once it has run for
//     streamAfter. They break off: to end them would say that they are whole.
//
// What has a known length ends by itself and is left to. Where the call has no
// session there is none to end.
//
// The first two end by themselves only when one side leaves, so a drain ends
// them too, with or without a session (see Drain).
func (x *exchange) bind(res *http.Response) {
	kind := mediaType(res.Header)
	x.flows = res.ContentLength < 0 || res.ContentLength > wholeInOne || kind == "text/event-stream"
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		upstream := res.Body
		cut := func() { _, _ = x.conn.Close(), upstream.Close() }
		x.untilDrained(cut)
		x.untilEnded(cut)
	case res.Body == http.NoBody:
	case kind == "text/event-stream":
		cut := x.cuttable(res, io.EOF)
		x.untilDrained(cut)
		x.untilEnded(cut)
	case kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+"):
		x.untilEnded(x.cuttable(res, context.Canceled))
	case res.ContentLength < 0 && x.hasSession():
		cut := x.cuttable(res, context.Canceled)
		timer := time.AfterFunc(streamAfter, func() { x.untilEnded(cut) })
		x.ties.add(func() { timer.Stop() })
	}
}

// mediaType is what an answer says it is, without parameters.
func mediaType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

func (x *exchange) hasSession() bool { return x.grant.Session != [32]byte{} }

func (x *exchange) untilEnded(cut func()) {
	if x.hasSession() {
		x.ties.add(x.proxy.tokens.OnEnd(x.grant, cut))
	}
}

func (x *exchange) untilDrained(cut func()) {
	stop := context.AfterFunc(x.proxy.leaving, cut)
	x.ties.add(func() { stop() })
}

// Drain ends the WebSockets and the server-sent events under way, and those
// that still come: they would hold up a stop for as long as it lasts, and their
// clients know how to come back. Everything else may finish.
func (p *Proxy) Drain() { p.leave() }

// ties are what an exchange is waiting for, besides its answer.
type ties struct {
	mu       sync.Mutex
	stops    []func()
	released bool
}

// add keeps what undoes a tie until it is released; that may be already.
func (t *ties) add(stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.released {
		stop()
		return
	}
	t.stops = append(t.stops, stop)
}

func (t *ties) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.released = true
	for _, stop := range t.stops {
		stop()
	}
}

// cuttable replaces the body of an answer with one that can be cut. It then
// ends with as: io.EOF is an end, context.Canceled a breach that is
// not logged.
func (x *exchange) cuttable(res *http.Response, as error) (cut func()) {
	body := &cutBody{ReadCloser: res.Body, as: as}
	res.Body = body
	return func() {
		body.cut.Store(true)
		x.cancel(errCut) // whoever reads is let go
	}
}

type cutBody struct {
	io.ReadCloser
	as  error
	cut atomic.Bool
}

func (b *cutBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if b.cut.Load() {
		return 0, b.as // whatever was still in a buffer came too late
	}
	return n, err
}

// switchedConn gets hold of the client's connection when it changes hands, so
// that a WebSocket can be closed whose client does not read any more.
type switchedConn struct {
	http.ResponseWriter

	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

// Unwrap is for http.ResponseController.
func (s *switchedConn) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Hijack implements http.Hijacker.
func (s *switchedConn) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	if s.closed {
		_ = conn.Close()
	}
	return conn, buffered, nil
}

// Close closes the connection, or will when there is one.
func (s *switchedConn) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
