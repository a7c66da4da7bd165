package session_test

import (
	"testing"

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
		for range 2 { // opened, then remembered
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
	for range 3 {
		s, err := h.Load(t.Context(), ticket)
		if err != nil || s.Subject != "alice" {
			t.Fatalf("Load = %q, %v", s.Subject, err)
		}
		s.Subject = "mallory"
	}
}
