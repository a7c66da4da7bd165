package nearcache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/nearcache"
	"cloakroom/bff/session/storetest"
)

func TestStore(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	backend := storetest.Backend{
		Open: func(t *testing.T) session.Store {
			return newCache(t, shared(t, now), nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Hour, Now: now})
		},
		Now:  now,
		Pass: func(d time.Duration) { passed.Add(int64(d)) },
	}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

// counting is a shared store that counts its reads, and can be slow or tell of
// changes.
type counting struct {
	*memory.Store
	reads   atomic.Int64
	before  func() // runs inside every Get, after the answer was read
	changed chan func(func(session.ID, bool))
}

func (c *counting) Get(ctx context.Context, id session.ID) (session.Record, error) {
	c.reads.Add(1)
	r, err := c.Store.Get(ctx, id)
	if c.before != nil {
		c.before()
	}
	return r, err
}

func (c *counting) Watch(ctx context.Context, changed func(session.ID, bool)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case tell := <-c.changed:
			tell(changed)
		}
	}
}

func shared(t *testing.T, now func() time.Time) *counting {
	t.Helper()
	store, err := memory.New(memory.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return &counting{Store: store, changed: make(chan func(func(session.ID, bool)))}
}

func newCache(t *testing.T, backend nearcache.Backend, c nearcache.Config) *nearcache.Store {
	t.Helper()
	s, err := nearcache.New(backend, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(n byte) session.Record {
	return session.Record{ID: session.ID{n}, Expires: time.Now().Add(time.Hour), Keys: []session.Key{{1}}, Data: make([]byte, 600)}
}

func mustCreate(t *testing.T, s session.Store, r session.Record) session.Record {
	t.Helper()
	version, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = version
	return r
}

func mustGet(t *testing.T, s session.Store, r session.Record) session.Record {
	t.Helper()
	got, err := s.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

var config = nearcache.Config{MaxBytes: 1 << 20, MaxAge: 2 * time.Second}

func TestASecondReadAsksNobody(t *testing.T) {
	backend := shared(t, nil)
	s := newCache(t, backend, config)
	r := mustCreate(t, s, record(1))
	for range 100 {
		mustGet(t, s, r)
	}
	if n := backend.reads.Load(); n != 1 {
		t.Errorf("100 reads asked the store %d times", n)
	}
	if stats := s.Stats(); stats.Hits != 99 || stats.Misses != 1 || stats.Copies != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestManyWhoWaitAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := shared(t, nil)
		backend.before = func() { time.Sleep(time.Second) } // of the bubble's clock
		s := newCache(t, backend, config)
		r := mustCreate(t, s, record(1))
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { mustGet(t, s, r) })
		}
		all.Wait()
		if n := backend.reads.Load(); n != 1 {
			t.Errorf("64 at once asked the store %d times", n)
		}
	})
}

func TestACallerWhoLeavesDoesNotSpoilItForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := shared(t, nil)
		backend.before = func() { time.Sleep(time.Second) }
		s := newCache(t, backend, config)
		r := mustCreate(t, s, record(1))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.Get(ctx, r.ID); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who left got %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() { mustGet(t, s, r) })
		synctest.Wait()
		cancel()
		all.Wait()
	})
}

// TestAnotherInstancesSignOut is the bound that the documentation promises.
func TestAnotherInstancesSignOut(t *testing.T) {
	t.Run("is seen after MaxAge at the latest, when no push comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			backend := shared(t, nil)
			here, there := newCache(t, backend, config), newCache(t, backend, config)
			r := mustCreate(t, there, record(1))
			mustGet(t, here, r)
			if err := there.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(config.MaxAge - time.Millisecond)
			mustGet(t, here, r) // the declared price
			time.Sleep(time.Millisecond)
			wantGone(t, here, r)
		})
	})
	t.Run("is seen after MaxAge, though the store took its time to answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			backend := shared(t, nil)
			here, there := newCache(t, backend, config), newCache(t, backend, config)
			r := mustCreate(t, there, record(1))
			var once sync.Once
			backend.before = func() { // the answer is read; it takes a second to arrive
				once.Do(func() {
					if err := there.Delete(context.Background(), r.ID); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				})
			}
			mustGet(t, here, r)
			time.Sleep(config.MaxAge - time.Second)
			wantGone(t, here, r)
		})
	})
	t.Run("is seen at once, when a push comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for name, tell := range map[string]func(func(session.ID, bool)){
				"that names it":              func(changed func(session.ID, bool)) { changed(session.ID{1}, false) },
				"that says all may be wrong": func(changed func(session.ID, bool)) { changed(session.ID{}, true) },
			} {
				backend := shared(t, nil)
				here := newCache(t, backend, config)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- here.Run(ctx) }()
				r := mustCreate(t, backend, record(1))
				mustGet(t, here, r)
				if err := backend.Delete(t.Context(), r.ID); err != nil {
					t.Fatal(err)
				}
				backend.changed <- tell
				synctest.Wait()
				t.Log("a push", name)
				wantGone(t, here, r)
				cancel()
				<-done
			}
		})
	})
	t.Run("cannot be undone by a write with the stale copy", func(t *testing.T) {
		backend := shared(t, nil)
		here := newCache(t, backend, config)
		r := mustCreate(t, backend, record(1))
		stale := mustGet(t, here, r)
		if err := backend.Delete(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Update(t.Context(), stale); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Update = %v", err)
		}
		wantGone(t, here, r)
	})
}

