package sealed_test

import (
	"errors"
	"testing"

	"cloakroom/bff/session"
	"cloakroom/bff/session/sealed"
	"cloakroom/shared"
)

// What a connection remembers is for the cookies that came over it, to the last
// byte, and for as long as their session and its key last.
func TestAConnectionRemembersTheSessionThatCameLast(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		keys := ring(t, "a")
		i, alice, bob := newInstance(t, format, keys, nil, 0), browser{}, browser{}
		tickets := map[string]session.Ticket{"alice": alice.signIn(t, i, newSession(6000)), "bob": bob.signIn(t, i, newSession(6000))}
		connection := sealed.Connection(t.Context(), nil)
		wantNobody := func(what string, b browser) {
			t.Helper()
			for range 2 {
				if _, err := i.Ticket(b.over(connection)); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		want := func(name string, b browser) {
			t.Helper()
			for range 2 {
				ticket, err := i.Ticket(b.over(connection))
				if err != nil || ticket != tickets[name] {
					t.Errorf("%s: %v", name, err)
				}
				if id, known := i.Known(b.over(connection)); !known || id != ticket.ID() {
					t.Errorf("%s is not known by name", name)
				}
			}
		}
		for range 2 {
			want("alice", alice)
			want("bob", bob)
			mixed := browser{shared.CookieName: alice[shared.CookieName], shared.CookieName + "-1": bob[shared.CookieName+"-1"]}
			wantNobody("half of each", mixed)
			changed := browser{}
			for name, value := range bob {
				changed[name] = value
			}
			last := []byte(changed[shared.CookieName])
			last[len(last)-1] ^= 1
			changed[shared.CookieName] = string(last)
			wantNobody("a byte changed", changed)
			wantNobody("no cookie", browser{})
		}
		if err := i.sessions.Delete(t.Context(), tickets["bob"]); err != nil {
			t.Fatal(err)
		}
		wantNobody("a session that ended", bob)
		want("alice", alice)

		// Sessions are sealed anew meanwhile, but these cookies are what they are.
		if err := keys.Replace([]session.RingKey{key("b"), key("a")}); err != nil {
			t.Fatal(err)
		}
		want("alice", alice)
		if _, err := i.sessions.Update(t.Context(), tickets["alice"], func(*session.Session) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := keys.Replace([]session.RingKey{key("b")}); err != nil {
			t.Fatal(err)
		}
		wantNobody("under a key that was dropped", alice)
		if _, known := i.Known(alice.over(connection)); known {
			t.Error("known by name under a key that was dropped")
		}
		alice.give(t, i, tickets["alice"])
		want("alice", alice)
	})
}

// TestWhatAnotherInstanceSealedAnewIsOpenedWhereTheOldKeyIsGone: the copy here is
// of before the rotation, and nothing opens it any more.
func TestWhatAnotherInstanceSealedAnewIsOpenedWhereTheOldKeyIsGone(t *testing.T) {
	eachFormat(t, func(t *testing.T, format sealed.Format) {
		keys, elsewhere := ring(t, "a"), ring(t, "a")
		here, there := newInstance(t, format, keys, nil, 0), newInstance(t, format, elsewhere, nil, 0)
		b := browser{}
		ticket := b.signIn(t, here, newSession(500))
		for _, ids := range [][]session.RingKey{{key("a"), key("b")}, {key("b"), key("a")}} {
			if err := errors.Join(keys.Replace(ids), elsewhere.Replace(ids)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.visit(t, there); err != nil {
			t.Fatal(err)
		}
		b.give(t, there, ticket)
		if err := keys.Replace([]session.RingKey{key("b")}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := b.visit(t, here); err != nil || got != ticket {
			t.Errorf("the instance with the old copy: %v", err)
		}
	})
}
