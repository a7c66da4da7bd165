package session_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/session"
)

func TestAUserSeesTheirSessionsAndNobodyElses(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	first := create(t, h, alice)
	h.now = h.now.Add(time.Minute)
	second := create(t, h, alice)
	bob := alice
	bob.Subject = "bob-subject"
	create(t, h, bob)

	list, err := h.OfSubject(t.Context(), alice.Issuer, alice.Subject)
	if err != nil {
		t.Fatal(err)
	}
	want := []session.Listing{
		{ID: second.ID(), Device: alice.Device, Created: h.now, LastSeen: h.now, Expires: h.now.Add(30 * time.Minute)},
		{ID: first.ID(), Device: alice.Device, Created: h.now.Add(-time.Minute), LastSeen: h.now.Add(-time.Minute), Expires: h.now.Add(29 * time.Minute)},
	}
	for i := range list {
		if list[i].Handle == "" || i > 0 && list[i].Handle == list[i-1].Handle {
			t.Errorf("handles %q", list[i].Handle)
		}
		list[i].Handle = ""
	}
	if diff := cmp.Diff(want, list, byValue); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWhatCannotBeSearchedIsNotIndexed: where others of a user's sessions are
// elsewhere, a record says neither whose it is nor from where, and a session is
// listed by itself.
func TestWhatCannotBeSearchedIsNotIndexed(t *testing.T) {
	keys := ring(t, key("a"))
	h := newHouse(t, keys)
	m, err := session.New(h.store, session.Config{Keys: keys, Now: func() time.Time { return h.now }, Lifetimes: h.Lifetimes(), Scattered: true})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := m.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.store.Get(t.Context(), ticket.ID())
	if err != nil || len(r.Keys) != 1 {
		t.Errorf("the record has %d keys, %v", len(r.Keys), err)
	}
	if label := session.OpenLabel(keys, r.ID, r.Data); label != nil {
		t.Errorf("its label says %q", label)
	}
	s, err := m.Load(t.Context(), ticket)
	if err != nil {
		t.Fatal(err)
	}
	indexed := create(t, h, alice)
	list, err := h.OfSubject(t.Context(), alice.Issuer, alice.Subject)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d are found, %v", len(list), err)
	}
	own := m.Listed(ticket, &s)
	if own.Handle == "" || own.ID != ticket.ID() {
		t.Errorf("it is listed as %+v", own)
	}
	if own.ID, own.Handle = indexed.ID(), list[0].Handle; !cmp.Equal(own, list[0], byValue) {
		t.Errorf("it is listed as %+v, another as %+v", own, list[0])
	}
	if n, err := m.EndSID(t.Context(), alice.Issuer, alice.SID); n != 2 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
}

