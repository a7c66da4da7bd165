package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest/servers"
)

// load signs users in and out while servers come and go, and remembers what
// the store acknowledged.
type load struct {
	t      *testing.T
	store  *redis.Store
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu            sync.Mutex
	live, deleted []session.Record
	acknowledged  int
	failures      int
}

const loadWorkers = 4

func startLoad(t *testing.T, s *redis.Store) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, store: s, cancel: cancel}
	for range loadWorkers {
		l.done.Go(func() {
			pause := time.NewTicker(time.Millisecond) // leaves the machine to the servers
			defer pause.Stop()
			for ctx.Err() == nil {
				l.session(ctx)
				<-pause.C
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// session creates two sessions, uses both and ends one.
func (l *load) session(ctx context.Context) {
	stays, goes := record(time.Hour), record(time.Hour)
	for _, r := range []*session.Record{&stays, &goes} {
		r.Data = r.Data[:100]
		var err error
		if r.Version, err = l.store.Create(ctx, *r); err != nil {
			l.failed("Create", err, *r)
			return
		}
		if _, err := l.store.Get(ctx, r.ID); err != nil {
			l.failed("Get", err, *r)
			return
		}
	}
	l.acknowledge(&l.live, stays)
	if err := l.store.Delete(ctx, goes.ID); err != nil {
		l.failed("Delete", err, goes)
		return
	}
	l.acknowledge(&l.deleted, goes)
}

func (l *load) acknowledge(kind *[]session.Record, r session.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*kind = append(*kind, r)
	l.acknowledged++
}

func (l *load) failed(what string, err error, r session.Record) {
	if l.t.Context().Err() == nil {
		wantFailure(l.t, what, err, r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
}

func (l *load) waitFor(n int) {
	l.t.Helper()
	l.wait("the load to get through", func() bool { return l.acknowledged >= n })
}

func (l *load) waitForFailure() {
	l.t.Helper()
	l.wait("the load to fail", func() bool { return l.failures > 0 })
}

func (l *load) wait(what string, reached func() bool) {
	l.t.Helper()
	servers.WaitFor(l.t, what, func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !reached() {
			return fmt.Errorf("%d acknowledged, %d failed", l.acknowledged, l.failures)
		}
		return nil
	})
}

func (l *load) end() {
	l.cancel()
	l.done.Wait()
}

// check compares what the store holds with what it acknowledged.
func (l *load) check() {
	l.t.Helper()
	lost, revived := 0, 0
	for _, r := range l.live {
		if _, err := l.store.Get(l.t.Context(), r.ID); errors.Is(err, session.ErrNotFound) {
			lost++
		} else if err != nil {
			l.t.Errorf("Get = %v", err)
		}
	}
	for _, r := range l.deleted {
		if _, err := l.store.Get(l.t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
			revived++
		}
		if found, err := l.store.Find(l.t.Context(), r.Keys[0]); err != nil || len(found) != 0 {
			l.t.Errorf("Find of a deleted session = %d records, %v", len(found), err)
		}
	}
	l.t.Logf("%d sessions live, %d deleted, %d calls failed meanwhile", len(l.live), len(l.deleted), l.failures)
	if lost+revived > 0 {
		l.t.Errorf("%d acknowledged sessions are lost, %d deleted ones are back", lost, revived)
	}
}

// some returns one of the sessions that live.
func (l *load) some() session.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live[0]
}

// deleteOne deletes one of the sessions that live. If that fails, nobody knows
// what became of it.
func (l *load) deleteOne() {
	l.mu.Lock()
	r := l.live[len(l.live)-1]
	l.live = l.live[:len(l.live)-1]
	l.mu.Unlock()
	if err := l.store.Delete(l.t.Context(), r.ID); err != nil {
		l.failed("Delete", err, r)
		return
	}
	l.acknowledge(&l.deleted, r)
}
