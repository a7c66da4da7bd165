package breaker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/breaker"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/storetest"
)

func TestStore(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	backend := storetest.Backend{
		Open: func(t *testing.T) session.Store { return behind(t, &fragile{Store: kept(t, now)}, breaker.Config{}) },
		Now:  now,
		Pass: func(d time.Duration) { passed.Add(int64(d)) },
	}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

// fragile is a store that can be down.
type fragile struct {
	*memory.Store
	down  atomic.Pointer[error]
	asked atomic.Int64
}

func (f *fragile) Get(ctx context.Context, id session.ID) (session.Record, error) {
	f.asked.Add(1)
	if err := f.down.Load(); err != nil {
		return session.Record{}, *err
	}
	return f.Store.Get(ctx, id)
}

func kept(t *testing.T, now func() time.Time) *memory.Store {
	t.Helper()
	s, err := memory.New(memory.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func behind(t *testing.T, backend breaker.Backend, c breaker.Config) *breaker.Store {
	t.Helper()
	s, err := breaker.New(backend, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestItOpensWhenNobodyIsAnswered: a dot is an answer, x a failure, l a caller who
// left, and _ half a second in which nobody calls. Whoever is refused changes
// nothing, so that the last call of a row tells how it stands.
func TestItOpensWhenNobodyIsAnswered(t *testing.T) {
	failed, gone := errors.New("connection refused"), error(context.Canceled)
	for rule, row := range map[string]struct {
		calls  string
		passes bool // the next call
	}{
		"ten failures and a silence open it":                     {".___xxxxxxxxxx", false},
		"nine may be chance":                                     {".___xxxxxxxxx", true},
		"it was never answered, which is a silence, too":         {"xxxxxxxxxx", false},
		"many at a time are one connection's":                    {".xxxxxxxxxxxxxxxxxxxx", true},
		"they may come before the silence":                       {".xxxxxxxxx___x", false},
		"a shorter silence may be an election":                   {".xxxxxxxxx__x", true},
		"an answer proves that the store is there":               {".___xxxxxxxxx.x", true},
		"nobody calls, nobody fails":                             {".______x", true},
		"who leaves says not that it works":                      {".___xlxlxlxlxlxlxlxlxlx", false},
		"who leaves says not that it fails":                      {".___llllllllllllllllllll", true},
		"after the pause one tries, and an answer closes it":     {".___xxxxxxxxxx___.", true},
		"what failed before is forgotten then":                   {".___xxxxxxxxxx___.___x", true},
		"another failure opens it again":                         {".___xxxxxxxxxx___x", false},
		"the pause is not over":                                  {".___xxxxxxxxxx_", false},
		"a caller who tried and left leaves the try to the next": {".___xxxxxxxxxx___l.", true},
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &fragile{Store: kept(t, nil)}
				s := behind(t, backend, breaker.Config{})
				for _, step := range row.calls {
					if step == '_' {
						time.Sleep(500 * time.Millisecond) // of the bubble's clock
						continue
					}
					backend.down.Store(map[rune]*error{'x': &failed, 'l': &gone}[step])
					_, _ = s.Get(t.Context(), session.ID{})
				}
				backend.down.Store(nil)
				if _, err := s.Get(t.Context(), session.ID{}); errors.Is(err, session.ErrNotFound) != row.passes {
					t.Errorf("after %s: %v", row.calls, err)
				}
			})
		})
	}
}

func TestAStoreThatIsDownIsLeftAlone(t *testing.T) {
	refused := errors.New("connection refused")
	backend := &fragile{Store: kept(t, nil)}
	outcomes := map[string]int{}
	s := behind(t, backend, breaker.Config{Observe: func(_, outcome string, _ time.Duration) { outcomes[outcome]++ }})
	backend.down.Store(&refused)
	for range 100 {
		if _, err := s.Get(t.Context(), session.ID{}); err == nil || errors.Is(err, session.ErrNotFound) {
			t.Fatalf("Get = %v: the user would be taken for signed out", err)
		}
	}
	if n := backend.asked.Load(); n != 10 || outcomes["failed"] != 10 || outcomes["refused"] != 90 {
		t.Errorf("asked %d times: %v", n, outcomes)
	}
}

// Whoever asks whether the server is ready is told no for as long as calls would
// be refused, and by asking is what ends that.
func TestItIsReadyWhenCallsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("connection refused")
		backend := &fragile{Store: kept(t, nil)}
		s := behind(t, backend, breaker.Config{})
		pings := 0
		ping := func() error {
			pings++
			if err := backend.down.Load(); err != nil {
				return *err
			}
			return nil
		}
		passes := func() bool {
			_, err := s.Get(t.Context(), session.ID{})
			return errors.Is(err, session.ErrNotFound)
		}
		if err := s.Ready(ping); err != nil || pings != 1 {
			t.Errorf("at first: %v, by %d pings", err, pings)
		}
		backend.down.Store(&refused)
		for range 20 { // pings alone do not open it
			if err := s.Ready(ping); !errors.Is(err, refused) {
				t.Fatalf("the store is down: %v", err)
			}
		}
		backend.down.Store(nil)
		if !passes() {
			t.Error("pings that failed have calls refused")
		}
		backend.down.Store(&refused)
		time.Sleep(1500 * time.Millisecond) // of the bubble's clock
		for range 10 {
			passes()
		}
		backend.down.Store(nil)
		if err := s.Ready(ping); err == nil || passes() {
			t.Errorf("the store is back, and calls are refused still: %v", err)
		}
		time.Sleep(1500 * time.Millisecond) // of the bubble's clock
		if err := s.Ready(ping); err != nil {
			t.Errorf("after the pause: %v", err)
		}
		backend.down.Store(&refused)
		if passes(); s.Ready(func() error { return nil }) != nil {
			t.Error("it was ready, and one failure had calls refused")
		}
	})
}

func TestAnswersAreNoFailures(t *testing.T) {
	for _, answer := range []error{session.ErrNotFound, session.ErrConflict, session.ErrExists, session.ErrTooLarge, context.Canceled} {
		backend := &fragile{Store: kept(t, nil)}
		backend.down.Store(&answer)
		s := behind(t, backend, breaker.Config{})
		for range 50 {
			if _, err := s.Get(t.Context(), session.ID{}); !errors.Is(err, answer) {
				t.Fatalf("Get = %v, want %v", err, answer)
			}
		}
	}
}
