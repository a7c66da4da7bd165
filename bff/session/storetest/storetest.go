package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/session"
)

// Backend is a kind of store under test.
type Backend struct {
	// Open returns an empty store, closed again by t.Cleanup.
	Open func(t *testing.T) session.Store
	// Now is the store's clock; nil means time.Now.
	Now func() time.Time
	// Pass lets d go by on the store's clock; nil waits for real.
	Pass func(d time.Duration)
}

// rule is one line of the contract.
type rule struct {
	name, why string
	run       func(t *testing.T, b Backend, s session.Store)
}

// Run checks every rule, each on a store of its own.
func Run(t *testing.T, b Backend) { runRules(t, b, contract) }

func runRules(t *testing.T, b Backend, rules []rule) {
	if b.Now == nil {
		b.Now = time.Now
	}
	if b.Pass == nil {
		b.Pass = func(d time.Duration) { <-time.After(d) }
	}
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			explain(t, rule.name, rule.why)
			rule.run(t, b, b.Open(t))
		})
	}
}

var contract = []rule{
	{"what was created is read back whole", "the session is in it", func(t *testing.T, b Backend, s session.Store) {
		want := b.record(time.Hour)
		want.Version = mustCreate(t, s, want)
		same(t, mustGet(t, s, want.ID), want)
	}},
	{"data of every size and every byte comes back", "sealed data is binary, and tokens grow", func(t *testing.T, b Backend, s session.Store) {
		for _, size := range []int{0, 1, 255, 256, 4096, 64 << 10} {
			want := b.record(time.Hour)
			want.Data = make([]byte, size)
			for i := range want.Data {
				want.Data[i] = byte(i)
			}
			want.Version = mustCreate(t, s, want)
			same(t, mustGet(t, s, want.ID), want)
		}
	}},
	{"the unknown is ErrNotFound", "a guess must look like any other stale ticket", func(t *testing.T, b Backend, s session.Store) {
		mustCreate(t, s, b.record(time.Hour))
		_, err := s.Get(t.Context(), newID())
		wantErr(t, "Get", err, session.ErrNotFound)
		_, err = s.Get(t.Context(), session.ID{})
		wantErr(t, "Get of the zero ID", err, session.ErrNotFound)
	}},
	{"the expired is ErrNotFound, to read and to update", "an expired session must look like an unknown one and must not be prolonged", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Second)
		r.Version = mustCreate(t, s, r)
		b.Pass(2 * time.Second)
		_, err := s.Get(t.Context(), r.ID)
		wantErr(t, "Get", err, session.ErrNotFound)
		r.Expires = b.Now().Add(time.Hour)
		_, err = s.Update(t.Context(), r)
		wantErr(t, "Update", err, session.ErrNotFound)
		_, err = s.Get(t.Context(), r.ID)
		wantErr(t, "Get after the update", err, session.ErrNotFound)
		if got := find(t, s, r.Keys[0]); len(got) != 0 {
			t.Errorf("Find returns the expired record")
		}
	}},
	{"an update moves the expiry", "idle time slides", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(2 * time.Second)
		r.Version = mustCreate(t, s, r)
		r.Expires = b.Now().Add(time.Hour)
		mustUpdate(t, s, r)
		b.Pass(3 * time.Second)
		mustGet(t, s, r.ID)
	}},
	{"creating what exists is ErrExists and changes nothing", "an ID is drawn once; a second owner would read the first one's session", func(t *testing.T, b Backend, s session.Store) {
		first := b.record(time.Hour)
		first.Version = mustCreate(t, s, first)
		second := b.record(time.Hour)
		second.ID = first.ID
		_, err := s.Create(t.Context(), second)
		wantErr(t, "Create", err, session.ErrExists)
		same(t, mustGet(t, s, first.ID), first)
	}},
	{"an expired leftover does not block its ID", "what nobody can read must not be in anybody's way", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Second)
		mustCreate(t, s, r)
		b.Pass(2 * time.Second)
		again := b.record(time.Hour)
		again.ID = r.ID
		again.Version = mustCreate(t, s, again)
		same(t, mustGet(t, s, r.ID), again)
		if got := find(t, s, r.Keys[0]); len(got) != 0 {
			t.Errorf("Find under a key of the leftover returns %d records", len(got))
		}
	}},
	{"an update replaces everything and gives a new version", "the next writer must see that it is late", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Version = mustCreate(t, s, r)
		next := b.record(2 * time.Hour)
		next.ID, next.Version = r.ID, r.Version
		version := mustUpdate(t, s, next)
		if version == r.Version || version == 0 {
			t.Errorf("Update returned version %d after %d", version, r.Version)
		}
		next.Version = version
		same(t, mustGet(t, s, r.ID), next)
		if got := find(t, s, r.Keys[0]); len(got) != 0 {
			t.Errorf("Find under a key the record lost returns %d records", len(got))
		}
		if got := find(t, s, next.Keys[0]); len(got) != 1 {
			t.Errorf("Find under a key the record gained returns %d records", len(got))
		}
	}},
	{"an update of an old version is ErrConflict and changes nothing", "a late writer would put back tokens that were rotated away", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Version = mustCreate(t, s, r)
		late := r
		r.Data = []byte("first")
		r.Version = mustUpdate(t, s, r)
		late.Data = []byte("late")
		_, err := s.Update(t.Context(), late)
		wantErr(t, "Update", err, session.ErrConflict)
		same(t, mustGet(t, s, r.ID), r)
	}},
	{"an update of what never was is ErrNotFound and creates nothing", "an upsert would let a stranger make sessions", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Version = 1
		_, err := s.Update(t.Context(), r)
		wantErr(t, "Update", err, session.ErrNotFound)
		_, err = s.Get(t.Context(), r.ID)
		wantErr(t, "Get", err, session.ErrNotFound)
	}},
	{"an update after a delete is ErrNotFound and revives nothing", "a request in flight at logout would sign the user in again", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Version = mustCreate(t, s, r)
		mustDelete(t, s, r.ID)
		for range 2 {
			_, err := s.Update(t.Context(), r)
			wantErr(t, "Update", err, session.ErrNotFound)
		}
		_, err := s.Get(t.Context(), r.ID)
		wantErr(t, "Get", err, session.ErrNotFound)
		if got := find(t, s, r.Keys[0]); len(got) != 0 {
			t.Errorf("Find returns the deleted record")
		}
	}},
	{"deleting twice, or the unknown, is no error", "logout must be possible to repeat", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		mustCreate(t, s, r)
		mustDelete(t, s, r.ID)
		mustDelete(t, s, r.ID)
		mustDelete(t, s, newID())
	}},
	{"deleting one leaves the others", "a sign-out is one user's", func(t *testing.T, b Backend, s session.Store) {
		a, c := b.record(time.Hour), b.record(time.Hour)
		c.Keys = a.Keys
		mustCreate(t, s, a)
		c.Version = mustCreate(t, s, c)
		mustDelete(t, s, a.ID)
		same(t, mustGet(t, s, c.ID), c)
		if got := find(t, s, c.Keys[0]); len(got) != 1 || got[0].ID != c.ID {
			t.Errorf("Find returns %d records, want the one left", len(got))
		}
	}},
	{"a caller cannot change what the store holds", "a shared slice would leak one request's change into another's session", func(t *testing.T, b Backend, s session.Store) {
		want := b.record(time.Hour)
		given := clone(want)
		want.Version = mustCreate(t, s, given)
		scribble(given)
		got := mustGet(t, s, want.ID)
		same(t, got, want)
		scribble(got)
		for _, r := range find(t, s, want.Keys[0]) {
			scribble(r)
		}
		same(t, mustGet(t, s, want.ID), want)

		given = clone(want)
		want.Version = mustUpdate(t, s, given)
		scribble(given)
		same(t, mustGet(t, s, want.ID), want)
	}},
	{"records are found by each of their keys", "back-channel logout names a subject or a provider session, not a ticket", func(t *testing.T, b Backend, s session.Store) {
		shared := newKey()
		want := map[session.ID]bool{}
		for range 5 {
			r := b.record(time.Hour)
			r.Keys = []session.Key{shared, newKey()}
			r.Version = mustCreate(t, s, r)
			want[r.ID] = true
			if got := find(t, s, r.Keys[1]); len(got) != 1 {
				t.Errorf("Find by its own key returns %d records, want 1", len(got))
			} else {
				same(t, got[0], r)
			}
		}
		other := b.record(time.Hour)
		mustCreate(t, s, other)
		got := map[session.ID]bool{}
		for _, r := range find(t, s, shared) {
			got[r.ID] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Find (-want +got):\n%s", diff)
		}
		if got := find(t, s, newKey()); len(got) != 0 {
			t.Errorf("Find by an unknown key returns %d records", len(got))
		}
	}},
	{"a record may have no keys", "a provider may give no session ID", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Keys = nil
		r.Version = mustCreate(t, s, r)
		same(t, mustGet(t, s, r.ID), r)
	}},
	{"a call with an ended context fails and changes nothing", "a caller that left must not be half served", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Version = mustCreate(t, s, r)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		late := r
		late.Data = []byte("late")
		if _, err := s.Update(ctx, late); err == nil || errors.Is(err, session.ErrNotFound) {
			t.Errorf("Update = %v, want a failure of the call", err)
		}
		if _, err := s.Get(ctx, r.ID); err == nil || errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get = %v, want a failure of the call: the caller would be taken for signed out", err)
		}
		if err := s.Delete(ctx, r.ID); err == nil {
			t.Error("Delete succeeded")
		}
		same(t, mustGet(t, s, r.ID), r)
	}},
}

