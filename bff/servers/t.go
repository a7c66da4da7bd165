package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// T is whom a server answers to: it lives until T's cleanup, and what cannot be
// done fails T. A testing.TB is one; a program has a Stage.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any) // does not return
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

// Stage is the T of a program.
type Stage struct {
	ctx      context.Context
	progress io.Writer

	mu       sync.Mutex
	cleanups []func()
	errs     []error
}

var _ T = (*Stage)(nil)

// fatal unwinds to Perform.
type fatal struct{ error }

// Perform runs f on a stage, clears the stage, and returns what failed. Fatal
// and Fatalf belong on f's own goroutine. The logs of servers that failed go to
// progress.
func Perform(ctx context.Context, progress io.Writer, f func(*Stage)) error {
	s := NewStage(ctx, progress)
	s.try(func() { f(s) })
	return s.Clear()
}

// NewStage is for a program whose servers outlive one function: it does its
// work in Try, and has to Clear.
func NewStage(ctx context.Context, progress io.Writer) *Stage {
	return &Stage{ctx: ctx, progress: progress}
}

// Try runs f and returns what failed in it, which Clear then does not. Only one
// may run at a time.
func (s *Stage) Try(f func()) error {
	s.mu.Lock()
	before := len(s.errs)
	s.mu.Unlock()
	s.try(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := errors.Join(s.errs[before:]...)
	s.errs = s.errs[:before]
	return failed
}

// Clear calls the cleanups, last first, and returns what failed.
func (s *Stage) Clear() error {
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return errors.Join(s.errs...)
		}
		last := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		s.try(last)
	}
}

func (s *Stage) try(f func()) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case fatal:
			s.Error(failure.error)
		default:
			panic(failure)
		}
	}()
	f()
}

// Must ends the performance if err is one.
func (s *Stage) Must(err error) {
	if err != nil {
		panic(fatal{err})
	}
}

// Context is what Perform was given.
func (s *Stage) Context() context.Context { return s.ctx }

// Helper does nothing.
func (s *Stage) Helper() {}

// Cleanup has f called when the performance is over, last first.
func (s *Stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// Fatal ends the performance.
func (s *Stage) Fatal(args ...any) { panic(fatal{errors.New(fmt.Sprint(args...))}) }

// Fatalf ends the performance.
func (s *Stage) Fatalf(format string, args ...any) { panic(fatal{fmt.Errorf(format, args...)}) }

// Error notes a failure and goes on.
func (s *Stage) Error(args ...any) {
	err := errors.New(fmt.Sprint(args...))
	if len(args) == 1 {
		if is, ok := args[0].(error); ok {
			err = is
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// Errorf notes a failure and goes on.
func (s *Stage) Errorf(format string, args ...any) { s.Error(fmt.Errorf(format, args...)) }

// Failed reports whether something failed so far.
func (s *Stage) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.errs) > 0
}

// Logf is for the logs of servers when something failed. That they end when we
// are told to end is none.
func (s *Stage) Logf(format string, args ...any) {
	if s.ctx.Err() == nil {
		fmt.Fprintf(s.progress, format+"\n", args...)
	}
}
