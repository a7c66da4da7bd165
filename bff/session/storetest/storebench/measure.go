package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"cloakroom/bff/session"
	"cloakroom/bff/session/storetest"
)

// plan is how a store is measured.
type plan struct {
	sessions, working, callers int
	time, fill                 time.Duration
}

func (p plan) settings() settings {
	return settings{p.sessions, p.working, p.callers, p.time.Seconds(), p.fill.Seconds()}
}

// measure takes one store through all phases, on a stage of its own.
func (p plan) measure(ctx context.Context, k kind, progress io.Writer) (row, error) {
	made := row{Name: k.name, Label: k.label}
	err := perform(ctx, progress, func(s *stage) {
		debug.FreeOSMemory() // what the store before has left is not this one's
		sessions := p.sessions
		if k.most > 0 {
			sessions = min(sessions, k.most)
		}
		crowd, err := newCrowd(sessions)
		s.Must(err)
		h := k.open(s)
		made.Version = h.version
		_, err = h.Get(ctx, session.ID{}) // opens what opens on first use
		if !errors.Is(err, session.ErrNotFound) {
			s.Fatalf("it does not answer: %v", err)
		}
		empty, err := h.bytes(ctx)
		s.Must(err)

		tell := func(what string, f figures) {
			fmt.Fprintf(progress, "  %-6s %9.0f/s  CPU %6.1f + %6.1f µs  p99 %8.2f ms  (%d calls)\n",
				what, f.PerSecond, f.CPUOurs, f.CPUServer, f.P99/1000, f.Calls)
		}
		made.Create, err = p.create(ctx, h, crowd)
		s.Must(err)
		tell("Create", made.Create)
		made.Sessions = made.Create.Calls
		full, err := h.bytes(ctx)
		s.Must(err)
		made.BytesPerSession = float64(full-empty) / float64(made.Sessions)
		fmt.Fprintf(progress, "  %.0f bytes a session, at %d sessions\n", made.BytesPerSession, made.Sessions)

		set := crowd[:min(p.working, made.Sessions)]
		s.Must(p.warm(ctx, h, set))
		made.Get, err = p.get(ctx, h, set)
		s.Must(err)
		tell("Get", made.Get)
		made.Update, err = p.update(ctx, h, set)
		s.Must(err)
		tell("Update", made.Update)
	})
	return made, err
}

func newCrowd(n int) ([]session.Record, error) {
	crowd, err := storetest.NewCrowd()
	if err != nil {
		return nil, err
	}
	all := make([]session.Record, n)
	for i := range all {
		all[i] = crowd.Record()
	}
	return all, nil
}

// create stores the crowd from its front on, until all are stored or the time
// is over.
func (p plan) create(ctx context.Context, h home, crowd []session.Record) (figures, error) {
	var next atomic.Int64
	return p.phase(ctx, h, p.fill, func(ctx context.Context, _ int) (bool, error) {
		i := int(next.Add(1)) - 1
		if i >= len(crowd) {
			return false, nil
		}
		var err error
		crowd[i].Version, err = h.Create(ctx, crowd[i])
		return true, err
	})
}

// warm reads everybody once, as far as it gets, and compares: what is measured
// must be right.
func (p plan) warm(ctx context.Context, h home, set []session.Record) error {
	var next atomic.Int64
	_, err := p.phase(ctx, h, p.time, func(ctx context.Context, _ int) (bool, error) {
		i := int(next.Add(1)) - 1
		if i >= len(set) {
			return false, nil
		}
		got, err := h.Get(ctx, set[i].ID)
		if err == nil && !bytes.Equal(got.Data, set[i].Data) {
			err = errors.New("a session does not come back as it was stored")
		}
		return true, err
	})
	return err
}

func (p plan) get(ctx context.Context, h home, set []session.Record) (figures, error) {
	return p.phase(ctx, h, p.time, func(ctx context.Context, _ int) (bool, error) {
		_, err := h.Get(ctx, set[rand.IntN(len(set))].ID)
		return true, err
	})
}

// update gives every caller sessions of its own, so that none is in another's
// way.
func (p plan) update(ctx context.Context, h home, set []session.Record) (figures, error) {
	turns := make([]int, p.callers)
	return p.phase(ctx, h, p.time, func(ctx context.Context, caller int) (bool, error) {
		i := turns[caller]*p.callers + caller
		if i >= len(set) {
			if turns[caller] == 0 {
				return false, nil // fewer sessions than callers
			}
			turns[caller], i = 0, caller
		}
		turns[caller]++
		var err error
		set[i].Version, err = h.Update(ctx, set[i])
		return true, err
	})
}

// phase lets all callers call, again and again, until limit is over or call
// says that nothing is left to do; each calls once at least. The first failure
// ends it.
func (p plan) phase(ctx context.Context, h home, limit time.Duration, call func(ctx context.Context, caller int) (bool, error)) (figures, error) {
	server, ours := h.cpu(), ownCPU()
	began := time.Now()
	end := began.Add(limit)
	times := make([]histogram, p.callers)
	callers, ctx := errgroup.WithContext(ctx)
	for i := range p.callers {
		callers.Go(func() error {
			for before := time.Now(); ; {
				called, err := call(ctx, i)
				if err != nil || !called {
					return err
				}
				after := time.Now()
				times[i].add(after.Sub(before))
				if !after.Before(end) {
					return nil
				}
				before = after
			}
		})
	}
	if err := callers.Wait(); err != nil {
		return figures{}, err
	}
	took := time.Since(began)
	ours, server = ownCPU()-ours, h.cpu()-server
	for _, other := range times[1:] {
		times[0].merge(&other)
	}
	n := float64(max(times[0].count, 1))
	return figures{
		Calls: int(times[0].count), PerSecond: n / took.Seconds(),
		CPUOurs: micros(ours) / n, CPUServer: micros(server) / n, P99: micros(times[0].quantile(0.99)),
	}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// ownCPU is the processor time that this process has used so far.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // only for arguments that are not there (getrusage(2))
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
