package refresh

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"cloakroom/bff/session"
	"cloakroom/shared/problem"
)

// Need names an access token of a session: the zero value the one it signed in
// for, anything else one for an API that wants its own (RFC 8707).
type Need struct {
	Resource string
	Scopes   []string
}

// isOther tells a token of its own from the one that the session signed in for.
func (n Need) isOther() bool { return n.Resource != "" || len(n.Scopes) > 0 }

// Provider renews tokens.
type Provider interface {
	// Refresh spends held.Refresh for an access token. ErrDead when it will
	// never work again; any other error may pass.
	Refresh(ctx context.Context, held session.Tokens, need Need) (session.Tokens, error)
	// Revoke makes tokens useless that no session holds any more.
	Revoke(ctx context.Context, tokens session.Tokens) error
}

// ErrDead says that the provider refused the refresh token for good
// (invalid_grant, RFC 6749 §5.2).
var ErrDead = errors.New("refresh: the refresh token is dead")

// Config of a Refresher.
type Config struct {
	Sessions *session.Manager
	Provider Provider
	// Ahead is how long before its expiry a token is renewed in the
	// background: each session at a moment of its own between half of it and
	// all, and never in the first three quarters of a token's life. 0 means 30s.
	Ahead time.Duration
	// Margin is how long a token must still last to be sent upstream without
	// waiting, at most a quarter of its life; 0 means 3s.
	Margin time.Duration
	// Timeout bounds the wait for another instance's renewal, and then a renewal
	// of our own; 0 means 30s.
	Timeout time.Duration
	// Lease is how long a renewal stands still before others believe that its
	// instance is gone; 0 means 5s.
	Lease time.Duration
	// Rescue is how long a result is offered to a store that does not take it;
	// 0 means 2m.
	Rescue time.Duration
	// Together makes a call that begins a renewal wait for it even while the
	// token lasts: for browsers that keep their session themselves, and must be
	// given the new one with an answer.
	Together bool
	// Observe is told every outcome: "renewed", "shared" (another instance's
	// result), "dead", "failed", "ended".
	Observe func(outcome string)
	Log     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Refresher keeps access tokens fresh.
type Refresher struct {
	config  Config
	flights singleflight.Group
	running sync.WaitGroup

	mu     sync.Mutex
	failed map[session.ID]time.Time // when a renewal last failed
}

// New checks the config.
func New(c Config) (*Refresher, error) {
	if c.Sessions == nil || c.Provider == nil {
		return nil, errors.New("refresh: sessions and a provider are needed")
	}
	for _, d := range []struct {
		value  *time.Duration
		preset time.Duration
	}{
		{&c.Ahead, 30 * time.Second}, {&c.Margin, 3 * time.Second}, {&c.Timeout, 30 * time.Second},
		{&c.Lease, 5 * time.Second}, {&c.Rescue, 2 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.preset
		}
	}
	if c.Observe == nil {
		c.Observe = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Refresher{config: c, failed: map[session.ID]time.Time{}}, nil
}

// Fresh returns s, the session of t, in which the token of need can be sent.
// It fails with problem.SessionEnded when the session is over,
// problem.StoreUnavailable when the store is down, and with the provider's
// problem when no usable token can be had just now.
func (r *Refresher) Fresh(ctx context.Context, t session.Ticket, s session.Session, need Need) (session.Session, error) {
	state := r.config.judge(&s, need, r.config.Now())
	if state == fresh || state == ageing && r.cooling(t.ID()) {
		return s, nil
	}
	flight := r.start(ctx, t, need, s.Refreshes)
	if state == ageing && !r.config.Together {
		return s, nil
	}
	select {
	case <-ctx.Done():
		return session.Session{}, ctx.Err()
	case result := <-flight:
		renewed, _ := result.Val.(session.Session)
		if result.Err == nil {
			return renewed, nil
		}
		held, ok := s.Grant(need.Resource, need.Scopes)
		if ended(result.Err) || !ok || !r.config.Now().Before(held.Expires) {
			return session.Session{}, result.Err
		}
		return s, nil // short, but better than nothing
	}
}

// start begins a renewal, or joins the one under way. seen is the count of
// renewals that the caller knows of.
func (r *Refresher) start(ctx context.Context, t session.Ticket, need Need, seen int) <-chan singleflight.Result {
	id := t.ID()
	r.running.Add(1)
	joined := r.flights.DoChan(flightKey(id, need), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
		defer cancel()
		s, err := r.renew(ctx, t, need, seen)
		r.note(id, err)
		return s, err
	})
	done := make(chan singleflight.Result, 1)
	go func() {
		defer r.running.Done()
		done <- <-joined
	}()
	return done
}

func flightKey(id session.ID, need Need) string {
	return string(id[:]) + need.Resource + "\x00" + strings.Join(need.Scopes, " ")
}

// cooldown spares a provider that just failed: while the token still lasts,
// one attempt in this time is enough.
const cooldown = 2 * time.Second

func (r *Refresher) cooling(id session.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.failed[id]
	return ok && r.config.Now().Sub(at) < cooldown
}

// note remembers failures and forgets the old ones.
func (r *Refresher) note(id session.ID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || ended(err) {
		delete(r.failed, id)
		return
	}
	now := r.config.Now()
	for other, at := range r.failed {
		if now.Sub(at) >= cooldown {
			delete(r.failed, other)
		}
	}
	r.failed[id] = now
}

// Drain waits for the renewals under way, so that no rotated token is lost at
// a clean stop.
func (r *Refresher) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func ended(err error) bool { return problem.CodeOf(err) == problem.SessionEnded }

func storeProblem(err error) error {
	if errors.Is(err, session.ErrNotFound) {
		return problem.New(problem.SessionEnded, err)
	}
	return problem.New(problem.StoreUnavailable, err)
}
