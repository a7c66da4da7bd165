package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// errUnanswered says that a connection ended before a byte of an answer came.
var errUnanswered = errors.New("upstream: closed without an answer")

// exchange sends r, whose head is written already, over c and returns the answer. c
// is kept for the next request once the answer's body was read to its end.
func (t *Transport) exchange(c *conn, r *http.Request, head []byte) (*http.Response, error) {
	ctx := r.Context()
	stop := context.AfterFunc(ctx, c.close)
	c.left = t.config.MaxHead
	_, _ = c.out.Write(head) // an error stays until Flush
	var up *upload
	if hasBody(r) {
		up = newUpload(c, r)
	}
	if err := c.out.Flush(); err != nil {
		stop()
		c.close()
		up.abandon()
		return nil, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	if up != nil {
		go up.run(t.config.ContinueTimeout)
	}
	res, err := c.readAnswer(r, up)
	if err != nil {
		stop()
		c.close()
		return nil, up.blame(err)
	}
	up.settle()
	end := &ending{c: c, stop: stop, up: up, reuse: reusable(r, res)}
	if res.Body == http.NoBody {
		end.come(true)
		return res, nil
	}
	res.Body = &answerBody{from: res.Body, ctx: ctx, end: end}
	return res, nil
}

// readAnswer reads informational answers, for whoever traces the request, and
// the final one's head.
func (c *conn) readAnswer(r *http.Request, up *upload) (*http.Response, error) {
	if _, err := c.in.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	for {
		res, err := http.ReadResponse(c.in, r)
		if err != nil {
			if c.left <= 0 {
				err = errLongHead
			}
			return nil, fmt.Errorf("upstream: read the answer: %w", err)
		}
		switch code := res.StatusCode; {
		case code < 100 || code == http.StatusSwitchingProtocols:
			return nil, fmt.Errorf("upstream: an answer of status %03d was not asked for", code)
		case code >= 200:
			c.left = math.MaxInt64 // of the body
			return res, nil
		case code == http.StatusContinue:
			up.proceed()
		}
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(res.StatusCode, map[string][]string(res.Header)); err != nil {
				return nil, err
			}
		}
	}
}

// reusable reports whether the connection can carry another request after this
// answer. An answer that has no body although it names one, to HEAD or with 204
// or 304, may be followed by it all the same: too many servers do. What it says
// would be the next caller's answer, however late it comes.
func reusable(r *http.Request, res *http.Response) bool {
	if res.Close || r.Close || !res.ProtoAtLeast(1, 1) || r.Method == http.MethodHead {
		return false
	}
	if res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		return len(res.Header["Content-Length"]) == 0 && len(res.TransferEncoding) == 0
	}
	return true
}

// ending is what becomes of the connection, once.
type ending struct {
	c     *conn
	stop  func() bool // ends the waiting for the context; false when it has ended
	up    *upload
	reuse bool
	over  atomic.Bool
}

// come ends the exchange. whole says that the answer was read to its end.
func (e *ending) come(whole bool) {
	if !e.over.CompareAndSwap(false, true) {
		return
	}
	if e.stop() && whole && e.reuse && e.up.done() && e.c.in.Buffered() == 0 {
		e.c.pool.put(e.c)
		return
	}
	e.c.close()
}

// answerBody is an answer's body. Its end gives the connection back.
type answerBody struct {
	from io.ReadCloser
	ctx  context.Context
	end  *ending
}

// Read implements io.Reader.
func (b *answerBody) Read(into []byte) (int, error) {
	n, err := b.from.Read(into)
	if err == io.EOF {
		b.end.come(true)
	} else if err != nil {
		b.end.come(false)
		err = cause(b.ctx, err)
	}
	return n, err
}

// Close implements io.Closer. What was not read is not waited for.
func (b *answerBody) Close() error {
	b.end.come(false)
	return nil
}
