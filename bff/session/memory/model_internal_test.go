package memory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/session"
)

// plain is the same store as a map: what the fast one is held to.
type plain struct {
	records map[session.ID]session.Record
	used    map[session.ID]int
	clock   int
}

func (p *plain) live(id session.ID, now time.Time) (session.Record, bool) {
	r, ok := p.records[id]
	if ok && !now.Before(r.Expires) {
		delete(p.records, id)
		return r, false
	}
	return r, ok
}

func (p *plain) use(id session.ID) { p.clock++; p.used[id] = p.clock }

// FuzzModel does what its bytes say to the store and to a plain map, and finds
// them alike after each step.
func FuzzModel(f *testing.F) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		steps := make([]byte, 4000)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(model)
}

func model(t *testing.T, steps []byte) {
	const bound = 200 << 10
	now := time.Unix(1_000_000, 0)
	s, err := New(Config{MaxBytes: bound, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	want := &plain{records: map[session.ID]session.Record{}, used: map[session.ID]int{}}
	ctx := context.Background()
	for len(steps) >= 4 {
		op, which, size, more := steps[0], steps[1], steps[2], steps[3]
		steps = steps[4:]
		var id session.ID
		binary.LittleEndian.PutUint64(id[:], uint64(which%64)*0x9e3779b97f4a7c15) // chains of every length
		if which%5 == 0 {
			id = session.ID{31: which} // all in one bucket
		}
		r := session.Record{ID: id, Expires: now.Add(time.Duration(more%32) * time.Second), Data: bytes.Repeat([]byte{size}, int(size)*int(size)/2)}
		for k := range int(more) % (session.MaxKeys + 1) {
			r.Keys = append(r.Keys, session.Key{size % 8, byte(k)})
		}
		old, live := want.records[id]
		if op%8 < 5 {
			old, live = want.live(id, now) // what was looked for, and has expired, is gone
		}
		switch op % 8 {
		case 0, 1:
			version, err := s.Create(ctx, r)
			if (err == nil) == live {
				t.Fatalf("Create = %v of one that is there: %v", err, live)
			}
			if r.Version = version; err == nil {
				want.records[id] = r
				want.use(id)
			}
		case 2, 3:
			if r.Version = old.Version; size%4 == 0 {
				r.Version++
			}
			version, err := s.Update(ctx, r)
			if expected := live && r.Version == old.Version; (err == nil) != expected || !live && !errors.Is(err, session.ErrNotFound) {
				t.Fatalf("Update = %v, there %v", err, live)
			}
			if r.Version = version; err == nil {
				want.records[id] = r
				want.use(id)
			}
		case 4:
			got, err := s.GetUnless(ctx, id, session.MarkOf(old.Version, old.Data))
			if (err == nil) != live || live && (got.Data != nil || got.Version != old.Version || !got.Expires.Equal(old.Expires)) {
				t.Fatalf("GetUnless = %+v, %v, there %v", got, err, live)
			}
			if live {
				want.use(id)
			}
		case 5:
			if err := s.Delete(ctx, id); err != nil {
				t.Fatal(err)
			}
			delete(want.records, id)
		case 6:
			now = now.Add(time.Duration(size%4) * time.Second)
			if more%4 == 0 {
				s.sweep()
				for id := range want.records {
					want.live(id, now)
				}
			}
		case 7:
			key := session.Key{size % 8, more % (session.MaxKeys + 1)}
			found, err := s.Find(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			mustBeSame(t, found, want.under(key, now))
		}
		want.evict(s, bound)
		check(t, s, want)
	}
	for id := range maps.Clone(want.records) {
		if err := s.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		delete(want.records, id)
	}
	now = now.Add(time.Hour)
	s.sweep()
	if s.bytes != 0 || s.byKey.count != 0 || s.byID.count != 0 || len(s.entries.chunks) != 0 || len(s.keys.chunks) != 0 || s.byID.n > 8 || s.slabs.region.lent() != 2 {
		t.Fatalf("something is left: %d bytes, %d keys, %d buckets, %d slabs", s.bytes, s.byKey.count, s.byID.n, s.slabs.region.lent())
	}
}

// TestBlocksLeaveRoomForTheTables: however badly sessions of all sizes lie, as many
// as the bound lets in have their entries.
func TestBlocksLeaveRoomForTheTables(t *testing.T) {
	const bound = 1 << 20
	s, err := New(Config{MaxBytes: bound})
	if err != nil {
		t.Fatal(err)
	}
	for n, ok := 0, true; ok; n++ {
		_, _, ok = s.slabs.alloc(1, n*step%(slabSize-step))
	}
	for range bound/overhead + 1 {
		s.byID.add(s.entries.take())
	}
	for range bound/keyCost + 2*session.MaxKeys {
		s.byKey.add(s.keys.take())
	}
}

func (p *plain) under(key session.Key, now time.Time) (found []session.Record) {
	for _, r := range p.records {
		for _, k := range r.Keys {
			if k == key && now.Before(r.Expires) {
				found = append(found, r)
			}
		}
	}
	return found
}

// evict removes what the store had to: it must have been the longest idle.
func (p *plain) evict(s *Store, bound int64) {
	cost := func(r session.Record) int64 { c, _ := costOf(len(r.Data), len(r.Keys)); return c }
	var sum int64
	for _, r := range p.records {
		sum += cost(r)
	}
	for sum > bound {
		var oldest session.ID
		first := true
		for id := range p.records {
			if first || p.used[id] < p.used[oldest] {
				oldest, first = id, false
			}
		}
		sum -= cost(p.records[oldest])
		delete(p.records, oldest)
	}
}

// check looks behind the store's door: a Get would change who was used last.
func check(t *testing.T, s *Store, want *plain) {
	t.Helper()
	if int(s.byID.count) != len(want.records) || s.bytes < 0 {
		t.Fatalf("%d sessions of %d bytes, want %d", s.byID.count, s.bytes, len(want.records))
	}
	for id, r := range want.records {
		n := s.find(id)
		if n == 0 {
			t.Fatalf("%v is gone", id)
		}
		mustBeSame(t, []session.Record{s.read(n)}, []session.Record{r})
	}
	n := 0
	for e := s.oldest; e != 0; e = s.entries.at(e).newer {
		if newer := s.entries.at(e).newer; newer != 0 && want.used[s.entries.at(e).id] > want.used[s.entries.at(newer).id] {
			t.Fatal("the order of use is wrong")
		}
		n++
	}
	if n != len(want.records) {
		t.Fatalf("%d in the list of %d", n, len(want.records))
	}
}

func mustBeSame(t *testing.T, got, want []session.Record) {
	t.Helper()
	order := func(a, b session.Record) int { return cmp.Compare(a.Version, b.Version) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].ID != want[i].ID || got[i].Version != want[i].Version || !got[i].Expires.Equal(want[i].Expires) ||
			!bytes.Equal(got[i].Data, want[i].Data) || !slices.Equal(got[i].Keys, want[i].Keys) {
			t.Fatalf("got %+v, want %+v", got[i], want[i])
		}
	}
}
