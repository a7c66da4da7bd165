package upstream

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// pool keeps the connections to one upstream that wait for a request. The one
// that was used last is used next, so that those that a burst needed grow old.
type pool struct {
	origin    origin
	name      string // of the host
	address   string // with the port
	transport *Transport
	http2     atomic.Bool

	mu    sync.Mutex
	idle  []*conn // by since
	timer *time.Timer
}

func (t *Transport) pool(r *http.Request) *pool {
	key := origin{r.URL.Scheme, r.URL.Host}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pools[key]
	if p == nil {
		port := r.URL.Port()
		switch {
		case port != "":
		case key.scheme == "https":
			port = "443"
		default:
			port = "80"
		}
		name := r.URL.Hostname()
		p = &pool{origin: key, name: name, address: net.JoinHostPort(name, port), transport: t}
		t.pools[key] = p
	}
	return p
}

func (p *pool) speaksHTTP2() bool { return p.http2.Load() }
func (p *pool) foundHTTP2()       { p.http2.Store(true) }

// take returns a connection that is fit for a request; nil when there is none.
func (p *pool) take() *conn {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return nil
		}
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if c.quiet() {
			return c
		}
		c.close()
	}
}

// put keeps a connection whose answer was read to its end.
func (p *pool) put(c *conn) {
	c.kept, c.since = true, time.Now()
	p.mu.Lock()
	full := len(p.idle) >= p.transport.config.MaxIdle
	if !full {
		p.idle = append(p.idle, c)
		if p.timer == nil {
			p.timer = time.AfterFunc(p.transport.config.IdleTimeout/3, p.sweep)
		}
	}
	p.mu.Unlock()
	if full {
		c.close()
	}
}

// sweep closes what waited for too long, and what the upstream closed.
func (p *pool) sweep() {
	p.mu.Lock()
	oldest := time.Now().Add(-p.transport.config.IdleTimeout)
	var gone []*conn
	kept := p.idle[:0]
	for _, c := range p.idle {
		if c.since.Before(oldest) || !c.quiet() {
			gone = append(gone, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	if len(kept) > 0 {
		p.timer.Reset(p.transport.config.IdleTimeout / 3)
	} else {
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range gone {
		c.close()
	}
}

func (p *pool) closeAll() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
