package storetest

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/session"
)

// RunConcurrent checks the rules that only show when many write at once. It is
// meant to run under the race detector.
func RunConcurrent(t *testing.T, b Backend) { runRules(t, b, concurrent) }

const (
	writers = 16
	rounds  = 25
)

var concurrent = []rule{
	{"no update is lost", "of two refreshes one would win and the other's token be forgotten", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Data = binary.BigEndian.AppendUint64(nil, 0)
		mustCreate(t, s, r)
		var succeeded atomic.Uint64
		together(writers, func(int) {
			for range rounds {
				r, err := s.Get(t.Context(), r.ID)
				if err != nil {
					t.Errorf("Get = %v", err)
					return
				}
				r.Data = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(r.Data)+1)
				switch _, err := s.Update(t.Context(), r); {
				case err == nil:
					succeeded.Add(1)
				case !errors.Is(err, session.ErrConflict):
					t.Errorf("Update = %v", err)
				}
			}
		})
		got := binary.BigEndian.Uint64(mustGet(t, s, r.ID).Data)
		if got != succeeded.Load() || got == 0 {
			t.Errorf("the counter is %d after %d successful updates", got, succeeded.Load())
		}
	}},
	{"of many creations of one ID exactly one succeeds", "two users would share a session", func(t *testing.T, b Backend, s session.Store) {
		for range rounds {
			r := b.record(time.Hour)
			var created atomic.Int64
			together(writers, func(int) {
				switch _, err := s.Create(t.Context(), r); {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, session.ErrExists):
					t.Errorf("Create = %v", err)
				}
			})
			if n := created.Load(); n != 1 {
				t.Errorf("%d of %d creations succeeded", n, writers)
			}
		}
	}},
	{"a delete beats every update in flight", "logout must win: nothing in flight may bring the session back", func(t *testing.T, b Backend, s session.Store) {
		for range rounds {
			r := b.record(time.Hour)
			r.Version = mustCreate(t, s, r)
			together(writers, func(i int) {
				if i == writers/2 {
					if err := s.Delete(t.Context(), r.ID); err != nil {
						t.Errorf("Delete = %v", err)
					}
					return
				}
				for {
					current, err := s.Get(t.Context(), r.ID)
					if err == nil {
						_, err = s.Update(t.Context(), current)
					}
					if errors.Is(err, session.ErrNotFound) {
						return // and it must stay so: checked below
					}
					if err != nil && !errors.Is(err, session.ErrConflict) {
						t.Errorf("Get or Update = %v", err)
						return
					}
				}
			})
			_, err := s.Get(t.Context(), r.ID)
			wantErr(t, "Get after the delete", err, session.ErrNotFound)
			if got := find(t, s, r.Keys[0]); len(got) != 0 {
				t.Errorf("Find returns %d records after the delete", len(got))
			}
		}
	}},
	{"a reader sees one write or the other, never a mix", "half a session has the wrong user's token", func(t *testing.T, b Backend, s session.Store) {
		r := b.record(time.Hour)
		r.Data = make([]byte, 8<<10)
		mustCreate(t, s, r)
		together(4, func(i int) {
			for n := range rounds * 4 {
				current, err := s.Get(t.Context(), r.ID)
				if err != nil {
					t.Errorf("Get = %v", err)
					return
				}
				for _, c := range current.Data {
					if c != current.Data[0] {
						t.Error("a record is torn")
						return
					}
				}
				for j := range current.Data {
					current.Data[j] = byte(n*4 + i)
				}
				if _, err := s.Update(t.Context(), current); err != nil && !errors.Is(err, session.ErrConflict) {
					t.Errorf("Update = %v", err)
				}
			}
		})
	}},
	{"the index holds exactly what lives", "a sign-out everywhere would miss a session", func(t *testing.T, b Backend, s session.Store) {
		key := newKey()
		var left sync.Map
		together(writers, func(i int) {
			for n := range rounds {
				r := b.record(time.Hour)
				r.Keys = []session.Key{key, newKey()}
				if _, err := s.Create(t.Context(), r); err != nil {
					t.Errorf("Create = %v", err)
					return
				}
				if (n+i)%2 == 0 {
					if err := s.Delete(t.Context(), r.ID); err != nil {
						t.Errorf("Delete = %v", err)
					}
				} else {
					left.Store(r.ID, true)
				}
			}
		})
		for _, r := range find(t, s, key) {
			if _, ok := left.LoadAndDelete(r.ID); !ok {
				t.Error("Find returns a deleted record")
			}
		}
		left.Range(func(_, _ any) bool {
			t.Error("Find misses a record")
			return true
		})
	}},
}

// together runs f n times at once and waits for all.
func together(n int, f func(i int)) {
	var started, done sync.WaitGroup
	started.Add(n)
	for i := range n {
		done.Go(func() {
			started.Done()
			started.Wait()
			f(i)
		})
	}
	done.Wait()
}
