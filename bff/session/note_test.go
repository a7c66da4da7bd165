package session_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/nearcache"
)

// slowAnswer holds its first answer back until it may go.
type slowAnswer struct {
	*memory.Store
	asked atomic.Int64
	goOn  chan struct{}
}

func (s *slowAnswer) Get(ctx context.Context, id session.ID) (session.Record, error) {
	r, err := s.Store.Get(ctx, id)
	if s.asked.Add(1) == 1 {
		<-s.goOn
	}
	return r, err
}

// Who asks whether a fact was noted must not be given the answer to a question
// from before the note: a sign-in would go by the sign-out that the note is of.
func TestANoteIsSeenByWhoeverAsksAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, err := memory.New(memory.Config{})
		if err != nil {
			t.Fatal(err)
		}
		slow := &slowAnswer{Store: kept, goOn: make(chan struct{})}
		near, err := nearcache.New(slow, nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ring := session.EphemeralKeyRing()
		open := func(store session.Store) *session.Manager {
			m, err := session.New(store, session.Config{Keys: ring, Lifetimes: session.Lifetimes{Idle: time.Minute, Absolute: time.Hour}})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		here, there := open(near), open(kept)
		var both sync.WaitGroup
		both.Go(func() {
			if known, err := here.Noted(t.Context(), "a fact"); known || err != nil {
				t.Errorf("before the note: %v, %v", known, err)
			}
		})
		synctest.Wait()
		if first, err := there.Note(t.Context(), time.Now().Add(time.Minute), "a fact"); !first || err != nil {
			t.Fatalf("%v, %v", first, err)
		}
		both.Go(func() {
			if known, err := here.Noted(t.Context(), "a fact"); !known || err != nil {
				t.Errorf("after the note: %v, %v", known, err)
			}
		})
		synctest.Wait()
		close(slow.goOn)
		both.Wait()
	})
}
