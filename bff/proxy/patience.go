package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// errSilent is why a request ends whose upstream said nothing for too long.
var errSilent = errors.New("proxy: the upstream is silent")

// patience measures how long an upstream stays silent before its answer
// begins. It stands still while we wait for the client: a slow upload is not
// the upstream's fault.
type patience struct {
	limit  time.Duration
	giveUp func()

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (p *patience) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(p.limit, p.giveUp)
}

// stop ends the measurement: the answer began, or never will.
func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
}

func (p *patience) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
}

func (p *patience) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.timer.Reset(p.limit)
	}
}

// clientBody is the request's body as the transport reads it. It remembers
// how reading failed, since the transport may report something else.
type clientBody struct {
	from io.ReadCloser
	wait *patience

	mu   sync.Mutex
	err  error
	over bool
}

// Read implements io.Reader.
func (b *clientBody) Read(into []byte) (int, error) {
	b.mu.Lock()
	over := b.over
	b.mu.Unlock()
	if over {
		return 0, http.ErrBodyReadAfterClose
	}
	b.wait.pause()
	n, err := b.from.Read(into)
	b.wait.resume()
	if err != nil && err != io.EOF {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

// Close implements io.Closer. The transport closes what it could not send; the
// client's body is not its own to close: that would first wait for all of it
// (RFC 9110 §10.1.1, a client that waits for 100).
func (b *clientBody) Close() error {
	b.end()
	return nil
}

// end lets nobody read any more: the transport may still be about to when the
// handler is done.
func (b *clientBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// failure returns the error reading the body ended with, if one.
func (b *clientBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
