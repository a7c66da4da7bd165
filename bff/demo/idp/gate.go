package idp

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// gate is where every request passes and the current fault is looked up. It
// counts whom it holds back, so that a test can wait for a caller to be stuck.
type gate struct {
	mu      sync.Mutex
	fault   Fault
	left    int           // token requests until it is over; negative: it stays
	release chan struct{} // closed when the fault changes
	held    int
	changed chan struct{} // closed and replaced when held changes
}

func newGate() *gate {
	return &gate{left: -1, release: make(chan struct{}), changed: make(chan struct{})}
}

// set makes a fault begin, for the next n token requests or, when n is
// negative, until the next call.
func (g *gate) set(f Fault, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault, g.left = f, n
	close(g.release)
	g.release = make(chan struct{})
}

// token counts a token request against the fault's bound and returns what the
// fault does to it. Both at once: of requests that come together, exactly those
// that were counted are hit.
func (g *gate) token() effect {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.left > 0:
		g.left--
	case g.left == 0:
		g.fault, g.left = FaultNone, -1
	}
	return effects[g.fault]
}

func (g *gate) effect() effect {
	g.mu.Lock()
	defer g.mu.Unlock()
	return effects[g.fault]
}

func (g *gate) count(by int) {
	g.held += by
	close(g.changed)
	g.changed = make(chan struct{})
}

// hold blocks until the fault changes or the caller has gone.
func (g *gate) hold(ctx context.Context) {
	g.mu.Lock()
	release := g.release
	g.count(1)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.count(-1)
	}()
	select {
	case <-release:
	case <-ctx.Done():
	}
}

func (g *gate) waitHeld(ctx context.Context, n int) error {
	for {
		g.mu.Lock()
		held, changed := g.held, g.changed
		g.mu.Unlock()
		if held == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("idp: %d requests are held, not %d: %w", held, n, ctx.Err())
		}
	}
}

func (g *gate) handler(p *Provider, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		effect := g.effect()
		if r.URL.Path == pathToken && r.Method == http.MethodPost {
			// Here and not later: only the first call reports what is wrong with a body.
			if err := r.ParseForm(); err != nil {
				refuseRequest(w, r, http.StatusBadRequest, "the body could not be read")
				return
			}
			p.counts.add(r.PostForm.Get("grant_type"))
			effect = g.token()
		}
		if effect.wire != nil {
			effect.wire(p, w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}
