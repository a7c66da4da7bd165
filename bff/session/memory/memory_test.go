package memory_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/storetest"
)

func TestStore(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	backend := storetest.Backend{
		Open: func(t *testing.T) session.Store { return open(t, memory.Config{Now: now}) },
		Now:  now,
		Pass: func(d time.Duration) { passed.Add(int64(d)) },
	}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestTheLongestIdleGoesFirst(t *testing.T) {
	s := open(t, memory.Config{MaxBytes: 10 * recordCost})
	for i := range 10 {
		create(t, s, i)
	}
	if stats := s.Stats(); stats.Evicted != 0 || stats.Sessions != 10 {
		t.Fatalf("with room for ten: %+v", stats)
	}
	// 0 is the oldest, but was just used; so 1 is idle longest.
	if _, err := s.Get(t.Context(), id(0)); err != nil {
		t.Fatal(err)
	}
	create(t, s, 10)
	if _, err := s.Get(t.Context(), id(1)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the longest idle session is still there: %v", err)
	}
	for _, i := range []int{0, 2, 9, 10} {
		if _, err := s.Get(t.Context(), id(i)); err != nil {
			t.Errorf("session %d is gone: %v", i, err)
		}
	}
	if stats := s.Stats(); stats.Evicted != 1 || stats.Sessions != 10 || stats.Bytes > 10*recordCost {
		t.Errorf("after one too many: %+v", stats)
	}
}

func TestTheBoundHoldsWhateverComes(t *testing.T) {
	const bound = 40 << 10
	s := open(t, memory.Config{MaxBytes: bound})
	for i := range 2000 {
		r := record(i)
		r.Data = make([]byte, i*7%9000)
		version, err := s.Create(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // let it grow after it was admitted
			r.Version, r.Data = version, make([]byte, 20<<10)
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Stats().Bytes; got > bound {
			t.Fatalf("%d bytes after %d sessions, the bound is %d", got, i+1, bound)
		}
	}
	for i := range 2000 {
		if err := s.Delete(t.Context(), id(i)); err != nil {
			t.Fatal(err)
		}
	}
	if stats := s.Stats(); stats.Bytes != 0 || stats.Sessions != 0 {
		t.Errorf("after everything was deleted: %+v", stats)
	}
}

func TestARecordLargerThanTheStoreIsRefused(t *testing.T) {
	s := open(t, memory.Config{MaxBytes: 4096})
	create(t, s, 1)
	large := record(2)
	large.Data = make([]byte, 5000)
	if _, err := s.Create(t.Context(), large); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create = %v, want ErrTooLarge", err)
	}
	if _, err := s.Get(t.Context(), id(1)); err != nil {
		t.Errorf("the refused record drove out another: %v", err)
	}
}

func TestRunSweepsOutTheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memory.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		for i := range 2500 {
			create(t, s, i) // an hour each
		}
		time.Sleep(59 * time.Minute) // of the bubble's clock
		synctest.Wait()
		if n := s.Stats().Sessions; n != 2500 {
			t.Errorf("%d sessions before their time", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := s.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions after their time", n)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}

func open(t *testing.T, c memory.Config) *memory.Store {
	t.Helper()
	s, err := memory.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *memory.Store, i int) {
	t.Helper()
	if _, err := s.Create(t.Context(), record(i)); err != nil {
		t.Fatal(err)
	}
}

// recordCost is what a record of these tests takes: 992 for its data, 40 for its
// key, 104 for the rest.
const recordCost = 992 + 40 + 104

func record(i int) session.Record {
	return session.Record{ID: id(i), Expires: time.Now().Add(time.Hour), Keys: []session.Key{{1}}, Data: make([]byte, 980)}
}

func id(i int) session.ID { return sha256.Sum256(fmt.Append(nil, i)) }
