package nats_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/storetest/servers"
)

type finderStore interface {
	session.Store
	session.Finder
}

// load signs users in and out on every store while servers come and go, and
// remembers what was acknowledged.
type load struct {
	t      *testing.T
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu            sync.Mutex
	live, deleted []session.Record
	failures      int
	slowest       time.Duration
}

func startLoad(t *testing.T, stores ...finderStore) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, cancel: cancel}
	for _, s := range stores {
		l.done.Go(func() {
			pause := time.NewTicker(2 * time.Millisecond) // leaves the machine to the servers
			defer pause.Stop()
			for ctx.Err() == nil {
				l.session(ctx, s)
				<-pause.C
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// session creates two sessions, changes one and ends the other while updates
// of it are under way.
func (l *load) session(ctx context.Context, s finderStore) {
	stays, goes := record(time.Hour), record(time.Hour)
	for _, r := range []*session.Record{&stays, &goes} {
		r.Data = r.Data[:100]
		var err error
		began := time.Now()
		r.Version, err = s.Create(ctx, *r)
		if !l.went("Create", began, err, *r) {
			return
		}
	}
	stays.Data = []byte("changed")
	began := time.Now()
	version, err := s.Update(ctx, stays)
	if l.went("Update", began, err, stays) {
		stays.Version = version
		l.keep(&l.live, stays)
	} // else it holds the one or the other

	var updates sync.WaitGroup
	updates.Go(func() { _, _ = s.Update(ctx, goes) })
	began = time.Now()
	err = s.Delete(ctx, goes.ID)
	updates.Wait()
	if l.went("Delete", began, err, goes) {
		l.keep(&l.deleted, goes)
	}
}

func (l *load) keep(kind *[]session.Record, r session.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*kind = append(*kind, r)
}

// went notes how a call went; a failure must be a clean one.
func (l *load) went(what string, began time.Time, err error, r session.Record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, time.Since(began))
	if err == nil {
		return true
	}
	if l.t.Context().Err() == nil && !errors.Is(err, context.Canceled) {
		wantFailure(l.t, what, err, r)
	}
	l.failures++
	return false
}

// waitFor returns once n more sessions were kept and ended.
func (l *load) waitFor(n int) {
	l.t.Helper()
	l.mu.Lock()
	live, deleted := len(l.live)+n, len(l.deleted)+n
	l.mu.Unlock()
	servers.WaitFor(l.t, "the load to get through", func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.live) < live || len(l.deleted) < deleted {
			return fmt.Errorf("%d live, %d deleted, %d failed", len(l.live), len(l.deleted), l.failures)
		}
		return nil
	})
}

func (l *load) end() {
	l.cancel()
	l.done.Wait()
}

// check compares what s holds with what was acknowledged.
func (l *load) check(s finderStore) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	lost, revived := 0, 0
	for _, r := range l.live {
		got, err := s.Get(l.t.Context(), r.ID)
		if err != nil || got.Version != r.Version || !slices.Equal(got.Data, r.Data) {
			l.t.Logf("Get of a session kept at %d = version %d, %v", r.Version, got.Version, err)
			lost++
		}
	}
	for _, r := range l.deleted {
		if _, err := s.Get(l.t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
			revived++
		}
		if found, err := s.Find(l.t.Context(), r.Keys[0]); err != nil || len(found) != 0 {
			l.t.Errorf("Find of a deleted session = %d records, %v", len(found), err)
		}
	}
	l.t.Logf("%d sessions live, %d deleted, %d calls failed, the slowest took %v", len(l.live), len(l.deleted), l.failures, l.slowest)
	if lost+revived > 0 {
		l.t.Errorf("%d acknowledged sessions are lost or changed, %d deleted ones are back", lost, revived)
	}
}
