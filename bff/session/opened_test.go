package session_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// What was opened before is believed only for as long as the store and the ring
// say the same.
func TestARememberedSessionIsOnlyAsGoodAsItsRecord(t *testing.T) {
	keys := ring(t, key("one"), key("two"))
	h := newHouse(t, keys)
	elsewhere := h.manager(t, keys)
	ticket, err := h.Create(t.Context(), session.Session{Subject: "alice", Tokens: session.Tokens{Access: secret.New("first")}})
	if err != nil {
		t.Fatal(err)
	}
	mustHold := func(access string) {
		t.Helper()
		for range 3 { // opened twice, then remembered
			s, err := h.Load(t.Context(), ticket)
			if err != nil || s.Tokens.Access.Reveal() != access {
				t.Fatalf("Load = %q, %v, want %q", s.Tokens.Access.Reveal(), err, access)
			}
		}
	}
	mustHold("first")
	if _, err := elsewhere.Update(t.Context(), ticket, func(s *session.Session) error {
		s.Tokens.Access = secret.New("second")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	mustHold("second")

	if err := keys.Replace([]session.RingKey{key("two")}); err != nil {
		t.Fatal(err)
	}
	wantGone(t, h.Manager, ticket)
	if err := keys.Replace([]session.RingKey{key("two"), key("one")}); err != nil {
		t.Fatal(err)
	}
	mustHold("second")

	if err := elsewhere.Delete(t.Context(), ticket); err != nil {
		t.Fatal(err)
	}
	wantGone(t, h.Manager, ticket)
}

// TestWhoLoadsASessionMayAlterIt: a caller's own fields are its own.
func TestWhoLoadsASessionMayAlterIt(t *testing.T) {
	h := newHouse(t, ring(t, key("one")))
	ticket, err := h.Create(t.Context(), session.Session{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		s, err := h.Load(t.Context(), ticket)
		if err != nil || s.Subject != "alice" {
			t.Fatalf("Load = %q, %v", s.Subject, err)
		}
		s.Subject = "mallory"
	}
}

// countingStore counts from anew for whatever it has lost: the next write gets
// the number of one that is gone.
type countingStore struct {
	session.Store
	record session.Record
}

func (c *countingStore) Get(context.Context, session.ID) (session.Record, error) {
	r := c.record
	r.Version, r.Data = 7, slices.Clone(r.Data)
	return r, nil
}

// TestAVersionThatComesTwiceIsNotTheSameSession: a failover loses the last
// writes, and the ones after it get their numbers.
func TestAVersionThatComesTwiceIsNotTheSameSession(t *testing.T) {
	h := newHouse(t, ring(t, key("one")))
	ticket, err := h.Create(t.Context(), session.Session{Subject: "alice", Tokens: session.Tokens{Access: secret.New("lost")}})
	if err != nil {
		t.Fatal(err)
	}
	store := &countingStore{}
	m, err := session.New(store, session.Config{Keys: ring(t, key("one")), Now: func() time.Time { return h.now }, Lifetimes: h.Lifetimes()})
	if err != nil {
		t.Fatal(err)
	}
	for _, access := range []string{"lost", "kept"} {
		if _, err := h.Update(t.Context(), ticket, func(s *session.Session) error {
			s.Tokens.Access = secret.New(access)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if store.record, err = h.store.Get(t.Context(), ticket.ID()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if s, err := m.Load(t.Context(), ticket); err != nil || s.Tokens.Access.Reveal() != access {
				t.Errorf("Load = %q, %v, want %q", s.Tokens.Access.Reveal(), err, access)
			}
		}
	}
}