// record returns a new record that lives for d.
func (b Backend) record(d time.Duration) session.Record {
	return session.Record{
		ID: newID(), Keys: []session.Key{newKey(), newKey()}, Data: randomData(64),
		Expires: b.Now().Add(d).Truncate(time.Second),
	}
}

func randomData(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.Read(data)
	return data
}

func newID() (id session.ID) {
	_, _ = rand.Read(id[:])
	return id
}

func newKey() (key session.Key) {
	_, _ = rand.Read(key[:])
	return key
}

func clone(r session.Record) session.Record {
	r.Keys = append([]session.Key(nil), r.Keys...)
	r.Data = append([]byte(nil), r.Data...)
	return r
}

func scribble(r session.Record) {
	for i := range r.Data {
		r.Data[i] ^= 0xff
	}
	for i := range r.Keys {
		r.Keys[i] = session.Key{}
	}
}

// same compares what must survive a store. Expires is to the second, which is
// as fine as some stores keep time.
func same(t *testing.T, got, want session.Record) {
	t.Helper()
	if d := got.Expires.Sub(want.Expires); d < -time.Second || d > time.Second {
		t.Errorf("Expires is off by %v", d)
	}
	got.Expires, want.Expires = time.Time{}, time.Time{}
	if len(got.Data) == 0 && len(want.Data) == 0 {
		got.Data, want.Data = nil, nil
	}
	if len(got.Keys) == 0 && len(want.Keys) == 0 {
		got.Keys, want.Keys = nil, nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func mustCreate(t *testing.T, s session.Store, r session.Record) session.Version {
	t.Helper()
	version, err := s.Create(t.Context(), r)
	if err != nil || version == 0 {
		t.Fatalf("Create = %d, %v", version, err)
	}
	return version
}

func mustGet(t *testing.T, s session.Store, id session.ID) session.Record {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get = %v", err)
	}
	return r
}

func mustUpdate(t *testing.T, s session.Store, r session.Record) session.Version {
	t.Helper()
	version, err := s.Update(t.Context(), r)
	if err != nil {
		t.Fatalf("Update = %v", err)
	}
	return version
}

func mustDelete(t *testing.T, s session.Store, id session.ID) {
	t.Helper()
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatalf("Delete = %v", err)
	}
}

func find(t *testing.T, s session.Store, key session.Key) []session.Record {
	t.Helper()
	finder, ok := s.(session.Finder)
	if !ok {
		t.Fatalf("%T is no session.Finder", s)
	}
	records, err := finder.Find(t.Context(), key)
	if err != nil {
		t.Fatalf("Find = %v", err)
	}
	return records
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
