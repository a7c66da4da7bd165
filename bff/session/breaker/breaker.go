// Package breaker stands before a store that may be down, so that one that is
// costs its callers nothing but a quick refusal, and is not stampeded when it
// comes back.
//
// It owns whether the store is down, as callers feel it. An answer proves that it
// is not, whoever gets it: of a store in parts, such as the shards of a Redis
// Cluster, one may fail, and must not take the others along.
//
//	closed     every call goes through
//	  -> open  ten calls in a row failed, and nobody was answered for 1.5 s
//	open       every call is refused at once
//	  -> half  after a pause of 1 to 1.5 s
//	half open  one call tries, the others are refused
//	  -> closed by an answer, open by a failure
//
// A run of failures says too little alone: calls that wait on one connection fail
// together, hundreds at once, however well the other parts are. Nor would a share
// of the last calls say more. Time does: a store with any part left answers
// somebody within a second.
//
// A store that answers a few is not down, and those who get none of it wait for
// its own timeout. It measures each call for whoever counts. It never retries and
// never answers for the store: "not found" is an answer, "down" is not.
package breaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sony/gobreaker/v2"

	"cloakroom/bff/session"
)

// Backend is the store behind the breaker.
type Backend interface {
	session.Store
	session.Finder
}

// Config of a Store. The zero value is usable.
type Config struct {
	// Failures in a row that open the breaker, if they come with a silence; 0 means
	// 10. Where calls are few, a silence is nothing strange, and a part of two that
	// is lost makes five in a row by chance, one time in 32; ten, one in 1,024.
	Failures uint32
	// Silence is how long nobody must have been answered; 0 means 1.5 s. That is
	// longer than a Redis Cluster takes to elect a primary, when all its shards
	// refuse, and shorter than the stores' timeout of 2 s: of those who call a
	// store that hangs, only who came before the first of them gave up has to wait.
	Silence time.Duration
	// Pause before a call may try again; 0 means 1 s. Every breaker adds up to half
	// of it, so that instances do not come back at one moment.
	Pause time.Duration
	// Observe is told how every call ended: op is "create", "get", "update",
	// "delete" or "find"; outcome "ok", "failed" or "refused".
	Observe func(op, outcome string, took time.Duration)
}

// Store is a Backend behind a breaker.
type Store struct {
	backend Backend
	observe func(op, outcome string, took time.Duration)
	breaker *gobreaker.CircuitBreaker[any]
}

var (
	_ session.Store   = (*Store)(nil)
	_ session.Sparing = (*Store)(nil)
	_ session.Finder  = (*Store)(nil)
	_ session.Runner  = (*Store)(nil)
)

// New returns backend behind a breaker.
func New(backend Backend, c Config) (*Store, error) {
	if backend == nil {
		return nil, errors.New("breaker: no backend")
	}
	if c.Silence < 0 || c.Pause < 0 {
		return nil, errors.New("breaker: silence and pause must not be negative")
	}
	c.Failures = cmp.Or(c.Failures, 10)
	c.Silence = cmp.Or(c.Silence, 1500*time.Millisecond)
	c.Pause = cmp.Or(c.Pause, time.Second)
	if c.Observe == nil {
		c.Observe = func(string, string, time.Duration) {}
	}
	var heard time.Time // the last answer; gobreaker asks both functions under its lock
	return &Store{backend: backend, observe: c.Observe, breaker: gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     c.Pause + rand.N(c.Pause/2+1),
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return counts.ConsecutiveFailures >= c.Failures && time.Since(heard) >= c.Silence
		},
		IsSuccessful: func(err error) bool {
			if !answered(err) {
				return false
			}
			heard = time.Now()
			return true
		},
		IsExcluded: left,
	})}, nil
}

// left reports whether the caller did not wait: that says nothing of the store,
// neither that it works nor that it does not.
func left(err error) bool { return errors.Is(err, context.Canceled) }

// answered reports whether the store did its work.
func answered(err error) bool {
	for _, answer := range []error{
		nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrTooLarge,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// call runs f unless the breaker is open, and tells how it went.
func call[T any](s *Store, op string, f func() (T, error)) (T, error) {
	start := time.Now()
	value, err := s.breaker.Execute(func() (any, error) { return f() })
	outcome := "ok"
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		outcome = "refused"
	case !answered(err) && !left(err):
		outcome = "failed"
	}
	s.observe(op, outcome, time.Since(start))
	made, _ := value.(T)
	return made, err
}

// Ready returns nil once calls pass: the backend answers a ping, and is not taken
// for down any more. After the pause a ping is the call that tries, so that a
// server to which nobody sends requests until it is ready becomes so. A ping that
// fails counts for nothing: it may ask for more than a call needs.
func (s *Store) Ready(ping func() error) error {
	if err := ping(); err != nil || s.breaker.State() == gobreaker.StateClosed {
		return err
	}
	if _, err := s.breaker.Execute(func() (any, error) { return nil, nil }); err != nil {
		return fmt.Errorf("breaker: the store answers, and is still left alone: %w", err)
	}
	return nil
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	return call(s, "create", func() (session.Version, error) { return s.backend.Create(ctx, r) })
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	return call(s, "get", func() (session.Record, error) { return s.backend.Get(ctx, id) })
}

// GetUnless implements session.Sparing, as far as the backend does.
func (s *Store) GetUnless(ctx context.Context, id session.ID, have session.Mark) (session.Record, error) {
	sparing, ok := s.backend.(session.Sparing)
	if !ok {
		return s.Get(ctx, id)
	}
	return call(s, "get", func() (session.Record, error) { return sparing.GetUnless(ctx, id, have) })
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	return call(s, "update", func() (session.Version, error) { return s.backend.Update(ctx, r) })
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	_, err := call(s, "delete", func() (struct{}, error) { return struct{}{}, s.backend.Delete(ctx, id) })
	return err
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	return call(s, "find", func() ([]session.Record, error) { return s.backend.Find(ctx, key) })
}

// Run does the backend's own work, if it has any.
func (s *Store) Run(ctx context.Context) error {
	if runner, ok := s.backend.(session.Runner); ok {
		return runner.Run(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Watch tells of the backend's changes (see nearcache.Watcher); without any to
// tell it waits for ctx to end.
func (s *Store) Watch(ctx context.Context, changed func(id session.ID, all bool)) error {
	watcher, ok := s.backend.(interface {
		Watch(context.Context, func(session.ID, bool)) error
	})
	if ok {
		return watcher.Watch(ctx, changed)
	}
	<-ctx.Done()
	return ctx.Err()
}
