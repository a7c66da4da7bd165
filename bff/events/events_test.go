package events_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/events"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/nearcache"
)

// home is a memory store that counts its reads, and can be down or slow.
type home struct {
	*memory.Store
	reads, atOnce, most atomic.Int64
	down                atomic.Bool
	after               func() // runs in every Get, when the answer was read
}

func (h *home) Get(ctx context.Context, id session.ID) (session.Record, error) {
	h.reads.Add(1)
	if n := h.atOnce.Add(1); n > h.most.Load() {
		h.most.Store(n)
	}
	defer h.atOnce.Add(-1)
	if h.down.Load() {
		return session.Record{}, errors.New("no route to host")
	}
	r, err := h.Store.Get(ctx, id)
	if h.after != nil {
		h.after()
	}
	return r, err
}

func newHome(t *testing.T) *home {
	t.Helper()
	store, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &home{Store: store}
}

const idle = 30 * time.Minute

// run starts a hub over store that polls as rarely as it can, unless config
// says so.
func run(t *testing.T, store events.Store, change ...func(*events.Config)) *events.Hub {
	t.Helper()
	c := events.Config{Store: store, Idle: idle, Poll: 1000 * time.Hour}
	for _, f := range change {
		f(&c)
	}
	h, err := events.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	return h
}

func polled(every time.Duration) func(*events.Config) {
	return func(c *events.Config) { c.Poll = every }
}

func create(t *testing.T, store session.Store, n byte, life time.Duration) session.Record {
	t.Helper()
	r := session.Record{ID: session.ID{n}, Expires: time.Now().Add(life), Data: []byte("sealed")}
	version, err := store.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = version
	return r
}

// prolong lets r live for life from now on.
func prolong(t *testing.T, store session.Store, r session.Record, life time.Duration) {
	t.Helper()
	r, err := store.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.Expires = time.Now().Add(life)
	if _, err := store.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, store session.Store, id session.ID) {
	t.Helper()
	if err := store.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

var ended = events.Event{Ended: true}

// wantEvent takes what the watch was told.
func wantEvent(t *testing.T, w *events.Watch, want events.Event) {
	t.Helper()
	select {
	case got, open := <-w.Events():
		if !open || got != want {
			t.Errorf("told %+v (open: %v), want %+v", got, open, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("told nothing, want %+v", want)
	}
}

func wantNothing(t *testing.T, w *events.Watch) {
	t.Helper()
	synctest.Wait()
	select {
	case got, open := <-w.Events():
		t.Errorf("told %+v (open: %v), want nothing", got, open)
	default:
	}
}

func wantClosed(t *testing.T, w *events.Watch) {
	t.Helper()
	select {
	case got, open := <-w.Events():
		if open {
			t.Errorf("told %+v after the last", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("the channel is still open")
	}
}

func TestASessionThatEndsHereIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store)
		r, other := create(t, store, 1, idle), create(t, store, 2, idle)
		first, second, bystander := h.Watch(r.ID), h.Watch(r.ID), h.Watch(other.ID)
		called := make(chan bool, 2)
		h.OnEnd(r.ID, func() { called <- true })
		stop := h.OnEnd(r.ID, func() { called <- false })
		stop()
		wantNothing(t, first)
		began := time.Now()
		remove(t, store, r.ID)
		h.Ended(r.ID)
		for _, w := range []*events.Watch{first, second} {
			wantEvent(t, w, ended)
			wantClosed(t, w)
			w.Close()
		}
		if !<-called || len(called) > 0 {
			t.Error("who had stopped to wait was called")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		wantNothing(t, bystander)
	})
}

// The caller has read the session, then it ended, and then the caller began to
// wait: nobody will say anything any more.
func TestAWatchThatBeginsTooLateIsToldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store)
		r := create(t, store, 1, idle)
		remove(t, store, r.ID)
		h.Ended(r.ID)
		w := h.Watch(r.ID)
		called := make(chan bool)
		h.OnEnd(r.ID, func() { close(called) })
		wantEvent(t, w, ended)
		wantClosed(t, w)
		<-called
	})
}

func TestWhenASessionIsSaidToExpire(t *testing.T) {
	for name, c := range map[string]struct{ idle, lead time.Duration }{
		"a minute before, if it is a long one": {30 * time.Minute, time.Minute},
		"half way, if it is a short one":       {time.Minute, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newHome(t)
				h := run(t, store, polled(events.PollAlone), func(hub *events.Config) { hub.Idle = c.idle })
				w := h.Watch(create(t, store, 1, c.idle).ID)
				time.Sleep(c.idle - c.lead - 1)
				wantNothing(t, w)
				time.Sleep(time.Nanosecond)
				wantEvent(t, w, events.Event{ExpiresIn: c.lead})
				time.Sleep(c.lead / 2)
				late := h.Watch(session.ID{1})
				wantEvent(t, late, events.Event{ExpiresIn: c.lead / 2})
				time.Sleep(c.lead/2 - 1)
				wantNothing(t, w)
				time.Sleep(time.Nanosecond)
				wantEvent(t, w, ended)
				wantEvent(t, late, ended)
				wantClosed(t, w)
			})
		})
	}
}