func TestAListedSessionIsEndedWithoutItsTicket(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	kept, lost := create(t, h, alice), create(t, h, alice)
	list, err := h.OfSubject(t.Context(), alice.Issuer, alice.Subject)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.ID == lost.ID() {
			if err := h.EndListed(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := h.Load(t.Context(), lost); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the one that was ended: %v", err)
	}
	if _, err := h.Load(t.Context(), kept); err != nil {
		t.Errorf("the other: %v", err)
	}
	if len(h.over) != 1 || h.over[0] != lost.ID() {
		t.Errorf("told of %v", h.over)
	}
}

func TestTheProviderEndsASessionBySIDAndAUserBySubject(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	other := alice
	other.SID = "another-sid"
	stranger := alice
	stranger.Issuer = "https://other.example"
	one, same, different, foreign := create(t, h, alice), create(t, h, alice), create(t, h, other), create(t, h, stranger)

	if n, err := h.EndSID(t.Context(), alice.Issuer, alice.SID); n != 2 || err != nil {
		t.Errorf("by sid: %d, %v", n, err)
	}
	wantLive := func(step string, ticket session.Ticket, live bool) {
		t.Helper()
		if _, err := h.Load(t.Context(), ticket); (err == nil) != live {
			t.Errorf("%s: live should be %v: %v", step, live, err)
		}
	}
	wantLive("of the sid", one, false)
	wantLive("of the sid, too", same, false)
	wantLive("of another sid", different, true)
	if n, err := h.EndSubject(t.Context(), alice.Issuer, alice.Subject); n != 1 || err != nil {
		t.Errorf("by subject: %d, %v", n, err)
	}
	wantLive("of the subject", different, false)
	wantLive("of another issuer", foreign, true)
}

func TestAKeyRotationLosesNoSessionOfAUser(t *testing.T) {
	h := newHouse(t, ring(t, key("a")))
	create(t, h, alice)
	h.Manager = h.manager(t, ring(t, key("b"), key("a")))
	create(t, h, alice)
	if list, err := h.OfSubject(t.Context(), alice.Issuer, alice.Subject); len(list) != 2 || err != nil {
		t.Errorf("%d sessions, %v", len(list), err)
	}
	if n, err := h.EndSID(t.Context(), alice.Issuer, alice.SID); n != 2 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
}

// The label must give away neither a token nor who it is about, even to one
// who has the store and the ring.
func TestALabelHoldsNoToken(t *testing.T) {
	h := newHouse(t, ring(t, key("a")))
	ticket := create(t, h, alice)
	r, err := h.store.Get(t.Context(), ticket.ID())
	if err != nil {
		t.Fatal(err)
	}
	label := session.OpenLabel(ring(t, key("a")), r.ID, r.Data)
	if !bytes.Contains(label, []byte(alice.Device.UserAgent)) {
		t.Fatalf("the label does not open: %q", label)
	}
	for _, secret := range []string{
		alice.Subject, alice.SID, alice.Tokens.Access.Reveal(), alice.Tokens.Refresh.Reveal(), alice.Tokens.ID.Reveal(),
		alice.Tokens.Key.Reveal(), alice.Grants[0].Access.Reveal(), ticket.Reveal(),
	} {
		if bytes.Contains(label, []byte(secret)) {
			t.Errorf("the label holds %q", secret)
		}
	}
	if label := session.OpenLabel(ring(t, key("b")), r.ID, r.Data); label != nil {
		t.Error("another ring opens it")
	}
	if label := session.OpenLabel(ring(t, key("a")), session.ID{1}, r.Data); label != nil {
		t.Error("it opens for another record")
	}
}

func TestANoteIsTakenOnceUntilItsTime(t *testing.T) {
	h := newHouse(t, ring(t, key("a")))
	until := h.now.Add(time.Minute)
	note := func(fact ...string) bool {
		t.Helper()
		first, err := h.Note(t.Context(), until, fact...)
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	if !note("jti", "issuer", "1") || note("jti", "issuer", "1") {
		t.Error("the same fact twice")
	}
	if !note("jti", "issuer", "2") || !note("jti", "issuer1", "") {
		t.Error("another fact")
	}
	h.Manager = h.manager(t, ring(t, key("b"), key("a")))
	if note("jti", "issuer", "1") {
		t.Error("forgotten by a key rotation")
	}
	h.now = until
	until = until.Add(time.Minute)
	if !note("jti", "issuer", "1") {
		t.Error("remembered beyond its time")
	}
}

func TestASessionEndsWithItsRefreshToken(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	s := alice
	s.Tokens.RefreshExpires = h.now.Add(time.Minute)
	ticket := create(t, h, s)
	h.now = h.now.Add(time.Minute - time.Second)
	if _, err := h.Load(t.Context(), ticket); err != nil {
		t.Errorf("before: %v", err)
	}
	h.now = h.now.Add(time.Second)
	if _, err := h.Load(t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after: %v", err)
	}
}

func create(t *testing.T, h *house, s session.Session) session.Ticket {
	t.Helper()
	ticket, err := h.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}
