package refresh_test

import (
	"context"
	"errors"
	"slices"
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

// line is the way of one instance to the store. It can be cut.
type line struct {
	session.Store
	cut    atomic.Bool
	narrow atomic.Bool // nothing fits through any more
}

var errCut = errors.New("the line is cut")

func (l *line) Get(ctx context.Context, id session.ID) (session.Record, error) {
	if l.cut.Load() {
		return session.Record{}, errCut
	}
	return l.Store.Get(ctx, id)
}

func (l *line) Update(ctx context.Context, r session.Record) (session.Version, error) {
	switch {
	case l.cut.Load():
		return 0, errCut
	case l.narrow.Load():
		return 0, session.ErrTooLarge
	}
	return l.Store.Update(ctx, r)
}

// fleet is several instances of one deployment, and a provider that revokes a
// whole family when it sees a refresh token twice.
type fleet struct {
	*provider
	instances []*bench
	lines     []*line
}

// newFleet signs a user in whose token has expired.
func newFleet(t *testing.T, n int, clocks ...func() time.Time) *fleet {
	t.Helper()
	store, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{provider: &provider{live: "refresh-0"}}
	ring := session.EphemeralKeyRing()
	for i := range n {
		var clock func() time.Time
		if i < len(clocks) {
			clock = clocks[i]
		}
		way := &line{Store: store}
		f.lines = append(f.lines, way)
		f.instances = append(f.instances, newInstance(t, way, ring, f.provider, clock))
	}
	ticket, err := f.instances[0].sessions.Create(t.Context(), session.Session{Subject: "alice", Tokens: tokens("refresh-0", time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range f.instances {
		b.ticket = ticket
	}
	time.Sleep(time.Minute + time.Second)
	return f
}

// callEverywhere makes n calls on every instance at once and returns what each
// was given: a token, or an error.
func (f *fleet) callEverywhere(t *testing.T, n int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	got := map[string]int{}
	var calls sync.WaitGroup
	for _, b := range f.instances {
		for range n {
			calls.Go(func() {
				token, err := b.call(t.Context())
				if err != nil {
					token = err.Error()
				}
				mu.Lock()
				defer mu.Unlock()
				got[token]++
			})
		}
	}
	calls.Wait()
	return got
}

func TestInstancesMakeOneRequestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		f.delay = 300 * time.Millisecond
		for round := range 20 {
			got := f.callEverywhere(t, 64)
			if f.requests != round+1 || len(got) != 1 || got["access for "+f.live] != 256 {
				t.Fatalf("round %d: %d requests, answers %v", round, f.requests, got)
			}
			time.Sleep(time.Minute + time.Second)
		}
	})
}

func TestASlowProviderIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		f.delay = 12 * time.Second // more than twice the lease
		if got := f.callEverywhere(t, 8); f.requests != 1 || got["access for refresh-1"] != 32 {
			t.Errorf("%d requests, answers %v", f.requests, got)
		}
	})
}

func TestAProviderThatFailsTwiceFailsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		f.failures = 2
		f.fail = problem.New(problem.ProviderError, errors.New("HTTP 500"))
		if got := f.callEverywhere(t, 8); f.requests != 3 || got["access for refresh-3"] != 32 {
			t.Errorf("%d requests, answers %v", f.requests, got)
		}
	})
}

// A wait that took nearly all the time there is leaves a request all it needs: one
// that is cut off may have spent the refresh token.
func TestAWaitTakesNothingFromTheRequestAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.delay, f.failures = 25*time.Second, 1
		f.fail = problem.New(problem.ProviderTimeout, errors.New("no answer"))
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := f.instances[0].call(t.Context()); problem.CodeOf(err) != problem.ProviderTimeout {
				t.Error(err)
			}
		})
		synctest.Wait()
		if token, err := f.instances[1].call(t.Context()); err != nil || token != "access for refresh-2" {
			t.Errorf("%q, %v", token, err)
		}
		first.Wait()
	})
}

// A request that is given up gives the turn to the next at once.
func TestARequestThatRanOutOfTimeLeavesNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.delay = time.Hour
		if _, err := f.instances[0].call(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		s, err := f.instances[0].sessions.Load(t.Context(), f.instances[0].ticket)
		if err != nil || s.Lease.Holder != "" {
			t.Errorf("the lease is still %+v, %v", s.Lease, err)
		}
	})
}

// An instance that was cut off from the store while it asked is thought to be
// gone. The refusal that it is given then is the other's doing, whose result is
// still on its way: it ends nothing.
func TestARefusalEndsNothingWhileAnotherHasTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.delay = 12 * time.Second
		var both sync.WaitGroup
		call := func(b *bench) {
			both.Go(func() {
				if token, err := b.call(t.Context()); err != nil || token != "access for refresh-2" {
					t.Errorf("%q, %v", token, err)
				}
			})
		}
		call(f.instances[0])
		time.Sleep(time.Second)
		f.lines[0].cut.Store(true)
		f.mu.Lock()
		f.delay = 0
		spent := false
		f.during = func() {
			if !spent { // the second request is answered first; its answer takes its time
				spent = true
				f.mu.Lock()
				f.live = "spent"
				f.mu.Unlock()
				time.Sleep(8 * time.Second)
				f.mu.Lock()
				f.live = "refresh-0"
				f.mu.Unlock()
			}
		}
		f.mu.Unlock()
		call(f.instances[1])
		time.Sleep(10 * time.Second)
		f.lines[0].cut.Store(false)
		both.Wait()
	})
}

