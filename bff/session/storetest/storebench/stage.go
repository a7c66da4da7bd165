package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/storetest/servers"
)

// stage is where a store and its server play. Package servers wants a test to
// answer to; a stage is one in that sense, and no more of it than servers uses.
type stage struct {
	testing.TB // nil: a method that is missing below panics
	ctx        context.Context
	progress   io.Writer

	mu       sync.Mutex
	cleanups []func()
	errs     []error
}

// fatal unwinds to perform.
type fatal struct{ error }

// perform runs f on a stage, clears the stage, and returns what failed.
func perform(ctx context.Context, progress io.Writer, f func(*stage)) error {
	s := &stage{ctx: ctx, progress: progress}
	s.try(func() { f(s) })
	for len(s.cleanups) > 0 {
		last := s.cleanups[len(s.cleanups)-1]
		s.cleanups = s.cleanups[:len(s.cleanups)-1]
		s.try(last)
	}
	return errors.Join(s.errs...)
}

func (s *stage) try(f func()) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case fatal:
			s.fail(failure.error)
		default:
			panic(failure)
		}
	}()
	f()
}

func (s *stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// must ends the performance if err is one.
func (s *stage) must(err error) {
	if err != nil {
		panic(fatal{err})
	}
}

// background runs the store's own work until the stage is cleared.
func (s *stage) background(r session.Runner) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				s.fail(err)
			}
		case <-time.After(time.Minute):
			s.fail(errors.New("the store's background work does not end"))
		}
	})
}

// dir returns a new folder.
func (s *stage) dir() string { return servers.Dir(s, nil) }

func (s *stage) Helper()                           {}
func (s *stage) Context() context.Context          { return s.ctx }
func (s *stage) Cleanup(f func())                  { s.cleanups = append(s.cleanups, f) }
func (s *stage) Fatal(args ...any)                 { panic(fatal{errors.New(fmt.Sprint(args...))}) }
func (s *stage) Fatalf(format string, args ...any) { panic(fatal{fmt.Errorf(format, args...)}) }
func (s *stage) Errorf(format string, args ...any) { s.fail(fmt.Errorf(format, args...)) }

func (s *stage) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.errs) > 0
}

// Logf is for the logs of servers when something failed. That they end when we
// are told to end is none.
func (s *stage) Logf(format string, args ...any) {
	if s.ctx.Err() == nil {
		fmt.Fprintf(s.progress, format+"\n", args...)
	}
}