// Another instance prolongs it, and nobody says so: the record is read before
// anything is said.
func TestAProlongedSessionDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store)
		r := create(t, store, 1, idle)
		w := h.Watch(r.ID)

		time.Sleep(idle - 2*time.Minute)
		prolong(t, store, r, idle)
		time.Sleep(time.Minute) // where it would have been warned of
		wantNothing(t, w)
		time.Sleep(idle - 2*time.Minute)
		wantEvent(t, w, events.Event{ExpiresIn: time.Minute})
		time.Sleep(time.Minute - 1)
		prolong(t, store, r, idle)
		time.Sleep(idle - time.Minute)
		wantEvent(t, w, events.Event{ExpiresIn: time.Minute}) // and once more
		time.Sleep(time.Minute)
		wantEvent(t, w, ended)
	})
}

func TestASessionThatIsCutShortEndsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store)
		r := create(t, store, 1, idle)
		w := h.Watch(r.ID)
		wantNothing(t, w)
		prolong(t, store, r, 30*time.Second) // another sign-in retired it
		h.Changed(r.ID, false)
		wantEvent(t, w, events.Event{ExpiresIn: 30 * time.Second})
		time.Sleep(30 * time.Second)
		wantEvent(t, w, ended)
	})
}

func TestNewsOfTheStore(t *testing.T) {
	for name, tell := range map[string]struct {
		news   func(*events.Hub, session.ID)
		within time.Duration
	}{
		"that name it":              {func(h *events.Hub, id session.ID) { h.Changed(id, false) }, 0},
		"that say all may be wrong": {func(h *events.Hub, _ session.ID) { h.Changed(session.ID{}, true) }, events.PollAlone},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newHome(t)
				h := run(t, store)
				r, other := create(t, store, 1, idle), create(t, store, 2, idle)
				w, bystander := h.Watch(r.ID), h.Watch(other.ID)
				wantNothing(t, w)
				tell.news(h, r.ID) // it was no end
				time.Sleep(tell.within)
				wantNothing(t, w)
				remove(t, store, r.ID) // on another instance
				tell.news(h, r.ID)
				time.Sleep(tell.within)
				synctest.Wait()
				wantEvent(t, w, ended)
				wantNothing(t, bystander)
			})
		})
	}
	t.Run("of what nobody watches cost no read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newHome(t)
			h := run(t, store)
			h.Changed(session.ID{9}, false)
			h.Changed(session.ID{}, true)
			synctest.Wait()
			if n := store.reads.Load(); n != 0 {
				t.Errorf("%d reads", n)
			}
		})
	})
}

// An answer that was under way when the news came may be the state before.
func TestNewsDuringAReadIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store)
		r := create(t, store, 1, idle)
		read, goOn := make(chan bool), make(chan bool)
		store.after = sync.OnceFunc(func() { read <- true; <-goOn })
		w := h.Watch(r.ID)
		<-read
		remove(t, store, r.ID)
		h.Changed(r.ID, false)
		close(goOn)
		wantEvent(t, w, ended)
	})
}

func TestAStoreThatIsDownEndsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store, polled(events.PollBeside))
		kept, lost := create(t, store, 1, 24*time.Hour), create(t, store, 2, idle)
		w, gone := h.Watch(kept.ID), h.Watch(lost.ID)
		wantNothing(t, w)
		store.down.Store(true)
		h.Changed(kept.ID, false)
		h.Changed(session.ID{}, true)
		time.Sleep(time.Hour) // lost has expired meanwhile, but perhaps it was prolonged
		wantNothing(t, w)
		wantNothing(t, gone)
		before := store.reads.Load()
		time.Sleep(time.Hour)
		if n := store.reads.Load() - before; n > 2*3600/20 {
			t.Errorf("a store that is down was asked %d times in an hour", n)
		}
		store.down.Store(false)
		time.Sleep(events.PollBeside * 5 / 4)
		synctest.Wait()
		wantEvent(t, gone, ended)
		wantNothing(t, w)
	})
}

// A store whose clock is slow keeps a record for longer than the session lasts.
func TestASlowClockProlongsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, err := memory.New(memory.Config{Now: func() time.Time { return time.Now().Add(-10 * time.Minute) }})
		if err != nil {
			t.Fatal(err)
		}
		store := &home{Store: kept}
		h := run(t, store)
		w := h.Watch(create(t, store, 1, idle).ID)
		time.Sleep(idle - time.Minute)
		wantEvent(t, w, events.Event{ExpiresIn: time.Minute})
		time.Sleep(time.Minute)
		synctest.Wait()
		wantEvent(t, w, ended)
		if n := store.reads.Load(); n != 3 {
			t.Errorf("%d reads, want one at the beginning, one before the end and one at the end", n)
		}
	})
}

