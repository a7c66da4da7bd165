package refresh_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/refresh"
	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/shared/problem"
)

// provider rotates like a strict one: a refresh token works once.
type provider struct {
	mu       sync.Mutex
	live     string // the one refresh token that works
	requests int
	revoked  []string
	delay    time.Duration
	fail     error
	failures int           // how many requests fail; 0: all, if fail is set
	life     time.Duration // of what it gives; 0: a minute
	during   func()
	asked    []refresh.Need
}

func (p *provider) Refresh(ctx context.Context, old session.Tokens, need refresh.Need) (session.Tokens, error) {
	p.mu.Lock()
	p.requests++
	p.asked = append(p.asked, need)
	n, fail, delay, during := p.requests, p.fail, p.delay, p.during
	if p.failures > 0 && n > p.failures {
		fail = nil
	}
	p.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return session.Tokens{}, ctx.Err()
		}
	}
	if during != nil {
		during()
	}
	if fail != nil {
		return session.Tokens{}, fail
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old.Refresh.Reveal() != p.live {
		p.live = "the family is revoked"
		return session.Tokens{}, fmt.Errorf("token request: %w", refresh.ErrDead)
	}
	p.live = fmt.Sprint("refresh-", n)
	return tokens(p.live, cmp.Or(p.life, time.Minute)), nil
}

func (p *provider) Revoke(_ context.Context, t session.Tokens) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = append(p.revoked, t.Refresh.Reveal())
	return nil
}

func tokens(refreshToken string, life time.Duration) session.Tokens {
	return session.Tokens{
		Access: secret.New("access for " + refreshToken), Refresh: secret.New(refreshToken), AccessExpires: time.Now().Add(life),
	}
}

type bench struct {
	*refresh.Refresher
	*provider
	sessions *session.Manager
	ticket   session.Ticket
	outcomes map[string]*atomic.Int64
}

// newBench signs a user in, and lets time pass until the access token lasts for
// left. It must run in a bubble of synctest.
func newBench(t *testing.T, left time.Duration) *bench {
	t.Helper()
	store, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := newInstance(t, store, session.EphemeralKeyRing(), &provider{live: "refresh-0"}, nil)
	const life = time.Minute
	b.ticket, err = b.sessions.Create(t.Context(), session.Session{Subject: "alice", Tokens: tokens("refresh-0", life)})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(life - left)
	return b
}

// newInstance is one of several over the same store. now is its clock, nil the
// right one.
func newInstance(t *testing.T, store session.Store, ring *session.KeyRing, p *provider, now func() time.Time) *bench {
	t.Helper()
	sessions, err := session.New(store, session.Config{
		Keys: ring, Lifetimes: session.Lifetimes{Idle: time.Hour, Absolute: 12 * time.Hour}, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{provider: p, sessions: sessions, outcomes: map[string]*atomic.Int64{}}
	for _, outcome := range []string{"renewed", "shared", "dead", "failed", "ended"} {
		b.outcomes[outcome] = &atomic.Int64{}
	}
	b.Refresher, err = refresh.New(refresh.Config{
		Sessions: sessions, Provider: p, Observe: func(outcome string) { b.outcomes[outcome].Add(1) }, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call does what a proxied request does.
func (b *bench) call(ctx context.Context) (string, error) {
	s, err := b.sessions.Load(ctx, b.ticket)
	if err != nil {
		return "", err
	}
	s, err = b.Fresh(ctx, b.ticket, s, refresh.Need{})
	return s.Tokens.Access.Reveal(), err
}

func TestWhenATokenIsRenewed(t *testing.T) {
	for _, c := range []struct {
		name     string
		left     time.Duration
		requests int
		token    string
	}{
		{"in the first three quarters of its life: not at all", 16 * time.Second, 0, "access for refresh-0"},
		{"shortly before its end: meanwhile, with the old one still used", 14 * time.Second, 1, "access for refresh-0"},
		{"as good as expired: before it is used", 2 * time.Second, 1, "access for refresh-1"},
		{"expired: before it is used", -time.Second, 1, "access for refresh-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.left)
				got, err := b.call(t.Context())
				synctest.Wait()
				if err != nil || got != c.token || b.requests != c.requests {
					t.Errorf("%q, %v after %d requests", got, err, b.requests)
				}
			})
		})
	}
}

func TestACallWaitsForTheRenewalItsBrowserMustBeGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10*time.Second)
		together, err := refresh.New(refresh.Config{Sessions: b.sessions, Provider: b.provider, Together: true})
		if err != nil {
			t.Fatal(err)
		}
		b.Refresher, b.delay = together, time.Second
		if got, err := b.call(t.Context()); err != nil || got != "access for refresh-1" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestManyCallsMakeOneRequestAndShareItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, -time.Second)
		b.delay = 3 * time.Second
		var calls sync.WaitGroup
		for range 64 {
			calls.Go(func() {
				if got, err := b.call(t.Context()); err != nil || got != "access for refresh-1" {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		calls.Wait()
		if b.requests != 1 || b.outcomes["renewed"].Load() != 1 {
			t.Errorf("%d token requests", b.requests)
		}
		if s, _ := b.sessions.Load(t.Context(), b.ticket); s.Refreshes != 1 {
			t.Errorf("the session counts %d refreshes", s.Refreshes)
		}
	})
}

func TestATokenThatLivesShortlyIsNotRenewedAtEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, -time.Second)
		b.life = 2 * time.Second // less than Margin
		for range 20 {
			if _, err := b.call(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if b.requests != 1 {
			t.Errorf("%d token requests", b.requests)
		}
	})
}

func TestARenewalOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, -time.Second)
		b.delay = 3 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller got %v", err)
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if got, err := b.call(t.Context()); err != nil || got != "access for refresh-1" || b.requests != 1 {
			t.Errorf("%q, %v after %d requests", got, err, b.requests)
		}
	})
}

func TestADeadRefreshTokenEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, -time.Second)
		b.live = "rotated away by a thief"
		if _, err := b.call(t.Context()); problem.CodeOf(err) != problem.SessionEnded {
			t.Errorf("the call ended with %v", err)
		}
		if _, err := b.sessions.Load(t.Context(), b.ticket); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the session is still there: %v", err)
		}
	})
}

func TestATokenRotatedByAnotherInstanceIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, -time.Second)
		b.live = "refresh-other"
		b.during = func() {
			_, err := b.sessions.Update(t.Context(), b.ticket, func(s *session.Session) error {
				s.Tokens = tokens("refresh-other", time.Minute)
				s.Refreshes++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		if got, err := b.call(t.Context()); err != nil || got != "access for refresh-other" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestWithoutARefreshTokenTheSessionEndsWithItsAccessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10*time.Second)
		_, err := b.sessions.Update(t.Context(), b.ticket, func(s *session.Session) error {
			s.Tokens.Refresh = secret.String{}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.call(t.Context()); err != nil {
			t.Errorf("while the token lasts: %v", err)
		}
		time.Sleep(10 * time.Second) // of the bubble's clock
		if _, err := b.call(t.Context()); problem.CodeOf(err) != problem.SessionEnded {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestAProviderThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10*time.Second)
		b.fail = problem.New(problem.ProviderUnavailable, errors.New("connection refused"))
		for range 100 {
			if got, err := b.call(t.Context()); err != nil || got != "access for refresh-0" {
				t.Fatalf("while the token lasts: %q, %v", got, err)
			}
			synctest.Wait()
		}
		b.mu.Lock()
		if b.requests != 1 { // it is tried again, and not by these calls
			t.Errorf("%d requests to a provider that just failed", b.requests)
		}
		b.mu.Unlock()
		time.Sleep(8 * time.Second)
		if _, err := b.call(t.Context()); err != nil {
			t.Errorf("in the token's last seconds: %v", err)
		}
		time.Sleep(3 * time.Second)
		if _, err := b.call(t.Context()); problem.CodeOf(err) != problem.ProviderUnavailable {
			t.Errorf("afterwards: %v", err)
		}
		if _, err := b.sessions.Load(t.Context(), b.ticket); err != nil {
			t.Errorf("the session must survive: %v", err)
		}
		b.mu.Lock()
		b.fail = nil
		b.mu.Unlock()
		if got, err := b.call(t.Context()); err != nil || got == "access for refresh-0" {
			t.Errorf("when the provider is back: %q, %v", got, err)
		}
	})
}

func TestASignOutDuringARenewalWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, -time.Second)
		b.during = func() {
			if err := b.sessions.Delete(t.Context(), b.ticket); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.call(t.Context()); problem.CodeOf(err) != problem.SessionEnded {
			t.Errorf("the call ended with %v", err)
		}
		if _, err := b.sessions.Load(t.Context(), b.ticket); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the session is back: %v", err)
		}
		if len(b.revoked) != 1 || b.revoked[0] != "refresh-1" {
			t.Errorf("the new tokens were not revoked: %v", b.revoked)
		}
	})
}
