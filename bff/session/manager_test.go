package session_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
)

// house is a Manager over a memory store, with a clock of its own.
type house struct {
	*session.Manager
	store *memory.Store
	now   time.Time
	over  []session.ID // what the Manager said had ended
}

func newHouse(t *testing.T, ring *session.KeyRing) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return h.now }
	store, err := memory.New(memory.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	h.store = store
	h.Manager = h.manager(t, ring)
	return h
}

func (h *house) manager(t *testing.T, ring *session.KeyRing) *session.Manager {
	t.Helper()
	m, err := session.New(h.store, session.Config{
		Keys: ring, Now: func() time.Time { return h.now }, Ended: func(id session.ID) { h.over = append(h.over, id) },
		Lifetimes: session.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func key(id string) session.RingKey {
	return session.RingKey{ID: id, Secret: secret.New(strings.Repeat(id, 32)[:32])}
}

func ring(t *testing.T, keys ...session.RingKey) *session.KeyRing {
	t.Helper()
	r, err := session.NewKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var alice = session.Session{
	Issuer: "https://idp.example", Subject: "alice-subject", SID: "provider-sid", Claims: []byte(`[{"type":"sub","value":"alice-subject"}]`),
	Tokens: session.Tokens{
		Access: secret.New("access-token-value"), Refresh: secret.New("refresh-token-value"), ID: secret.New("id-token-value"),
		AccessExpires: time.Date(2026, 11, 1, 12, 1, 0, 0, time.UTC), Scopes: []string{"openid", "orders"},
		RefreshExpires: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), Key: secret.New("private-key-value"),
	},
	AuthTime: time.Date(2026, 11, 1, 11, 59, 0, 0, time.UTC), ACR: "phr",
	Device: session.Device{UserAgent: "Browser/1.0", Address: "203.0.113.0/24"},
	Grants: []session.Grant{{
		Resource: "https://billing.example", Scopes: []string{"read", "pay"}, Access: secret.New("billing-token-value"),
		Since: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Expires: time.Date(2026, 11, 1, 12, 2, 0, 0, time.UTC),
	}, {Resource: "https://mail.example", Access: secret.New("mail-token-value")}},
	Refreshes: 3,
	Lease:     session.Lease{Holder: "somebody", Beat: 2, Until: time.Date(2026, 11, 1, 12, 0, 5, 0, time.UTC)},
}

var byValue = cmp.Options{
	cmp.Comparer(func(a, b secret.String) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
}

func TestASessionIsLoadedAsItWasCreated(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	want := alice
	want.Created, want.LastSeen, want.Renewed, want.Deadline = h.now, h.now, h.now, h.now.Add(12*time.Hour)
	got, err := h.Load(t.Context(), ticket)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
}

func TestASessionEndsInTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		live   func(*house, session.Ticket)
		passed time.Duration
		alive  bool
	}{
		{"just before the idle timeout", nil, 30*time.Minute - time.Millisecond, true},
		{"at the idle timeout", nil, 30 * time.Minute, false},
		{"touched every 20 minutes, before the absolute timeout", touchEvery(20*time.Minute, 35), 19 * time.Minute, true},
		{"touched every 20 minutes, at the absolute timeout", touchEvery(20*time.Minute, 35), 20 * time.Minute, false},
		{"retired, within its grace", retire, 29 * time.Second, true},
		{"retired, after its grace", retire, 30 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, session.EphemeralKeyRing())
			ticket, err := h.Create(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			if c.live != nil {
				c.live(h, ticket)
			}
			h.now = h.now.Add(c.passed)
			_, err = h.Load(t.Context(), ticket)
			if c.alive && err != nil {
				t.Errorf("Load = %v", err)
			}
			if !c.alive && !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Load = %v, want ErrNotFound", err)
			}
		})
	}
}

func touchEvery(d time.Duration, times int) func(*house, session.Ticket) {
	return func(h *house, ticket session.Ticket) {
		for range times {
			h.now = h.now.Add(d)
			s, err := h.Load(context.Background(), ticket)
			if err == nil {
				err = h.Touch(context.Background(), ticket, &s)
			}
			if err != nil {
				panic(err)
			}
		}
	}
}

func retire(h *house, ticket session.Ticket) {
	if err := h.Retire(context.Background(), ticket, 30*time.Second); err != nil {
		panic(err)
	}
}

