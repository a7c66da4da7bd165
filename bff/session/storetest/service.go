package storetest

import (
	"testing"
	"time"

	"cloakroom/bff/session"
)

// Service is a kind of store whose sessions are on a server.
type Service struct {
	Telltale
	// Start runs a new server with room for sessions, until the test ends.
	Start func(t *testing.T) Home
	// Forgets says that a server that was killed comes back empty.
	Forgets bool
}

// Home is one server, and how stores on it are opened.
type Home struct {
	Server
	// Open returns a store that fails a call after timeout, closed when the test
	// ends. All of them share their sessions.
	Open func(timeout time.Duration) Opened
}

// Server is what can be done to a server.
type Server interface {
	Kill()    // kill -9
	Restart() // on the same port
	Stop()    // freeze: it keeps its connections and says nothing
	Cont()
}

const (
	patient = 10 * time.Second // a slow machine is no failure
	hasty   = 500 * time.Millisecond
)

// RunService checks what a store must do while its server comes and goes, each
// rule on a server of its own.
func RunService(t *testing.T, s Service) { runChecks(t, s, service) }

// check is one line of what is asked of a subject S.
type check[S any] struct {
	name, why string
	run       func(t *testing.T, s S)
}

func runChecks[S any](t *testing.T, s S, checks []check[S]) {
	for _, check := range checks {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			explain(t, check.name, check.why)
			check.run(t, s)
		})
	}
}

// explain prints the rule, should its test fail.
func explain(t *testing.T, name, why string) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("rule: %s\nwhy:  %s", name, why)
		}
	})
}

// wantWithin checks how long calls of a hasty store took. The bound leaves room
// for a slow machine.
func wantWithin(t *testing.T, began time.Time, calls int) {
	t.Helper()
	if took := time.Since(began); took > time.Duration(calls)*10*hasty {
		t.Errorf("%d calls took %v, of at most %v each", calls, took, hasty)
	}
}

var service = []check[Service]{
	{"what one instance does the other sees", "any instance serves any session", func(t *testing.T, s Service) {
		home := s.Start(t)
		a, b := home.Open(patient), home.Open(patient)
		for range 20 {
			r := NewRecord(time.Hour)
			r.Version = mustCreate(t, a, r)
			got := mustGet(t, b, r.ID)
			same(t, got, r)
			mustUpdate(t, b, got)
			_, err := a.Update(t.Context(), r)
			wantErr(t, "Update of what the other changed", err, session.ErrConflict)
			if found := find(t, a, r.Keys[0]); len(found) != 1 {
				t.Errorf("Find = %d records, want the one", len(found))
			}
			mustDelete(t, b, r.ID)
			_, err = a.Get(t.Context(), r.ID)
			wantErr(t, "Get of what the other deleted", err, session.ErrNotFound)
		}
	}},
	{"a store starts before its server", "they are started at once, in any order", func(t *testing.T, s Service) {
		home := s.Start(t)
		home.Kill()
		store := home.Open(hasty)
		began := time.Now()
		s.WantDown(t, store, NewRecord(time.Hour))
		wantWithin(t, began, downCalls)
		home.Restart()
		Recovers(t, store)
		if err := store.Ping(t.Context()); err != nil {
			t.Errorf("Ping = %v", err)
		}
	}},
	{"a server dies and comes back", "down is not signed out, and nobody should have to restart us", func(t *testing.T, s Service) {
		home := s.Start(t)
		store := home.Open(2 * time.Second)
		kept, gone := NewRecord(time.Hour), NewRecord(time.Hour)
		kept.Version = mustCreate(t, store, kept)
		mustCreate(t, store, gone)
		mustDelete(t, store, gone.ID)
		home.Kill()
		s.WantDown(t, store, kept)
		home.Restart()
		Recovers(t, store)
		_, err := store.Get(t.Context(), gone.ID)
		wantErr(t, "Get of the deleted", err, session.ErrNotFound)
		if !s.Forgets {
			same(t, mustGet(t, store, kept.ID), kept)
			return
		}
		_, err = store.Get(t.Context(), kept.ID)
		wantErr(t, "Get of what was forgotten", err, session.ErrNotFound)
		_, err = store.Update(t.Context(), kept)
		wantErr(t, "Update of what was forgotten", err, session.ErrNotFound)
	}},
	{"a frozen server holds nobody up", "requests would pile up until nothing is left for the healthy", func(t *testing.T, s Service) {
		home := s.Start(t)
		store := home.Open(hasty)
		r := NewRecord(time.Hour)
		r.Version = mustCreate(t, store, r)
		home.Stop()
		late := home.Open(hasty) // never saw it well
		began := time.Now()
		s.WantDown(t, store, r)
		s.WantDown(t, late, r)
		wantWithin(t, began, 2*downCalls)
		home.Cont()
		Recovers(t, store)
		Recovers(t, late)
		if _, err := store.Get(t.Context(), r.ID); err != nil {
			t.Errorf("Get = %v", err)
		}
	}},
	{"a closed store fails", "a request that outlives a stop must not look signed out", func(t *testing.T, s Service) {
		store := s.Start(t).Open(patient)
		r := NewRecord(time.Hour)
		r.Version = mustCreate(t, store, r)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		s.WantDown(t, store, r)
	}},
}