// The holder asked and is never heard of again.
func TestACrashedHolderCostsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.delay = time.Hour // its request never arrives
		dying, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.instances[0].call(dying); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		f.lines[0].cut.Store(true) // and it can say nothing more

		began, dead := time.Now(), f.instances[0]
		f.instances = f.instances[1:]
		f.mu.Lock()
		f.delay = 0
		f.mu.Unlock()
		got := f.callEverywhere(t, 8)
		if got["access for refresh-2"] != 16 {
			t.Errorf("answers %v", got)
		}
		if waited := time.Since(began); waited > 6*time.Second {
			t.Errorf("the others waited %s", waited)
		}
		if err := dead.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestALeaseIsNotTakenByAClockThatIsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast := func() time.Time { return time.Now().Add(20 * time.Second) }
		f := newFleet(t, 2, nil, fast)
		f.delay = 8 * time.Second
		var first sync.WaitGroup
		first.Go(func() { _, _ = f.instances[0].call(t.Context()) })
		synctest.Wait()
		if got := f.callEverywhere(t, 4); f.requests != 1 || got["access for refresh-1"] != 8 {
			t.Errorf("%d requests, answers %v", f.requests, got)
		}
		first.Wait()
	})
}

// What a store does not take just now is offered to it again: the refresh token
// it holds is spent. Nobody else asks with that one meanwhile, not even the
// moment the store is back.
func TestRotatedTokensSurviveAnOutageOfTheStore(t *testing.T) {
	for _, outage := range []time.Duration{20 * time.Second, 110 * time.Second} {
		t.Run(outage.String(), func(t *testing.T) { outlast(t, outage) })
	}
}

func outlast(t *testing.T, outage time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.life = time.Hour
		f.during = func() {
			for _, l := range f.lines {
				l.cut.Store(true)
			}
		}
		if _, err := f.instances[0].call(t.Context()); problem.CodeOf(err) != problem.StoreUnavailable {
			t.Errorf("while the store is down: %v", err)
		}
		time.Sleep(outage)
		f.during = nil
		for _, l := range f.lines {
			l.cut.Store(false)
		}
		if got := f.callEverywhere(t, 4); f.requests != 1 || got["access for refresh-1"] != 8 {
			t.Errorf("%d requests, answers %v", f.requests, got)
		}
		if err := f.instances[0].Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTokensThatOutgrewTheStoreEndTheSessionAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.during = func() { f.lines[0].narrow.Store(true) }
		if _, err := f.instances[0].call(t.Context()); problem.CodeOf(err) != problem.SessionEnded {
			t.Errorf("got %v", err)
		}
		if len(f.revoked) != 1 || f.revoked[0] != "refresh-1" {
			t.Errorf("revoked: %v", f.revoked)
		}
		if _, err := f.instances[0].sessions.Load(t.Context(), f.instances[0].ticket); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the session, whose refresh token is spent, is still there: %v", err)
		}
	})
}

func TestEachAPIHasATokenOfItsOwnOfOneFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.delay = 100 * time.Millisecond
		needs := []refresh.Need{
			{}, {Resource: "https://billing.example"}, {Resource: "https://billing.example", Scopes: []string{"pay"}}, {Scopes: []string{"mail"}},
		}
		var calls sync.WaitGroup
		for _, b := range f.instances {
			for _, need := range needs {
				calls.Go(func() {
					s, err := b.sessions.Load(t.Context(), b.ticket)
					if err == nil {
						s, err = b.Fresh(t.Context(), b.ticket, s, need)
					}
					if held, ok := s.Grant(need.Resource, need.Scopes); err != nil || !ok || held.Access.Empty() {
						t.Errorf("%v: %v", need, err)
					}
				})
			}
		}
		calls.Wait()
		slices.SortFunc(f.asked, func(a, b refresh.Need) int { return len(a.Resource) - len(b.Resource) })
		if f.requests != len(needs) {
			t.Errorf("%d requests for %d tokens: %v", f.requests, len(needs), f.asked)
		}
		s, err := f.instances[0].sessions.Load(t.Context(), f.instances[0].ticket)
		if err != nil {
			t.Fatal(err)
		}
		if s.Tokens.Refresh.Reveal() != f.live || len(s.Grants) != 3 {
			t.Errorf("the session holds %d grants", len(s.Grants))
		}
	})
}

func TestANeedWithoutARefreshTokenEndsNoSessionThatIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 50*time.Second)
		_, err := b.sessions.Update(t.Context(), b.ticket, func(s *session.Session) error {
			s.Tokens.Refresh = secret.String{}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.sessions.Load(t.Context(), b.ticket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Fresh(t.Context(), b.ticket, s, refresh.Need{Resource: "https://billing.example"}); problem.CodeOf(err) != problem.TokenUnavailable {
			t.Errorf("got %v", err)
		}
		if _, err := b.call(t.Context()); err != nil {
			t.Errorf("the session ended: %v", err)
		}
	})
}