// A local copy would show a session long after it ended.
func TestTheHubReadsPastCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		copies, err := nearcache.New(store, nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		h := run(t, copies, polled(events.PollAlone))
		r := create(t, copies, 1, idle)
		w := h.Watch(r.ID)
		wantNothing(t, w)
		if _, err := copies.Get(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		remove(t, store, r.ID) // on another instance
		time.Sleep(events.PollAlone * 5 / 4)
		synctest.Wait()
		wantEvent(t, w, ended)
	})
}

func TestWhatNobodySaidIsFoundByLooking(t *testing.T) {
	for _, poll := range []time.Duration{events.PollAlone, events.PollBeside} {
		synctest.Test(t, func(t *testing.T) {
			store := newHome(t)
			h := run(t, store, polled(poll))
			r := create(t, store, 1, idle)
			w := h.Watch(r.ID)
			time.Sleep(10 * poll)
			wantNothing(t, w)
			if n := store.reads.Load(); n < 8 || n > 15 {
				t.Errorf("%d reads in ten times %v", n, poll)
			}
			remove(t, store, r.ID)
			time.Sleep(poll * 5 / 4)
			synctest.Wait()
			wantEvent(t, w, ended)
		})
	}
}

// However many wait, the store is asked so and so often, by so and so many at
// a time, and about each session once.
func TestLookingIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions, tabs = 3000, 3
		store := newHome(t)
		store.after = func() { time.Sleep(10 * time.Millisecond) }
		h := run(t, store, polled(events.PollAlone), func(c *events.Config) { c.PollRate, c.Parallel = 100, 4 })
		var all []*events.Watch
		for n := range sessions {
			id := session.ID{byte(n), byte(n >> 8)}
			if _, err := store.Create(t.Context(), session.Record{ID: id, Expires: time.Now().Add(24 * time.Hour)}); err != nil {
				t.Fatal(err)
			}
			for range tabs {
				all = append(all, h.Watch(id))
			}
		}
		time.Sleep(time.Minute) // each session was read once, at the beginning
		if n := store.reads.Load(); n < sessions || n > sessions+60*150 {
			t.Errorf("%d reads for %d sessions", n, sessions)
		}
		before := store.reads.Load()
		time.Sleep(time.Minute)
		if n := store.reads.Load() - before; n > 60*100*4/3 || n < 60*100*3/4 {
			t.Errorf("%d reads in a minute, want about 100 a second", n)
		}
		if n := store.most.Load(); n != 4 {
			t.Errorf("%d reads at a time, want 4", n)
		}
		for _, w := range all {
			w.Close()
		}
		before = store.reads.Load()
		time.Sleep(time.Hour)
		if n := store.reads.Load() - before; n > 4 {
			t.Errorf("%d reads for nobody", n)
		}
	})
}

func TestADrainSendsTabsAwayAndLeavesStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHome(t)
		h := run(t, store)
		r := create(t, store, 1, idle)
		w := h.Watch(r.ID)
		called := make(chan bool)
		h.OnEnd(r.ID, func() { close(called) })
		h.Drain()
		wantClosed(t, w)
		w.Close()
		wantClosed(t, h.Watch(r.ID))
		h.Drain()
		h.Ended(r.ID)
		<-called
	})
}

func TestABadConfigIsRefused(t *testing.T) {
	for name, c := range map[string]events.Config{
		"no store":         {Idle: idle},
		"no idle timeout":  {Store: newHome(t)},
		"a negative bound": {Store: newHome(t), Idle: idle, Parallel: -1},
	} {
		if _, err := events.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestNoEndIsMissed lets sessions be watched, left, ended and told of at once:
// whoever watched to the end hears of it.
func TestNoEndIsMissed(t *testing.T) {
	store := newHome(t)
	h := run(t, store)
	var all sync.WaitGroup
	for n := range 200 {
		id := session.ID{byte(n), 1}
		if _, err := store.Create(t.Context(), session.Record{ID: id, Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			all.Go(func() {
				h.Watch(id).Close()
				w := h.Watch(id)
				wantEvent(t, w, ended)
				w.Close()
			})
			all.Go(func() {
				called := make(chan bool)
				h.OnEnd(id, func() { close(called) })
				select {
				case <-called:
				case <-time.After(time.Minute):
					t.Error("not called")
				}
			})
		}
		all.Go(func() {
			if err := store.Delete(context.Background(), id); err != nil {
				t.Error(err)
			}
			if n%2 == 0 {
				h.Ended(id)
			} else {
				h.Changed(id, false)
			}
		})
	}
	all.Wait()
}