func TestMostTouchesWriteNothing(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := h.store.Get(t.Context(), ticket.ID())
	touchEvery(time.Second, 89)(h, ticket) // a twentieth of 30 minutes
	if after, _ := h.store.Get(t.Context(), ticket.ID()); after.Version != before.Version {
		t.Error("a touch within the grain was written")
	}
	touchEvery(time.Second, 1)(h, ticket)
	if after, _ := h.store.Get(t.Context(), ticket.ID()); after.Version == before.Version {
		t.Error("a touch after the grain was not written")
	}
}

func TestTheStoreAloneOpensNothing(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.store.Get(t.Context(), ticket.ID())
	if err != nil {
		t.Fatal(err)
	}
	dump := append(append([]byte{}, r.Data...), r.ID[:]...)
	for _, key := range r.Keys {
		dump = append(dump, key[:]...)
	}
	for _, text := range []string{
		ticket.Reveal(), alice.Subject, alice.SID, alice.Issuer, "access-token-value", "refresh-token-value", "id-token-value", "orders",
	} {
		if bytes.Contains(dump, []byte(text)) {
			t.Errorf("the record shows %q", text)
		}
	}
}

func TestHalfAKeyOpensNothing(t *testing.T) {
	h := newHouse(t, ring(t, key("a")))
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := h.store.Get(t.Context(), ticket.ID())

	t.Run("the ticket without the ring", func(t *testing.T) {
		wantGone(t, h.manager(t, ring(t, key("b"))), ticket)
		forged := key("b")
		forged.ID = "a"
		wantGone(t, h.manager(t, ring(t, forged)), ticket)
	})
	t.Run("the ring with another ticket", func(t *testing.T) {
		other := session.NewTicket()
		moved := r
		moved.ID = other.ID()
		if _, err := h.store.Create(t.Context(), moved); err != nil {
			t.Fatal(err)
		}
		wantGone(t, h.Manager, other)
	})
	t.Run("any bit flipped, any byte cut off", func(t *testing.T) {
		for i := range r.Data {
			changed := r
			changed.Data = bytes.Clone(r.Data)
			changed.Data[i] ^= 1 << (i % 8)
			r.Version = put(t, h, changed)
			wantGone(t, h.Manager, ticket)
			changed.Data, changed.Version = r.Data[:i], r.Version
			r.Version = put(t, h, changed)
			wantGone(t, h.Manager, ticket)
		}
		r.Version = put(t, h, r)
		if _, err := h.Load(t.Context(), ticket); err != nil {
			t.Errorf("put back as it was: %v", err)
		}
	})
}