// TestWhoListensReadsAnew: news is passed on when the copy is gone, so that who
// hears it and looks sees what the store has.
func TestWhoListensReadsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := shared(t, nil)
		here := newCache(t, backend, config)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = here.Run(ctx) }()
		r := record(1)
		type news struct {
			id  session.ID
			all bool
			err error // of a read at that moment
		}
		heard, listening := make(chan news, 10), make(chan error, 1)
		listenCtx, leave := context.WithCancel(t.Context())
		go func() {
			listening <- here.Watch(listenCtx, func(id session.ID, all bool) {
				_, err := here.Get(t.Context(), r.ID)
				heard <- news{id, all, err}
			})
		}()
		if got := <-heard; !got.all {
			t.Errorf("one who begins to listen hears %+v, want that anything may have changed before", got)
		}
		for _, want := range []news{{id: r.ID, err: session.ErrNotFound}, {all: true, err: session.ErrNotFound}} {
			mustGet(t, here, mustCreate(t, backend, r)) // a copy
			if err := backend.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			backend.changed <- func(changed func(session.ID, bool)) { changed(want.id, want.all) }
			if got := <-heard; got != want {
				t.Errorf("heard %+v, want %+v", got, want)
			}
		}
		leave()
		if err := <-listening; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch = %v", err)
		}
		backend.changed <- func(changed func(session.ID, bool)) { changed(r.ID, false) }
		synctest.Wait()
		if len(heard) > 0 {
			t.Errorf("one who left hears %+v", <-heard)
		}
	})
}

func TestAConflictMakesTheNextReadAsk(t *testing.T) {
	backend := shared(t, nil)
	s := newCache(t, backend, config)
	r := mustCreate(t, backend, record(1))
	stale := mustGet(t, s, r)
	newer := r
	newer.Data = []byte("from another instance")
	if _, err := backend.Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), stale); !errors.Is(err, session.ErrConflict) {
		t.Fatalf("Update = %v", err)
	}
	if got := mustGet(t, s, r); string(got.Data) != "from another instance" {
		t.Errorf("the stale copy again: every retry would fail")
	}
}

func TestAnAnswerOvertakenByAChangeIsNotKept(t *testing.T) {
	backend := shared(t, nil)
	s := newCache(t, backend, config)
	r := mustCreate(t, backend, record(1))
	overtake := true
	backend.before = func() { // the answer is read; before it arrives, this instance signs out
		if overtake {
			overtake = false
			if err := s.Delete(context.Background(), r.ID); err != nil {
				t.Error(err)
			}
		}
	}
	mustGet(t, s, r) // was asked before the sign-out
	wantGone(t, s, r)
	if n := s.Stats().Copies; n != 0 {
		t.Errorf("%d copies are held", n)
	}
}

func TestTheBoundHolds(t *testing.T) {
	backend := shared(t, nil)
	s := newCache(t, backend, nearcache.Config{MaxBytes: 5000, MaxAge: time.Hour})
	for n := range 100 {
		mustGet(t, s, mustCreate(t, backend, record(byte(n))))
		if stats := s.Stats(); stats.Bytes > 5000 || stats.Copies > 5 {
			t.Fatalf("%+v", stats)
		}
	}
	large := record(200)
	large.Data = make([]byte, 6000)
	mustGet(t, s, mustCreate(t, backend, large))
	if stats := s.Stats(); stats.Copies != 5 {
		t.Errorf("a record larger than the bound drove out the others: %+v", stats)
	}
}

func wantGone(t *testing.T, s session.Store, r session.Record) {
	t.Helper()
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

// What a caller has already is not copied for them. Of a version that comes twice,
// as after a failover, only one record is what they have.
func TestWhatACallerHasIsNotCopied(t *testing.T) {
	s := newCache(t, shared(t, time.Now), nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Hour})
	r := session.Record{ID: session.ID{1}, Expires: time.Now().Add(time.Hour), Keys: []session.Key{{1}}, Data: make([]byte, 100)}
	version, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	twin := make([]byte, 100)
	twin[99] = 1
	for range 2 { // from the store, and from the copy
		for _, row := range []struct {
			name string
			have session.Mark
			want int
		}{
			{"nothing", session.Mark{}, 100},
			{"another version", session.MarkOf(version+1, r.Data), 100},
			{"the version, of another record", session.MarkOf(version, twin), 100},
			{"the record", session.MarkOf(version, r.Data), 0},
		} {
			got, err := s.GetUnless(t.Context(), r.ID, row.have)
			if err != nil || got.Version != version || len(got.Data) != row.want || (len(got.Keys) == 0) != (row.want == 0) {
				t.Errorf("who has %s gets %d bytes, %d keys, %v", row.name, len(got.Data), len(got.Keys), err)
			}
		}
	}
	got, err := s.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	got.Data[0], got.Keys[0][0] = 9, 9
	if again, err := s.Get(t.Context(), r.ID); err != nil || again.Data[0] != 0 || again.Keys[0][0] != 1 {
		t.Errorf("a caller altered the copy: %v", err)
	}
}
