package refresh

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"cloakroom/bff/session"
	"cloakroom/shared/problem"
)

// Provider renews tokens.
type Provider interface {
	// Refresh spends the refresh token. ErrDead when it will never work again;
	// any other error may pass.
	Refresh(ctx context.Context, old session.Tokens) (session.Tokens, error)
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
	// background; 0 means 15s.
	Ahead time.Duration
	// Margin is how long a token must still last to be sent upstream without
	// waiting; 0 means 3s.
	Margin time.Duration
	// Timeout bounds one renewal, storing included; 0 means 20s.
	Timeout time.Duration
	// Observe is told every outcome: "renewed", "dead", "failed", "ended".
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
	if c.Ahead == 0 {
		c.Ahead = 15 * time.Second
	}
	if c.Margin == 0 {
		c.Margin = 3 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
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

// state of an access token.
type state int

const (
	fresh state = iota
	ageing
	expiring
)

// judge is the whole rule of when to renew.
func (c *Config) judge(tokens session.Tokens, now time.Time) state {
	switch {
	case tokens.AccessExpires.IsZero(): // the provider did not say (RFC 6749 §5.1)
		return fresh
	case now.Add(c.Margin).After(tokens.AccessExpires):
		return expiring
	case now.Add(c.Ahead).After(tokens.AccessExpires) && !tokens.Refresh.Empty():
		return ageing
	}
	return fresh
}

// Fresh returns s, the session of t, with an access token that can be sent.
// It fails with problem.SessionEnded when the session is over,
// problem.StoreUnavailable when the store is down, and with the provider's
// problem when no usable token can be had just now.
func (r *Refresher) Fresh(ctx context.Context, t session.Ticket, s session.Session) (session.Session, error) {
	state := r.config.judge(s.Tokens, r.config.Now())
	if state == fresh || state == ageing && r.cooling(t.ID()) {
		return s, nil
	}
	flight := r.start(ctx, t)
	if state == ageing {
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
		if ended(result.Err) || !r.config.Now().Before(s.Tokens.AccessExpires) {
			return session.Session{}, result.Err
		}
		return s, nil // short, but better than nothing
	}
}

// start begins a renewal, or joins the one under way.
func (r *Refresher) start(ctx context.Context, t session.Ticket) <-chan singleflight.Result {
	id := t.ID()
	r.running.Add(1)
	joined := r.flights.DoChan(string(id[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
		defer cancel()
		s, err := r.renew(ctx, t)
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

// renew makes one token request and stores its result.
func (r *Refresher) renew(ctx context.Context, t session.Ticket) (session.Session, error) {
	s, err := r.config.Sessions.Load(ctx, t)
	if err != nil {
		return session.Session{}, storeProblem(err)
	}
	if r.config.judge(s.Tokens, r.config.Now()) == fresh {
		return s, nil // another was quicker
	}
	if s.Tokens.Refresh.Empty() {
		return session.Session{}, r.end(ctx, t, "no refresh token")
	}
	used := s.Tokens.Refresh
	tokens, err := r.config.Provider.Refresh(ctx, s.Tokens)
	switch {
	case errors.Is(err, ErrDead):
		return r.refused(ctx, t, used.Reveal())
	case err != nil:
		r.config.Observe("failed")
		r.config.Log.LogAttrs(ctx, slog.LevelWarn, "refresh failed", slog.String("session", t.ID().Fingerprint()), slog.String("cause", err.Error()))
		return session.Session{}, err
	}
	kept, err := r.config.Sessions.Update(ctx, t, func(s *session.Session) error {
		s.Tokens = tokens
		s.Refreshes++
		return nil
	})
	if errors.Is(err, session.ErrNotFound) {
		// The user signed out meanwhile. The logout revoked the old tokens; it
		// could not know the new ones.
		r.config.Observe("ended")
		if err := r.config.Provider.Revoke(ctx, tokens); err != nil {
			r.config.Log.LogAttrs(ctx, slog.LevelWarn, "revoking tokens of an ended session failed", slog.String("cause", err.Error()))
		}
	}
	if err != nil {
		return session.Session{}, storeProblem(err)
	}
	r.config.Observe("renewed")
	return kept, nil
}

// refused decides what a dead refresh token means: nothing if another instance
// rotated it away in the meantime, else the end of the session (BBA-9).
func (r *Refresher) refused(ctx context.Context, t session.Ticket, used string) (session.Session, error) {
	now, err := r.config.Sessions.Load(ctx, t)
	if err != nil {
		return session.Session{}, storeProblem(err)
	}
	if now.Tokens.Refresh.Reveal() != used {
		return now, nil
	}
	return session.Session{}, r.end(ctx, t, "invalid_grant")
}

func (r *Refresher) end(ctx context.Context, t session.Ticket, why string) error {
	r.config.Observe("dead")
	r.config.Log.LogAttrs(ctx, slog.LevelInfo, "session ended", slog.String("session", t.ID().Fingerprint()), slog.String("why", why))
	if err := r.config.Sessions.Delete(ctx, t); err != nil {
		return storeProblem(err)
	}
	return problem.New(problem.SessionEnded, ErrDead)
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
