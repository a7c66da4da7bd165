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

func TestAStoreThatIsDownIsLeftAloneUntilItIsTimeToTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		if n := backend.asked.Load(); n != 5 || outcomes["failed"] != 5 || outcomes["refused"] != 95 {
			t.Errorf("asked %d times: %v", n, outcomes)
		}
		backend.down.Store(nil)
		time.Sleep(1500 * time.Millisecond) // of the bubble's clock
		for range 10 {
			if _, err := s.Get(t.Context(), session.ID{}); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("after the pause: %v", err)
			}
		}
	})
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
		for range 5 {
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

// Calls whose callers leave while a store hangs must not hide that it does.
func TestACallerWhoLeavesSaysNothingOfTheStore(t *testing.T) {
	refused, gone := errors.New("connection refused"), error(context.Canceled)
	backend := &fragile{Store: kept(t, nil)}
	s := behind(t, backend, breaker.Config{})
	for range 5 {
		for _, err := range []*error{&refused, &gone} {
			backend.down.Store(err)
			_, _ = s.Get(t.Context(), session.ID{})
		}
	}
	asked := backend.asked.Load()
	if _, err := s.Get(t.Context(), session.ID{}); err == nil || backend.asked.Load() != asked {
		t.Errorf("after five failures, with others who left between them, the store is asked again: %v", err)
	}
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
