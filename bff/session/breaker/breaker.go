// Package breaker stands before a store that may fail, so that one that is
// down costs its callers nothing but a quick refusal, and is not stampeded when
// it comes back.
//
// It owns the state of the store as callers feel it: after a run of failures
// every call is refused at once, and after a pause a few may try. It measures
// each call for whoever counts. It never retries and never answers for the
// store: "not found" is an answer, "down" is not.
package breaker

import (
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
	// Failures in a row that open the breaker; 0 means 5.
	Failures uint32
	// Pause before a few calls may try again; 0 means 1s. Every breaker adds up
	// to half of it, so that instances do not come back at one moment.
	Pause time.Duration
	// Observe is told how every call ended: op is "create", "get", "update",
	// "delete" or "find"; outcome "ok", "failed" or "refused".
	Observe func(op, outcome string, took time.Duration)
}

// probes is how many calls may try at once after the pause.
const probes = 3

// Store is a Backend behind a breaker.
type Store struct {
	backend Backend
	observe func(op, outcome string, took time.Duration)
	breaker *gobreaker.CircuitBreaker[any]
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

// New returns backend behind a breaker.
func New(backend Backend, c Config) (*Store, error) {
	if backend == nil {
		return nil, errors.New("breaker: no backend")
	}
	if c.Failures == 0 {
		c.Failures = 5
	}
	if c.Pause == 0 {
		c.Pause = time.Second
	}
	if c.Observe == nil {
		c.Observe = func(string, string, time.Duration) {}
	}
	return &Store{backend: backend, observe: c.Observe, breaker: gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		MaxRequests:  probes,
		Timeout:      c.Pause + rand.N(c.Pause/2+1),
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= c.Failures },
		IsSuccessful: answered,
		IsExcluded:   left,
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
// for down any more. After the pause the pings are the calls that may try, so that
// a server to which nobody sends requests until it is ready becomes so. A ping
// that fails counts for nothing: it may ask for more than a call needs.
func (s *Store) Ready(ping func() error) error {
	for range probes {
		if err := ping(); err != nil {
			return err
		}
		if s.breaker.State() == gobreaker.StateClosed {
			return nil
		}
		if _, err := s.breaker.Execute(func() (any, error) { return nil, nil }); err != nil {
			return fmt.Errorf("breaker: the store answers, and is still left alone: %w", err)
		}
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