func put(t *testing.T, h *house, r session.Record) session.Version {
	t.Helper()
	version, err := h.store.Update(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestTheSealedTimesDecideNotTheStores(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := h.store.Get(t.Context(), ticket.ID())
	r.Expires = h.now.AddDate(10, 0, 0)
	put(t, h, r)
	h.now = h.now.Add(31 * time.Minute)
	wantGone(t, h.Manager, ticket)
}

func TestAKeyRotationSignsNobodyOut(t *testing.T) {
	h := newHouse(t, ring(t, key("old")))
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	both := ring(t, key("new"), key("old"))
	rotated := h.manager(t, both)
	if _, err := rotated.Load(t.Context(), ticket); err != nil {
		t.Fatalf("under the new ring: %v", err)
	}
	if found := findAll(t, h.store, both.SubjectKeys(alice.Issuer, alice.Subject)); found != 1 {
		t.Errorf("the subject's sessions: %d, want 1", found)
	}
	// The next write seals with the new key; then the old one may go.
	if _, err := rotated.Update(t.Context(), ticket, func(s *session.Session) error { s.Refreshes++; return nil }); err != nil {
		t.Fatal(err)
	}
	last := ring(t, key("new"))
	if _, err := h.manager(t, last).Load(t.Context(), ticket); err != nil {
		t.Errorf("without the old key: %v", err)
	}
	if found := findAll(t, h.store, last.SIDKeys(alice.Issuer, alice.SID)); found != 1 {
		t.Errorf("the provider session's sessions: %d, want 1", found)
	}
}

func TestAKeyRingIsReplacedWhileItIsInUse(t *testing.T) {
	keys := ring(t, key("old"))
	h := newHouse(t, keys)
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Replace([]session.RingKey{key("new"), key("old")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load(t.Context(), ticket); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	if err := keys.Replace([]session.RingKey{{ID: "weak", Secret: secret.New("x")}}); err == nil {
		t.Error("a weak ring was accepted")
	}
	if _, err := h.Load(t.Context(), ticket); err != nil {
		t.Errorf("after a refused rotation: %v", err)
	}
	// Written once more, the session needs the old key no longer.
	if _, err := h.Update(t.Context(), ticket, func(s *session.Session) error { s.Refreshes++; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := keys.Replace([]session.RingKey{key("new")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load(t.Context(), ticket); err != nil {
		t.Errorf("without the old key: %v", err)
	}
}

func findAll(t *testing.T, store session.Finder, keys []session.Key) (n int) {
	t.Helper()
	for _, key := range keys {
		records, err := store.Find(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		n += len(records)
	}
	return n
}

func TestUpdatesAtOnceAreAllKept(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := h.Update(t.Context(), ticket, func(s *session.Session) error { s.Refreshes++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s, _ := h.Load(t.Context(), ticket); s.Refreshes != alice.Refreshes+8 {
		t.Errorf("%d refreshes, want %d", s.Refreshes, alice.Refreshes+8)
	}
}

// busyStore refuses every write for a while, as one of several copies does that
// still hands on another's.
type busyStore struct {
	*memory.Store
	until time.Time
}

func (b busyStore) Update(ctx context.Context, r session.Record) (session.Version, error) {
	if time.Now().Before(b.until) {
		return 0, session.ErrConflict
	}
	return b.Store.Update(ctx, r)
}

func TestAnUpdateWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := session.EphemeralKeyRing()
		h := newHouse(t, keys)
		ticket, err := h.Create(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		busy, err := session.New(busyStore{h.store, time.Now().Add(200 * time.Millisecond)}, session.Config{
			Keys: keys, Lifetimes: h.Lifetimes(), Now: func() time.Time { return h.now },
		})
		if err != nil {
			t.Fatal(err)
		}
		change := func(s *session.Session) error { s.Refreshes++; return nil }
		hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := busy.Update(hurried, ticket, change); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Update for a caller that leaves = %v", err)
		}
		if s, err := busy.Update(t.Context(), ticket, change); err != nil || s.Refreshes != alice.Refreshes+1 {
			t.Errorf("Update = %d, %v", s.Refreshes, err)
		}
	})
}

func TestLogoutWinsOverAnUpdateInFlight(t *testing.T) {
	h := newHouse(t, session.EphemeralKeyRing())
	ticket, err := h.Create(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Update(t.Context(), ticket, func(s *session.Session) error {
		s.Refreshes++
		return h.Delete(t.Context(), ticket) // the user signs out between our read and our write
	})
	if !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update = %v, want ErrNotFound", err)
	}
	wantGone(t, h.Manager, ticket)
}

func TestAStoreThatFailsIsNotASignOut(t *testing.T) {
	down := errors.New("connection refused")
	m, err := session.New(brokenStore{down}, session.Config{
		Keys: session.EphemeralKeyRing(), Lifetimes: session.Lifetimes{Idle: time.Minute, Absolute: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket := session.NewTicket()
	_, loadErr := m.Load(t.Context(), ticket)
	_, updateErr := m.Update(t.Context(), ticket, func(*session.Session) error { return nil })
	_, createErr := m.Create(t.Context(), alice)
	for what, err := range map[string]error{
		"Load": loadErr, "Update": updateErr, "Create": createErr,
		"Delete": m.Delete(t.Context(), ticket), "Retire": m.Retire(t.Context(), ticket, 0),
	} {
		if !errors.Is(err, down) || errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s = %v, want the store's failure", what, err)
		}
	}
}

type brokenStore struct{ err error }

func (b brokenStore) Create(context.Context, session.Record) (session.Version, error) {
	return 0, b.err
}
func (b brokenStore) Get(context.Context, session.ID) (session.Record, error) {
	return session.Record{}, b.err
}
func (b brokenStore) Update(context.Context, session.Record) (session.Version, error) {
	return 0, b.err
}
func (b brokenStore) Delete(context.Context, session.ID) error { return b.err }

func TestAKeyRingRefusesWeakKeys(t *testing.T) {
	for name, keys := range map[string][]session.RingKey{
		"no key":            nil,
		"a short secret":    {{ID: "a", Secret: secret.New(strings.Repeat("x", 31))}},
		"no id":             {{Secret: key("a").Secret}},
		"the same id twice": {key("a"), key("a")},
	} {
		if _, err := session.NewKeyRing(keys); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestDerivedKeysAreUnrelated(t *testing.T) {
	r := ring(t, key("a"), key("b"))
	login, other := r.Derive("login", 32), r.Derive("other", 32)
	if len(login) != 2 || bytes.Equal(login[0], login[1]) || bytes.Equal(login[0], other[0]) || len(login[0]) != 32 {
		t.Error("keys for two purposes, or of two keys, are the same")
	}
}

func wantGone(t *testing.T, m *session.Manager, ticket session.Ticket) {
	t.Helper()
	if _, err := m.Load(t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
}
