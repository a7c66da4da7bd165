package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cloakroom/bff/servers"
)

// plan is how long everything is.
type plan struct {
	rounds int
	slice  time.Duration // of 64 connections; of one, a quarter of that
	small  bool          // everything else small too, to see that it works
}

// figures are of one slice of one front.
type figures struct {
	CPU       float64 `json:"cpu_us"`       // of the server's processes, a request
	StoreCPU  float64 `json:"store_cpu_us"` // of its Redis
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	Alone     float64 `json:"alone_p50_us"` // one connection
	RSS       float64 `json:"rss_bytes"`
	Calls     int     `json:"calls"`
	Redialled int     `json:"redialled"` // connections that the server ended
}

// round is what a front did in its turn, and the yardstick beside it.
type round struct {
	figures
	Bare figures `json:"bare"`
}

// row is what was measured of one front.
type row struct {
	Name    string  `json:"name"`
	Label   string  `json:"label"`
	Version string  `json:"version"`
	Rounds  []round `json:"rounds"`
}

// missing is what could not be measured, and why.
type missing struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// standing is a front with its stage and its connections.
type standing struct {
	kind
	*front
	stage      *servers.Stage
	many, lone *load
}

// compare opens the yardstick and the chosen fronts and takes them through the
// rounds. A peer that cannot be opened is named and left out; a wrong answer ends
// it, and so does a Cloakroom that does not start.
func (p plan) compare(w *world, chosen []kind) (rows []row, gaps []missing, err error) {
	bare, err := p.stand(w, yardstick)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", yardstick.name, err)
	}
	all := []*standing{bare}
	defer func() {
		for _, st := range slices.Backward(all) {
			err = errors.Join(err, st.leave())
		}
	}()
	for i, k := range chosen {
		if w.ctx.Err() != nil {
			return nil, nil, errStopped
		}
		fmt.Fprintf(w.progress, "[%d/%d] opening %s\n", i+1, len(chosen), k.name)
		st, err := p.stand(w, k)
		var wrong *wrongAnswer
		switch {
		case err != nil && (errors.As(err, &wrong) || !k.peer()):
			return nil, nil, fmt.Errorf("%s: %w", k.name, err)
		case err != nil:
			fmt.Fprintf(w.progress, "  %s is not measured: %v\n", k.name, err)
			gaps = append(gaps, missing{k.name, err.Error()})
			continue
		}
		all = append(all, st)
	}
	rows, lost, err := p.turns(w, bare, all[1:])
	return rows, append(gaps, lost...), err
}

// turns takes the fronts through the rounds. A peer that breaks down is named and
// left out of the rest.
func (p plan) turns(w *world, bare *standing, fronts []*standing) (rows []row, lost []missing, err error) {
	rows = make([]row, 1+len(fronts))
	for i, st := range append([]*standing{bare}, fronts...) {
		rows[i] = row{Name: st.name, Label: st.label, Version: st.version}
	}
	broken := map[string]bool{}
	for n := range p.rounds {
		for i, st := range fronts {
			if broken[st.name] {
				continue
			}
			r, err := p.turn(w, bare, st)
			if _, wrong := errors.AsType[*wrongAnswer](err); err != nil && !wrong && st.peer() && w.ctx.Err() == nil {
				fmt.Fprintf(w.progress, "  %s broke down, and is not measured: %v\n", st.name, err)
				broken[st.name] = true
				lost = append(lost, missing{st.name, "it broke down"})
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			rows[0].Rounds = append(rows[0].Rounds, round{r.Bare, r.Bare})
			rows[i+1].Rounds = append(rows[i+1].Rounds, r)
			fmt.Fprintf(w.progress, "round %d/%d  %-20s %6.1f µs + %5.1f  x %5.2f  %8.0f/s  p50 %6.0f  p99 %7.0f  alone %+6.0f µs  %5.0f MB   (bare %5.1f µs)\n",
				n+1, p.rounds, st.name, r.CPU, r.StoreCPU, r.x(), r.PerSecond, r.P50, r.P99, r.added(), r.RSS/1e6, r.Bare.CPU)
		}
	}
	return slices.DeleteFunc(rows, func(r row) bool { return broken[r.Name] }), lost, nil
}

// peer is true of what is not ours.
func (k kind) peer() bool { return !strings.HasPrefix(k.label, ours) }

var errStopped = errors.New("stopped")

// x is the processor time as a ratio to the yardstick's.
func (r round) x() float64 { return r.CPU / r.Bare.CPU }

// added is the latency above the yardstick's, of one connection.
func (r round) added() float64 { return r.Alone - r.Bare.Alone }

// stand opens a front on a stage of its own, and calls it from every connection
// until it has answered each of its sessions rightly.
func (p plan) stand(w *world, k kind) (st *standing, err error) {
	st = &standing{kind: k, stage: servers.NewStage(w.ctx, w.progress)}
	err = st.stage.Try(func() {
		st.front = k.open(w, st.stage, k.name)
		var err error
		st.many, err = dial(w.ctx, st.addr, connections)
		st.stage.Must(err)
		st.lone, err = dial(w.ctx, st.addr, 1)
		st.stage.Must(err)
		st.stage.Must(st.first(w, st.many))
		st.stage.Must(st.first(w, st.lone)) // at once: some servers do not like who is silent
	})
	if err != nil {
		if text := w.log(k.name); text != "" {
			fmt.Fprintf(w.progress, "the end of the log of %s:\n%s\n", k.name, text)
		}
		_ = st.leave()
		return nil, err
	}
	return st, nil
}

// first has every connection call once.
func (st *standing) first(w *world, l *load) error {
	done := make([]bool, len(l.conns))
	_, err := l.run(w.ctx, patience, func(conn int) (*call, bool) {
		if done[conn] || st.fresh != nil && conn > 0 {
			return nil, false
		}
		done[conn] = true
		return st.calls[conn], true
	}, nil)
	return err
}

func (st *standing) leave() error {
	for _, l := range []*load{st.many, st.lone} {
		if l != nil {
			l.close()
		}
	}
	return st.stage.Clear()
}

// turn is one front's turn in a round, and the yardstick's beside it.
func (p plan) turn(w *world, bare, st *standing) (r round, err error) {
	if w.ctx.Err() != nil {
		return r, errStopped
	}
	var failed error
	err = st.stage.Try(func() { r, failed = p.measure(w, bare, st) })
	if err = errors.Join(err, failed); err != nil {
		if w.ctx.Err() != nil {
			return r, errStopped
		}
		return r, fmt.Errorf("%s: %w\n%s", st.name, err, w.log(st.name))
	}
	return r, nil
}

// warm is for what the others have pushed out of the caches since.
const warm = 100 * time.Millisecond

func (p plan) measure(w *world, bare, st *standing) (r round, err error) {
	both := []*standing{st, bare}
	var many, alone []side
	for _, one := range both {
		next, lone, err := one.sources(p.slice)
		if err != nil {
			return r, err
		}
		many, alone = append(many, side{one.many, next}), append(alone, side{one.lone, lone})
	}
	if _, err := alternate(w.ctx, warm, many...); err != nil {
		return r, err
	}
	figures := []*figures{&r.figures, &r.Bare}
	for i, one := range both {
		figures[i].CPU, figures[i].StoreCPU = -micros(one.server.CPU()), -micros(one.storeCPU())
	}
	samples, err := alternate(w.ctx, p.slice, many...)
	if err != nil {
		return r, err
	}
	for i, one := range both {
		f, s := figures[i], samples[i]
		f.Calls = len(s.times)
		f.CPU, f.StoreCPU = (f.CPU+micros(one.server.CPU()))/float64(f.Calls), (f.StoreCPU+micros(one.storeCPU()))/float64(f.Calls)
		f.PerSecond, f.Redialled, f.RSS = s.perSecond(), s.redialled, float64(one.server.Proportional())
		f.P50, f.P99 = micros(s.quantile(.5)), micros(s.quantile(.99))
	}
	if _, err := alternate(w.ctx, warm/2, alone...); err != nil {
		return r, err
	}
	if samples, err = alternate(w.ctx, p.slice/4, alone...); err != nil {
		return r, err
	}
	for i := range both {
		figures[i].Alone = micros(samples[i].quantile(.5))
	}
	return r, nil
}

// sources say what to call with, all connections and the one alone: the session
// of the connection, or one that the front has not seen yet. Of those there are
// enough for 20,000 requests a second; a quicker front ends its turn early.
func (f *front) sources(slice time.Duration) (many, alone source, err error) {
	if f.fresh == nil {
		lone := f.calls[rand.IntN(len(f.calls))]
		return func(conn int) (*call, bool) { return f.calls[conn], true }, func(int) (*call, bool) { return lone, true }, nil
	}
	var sources [2]source
	for i, d := range []time.Duration{slice + warm, (slice + warm) / 4} {
		calls, err := f.fresh(int(d.Seconds()*20_000) + 100)
		if err != nil {
			return nil, nil, err
		}
		var used atomic.Int64
		sources[i] = func(int) (*call, bool) {
			at := int(used.Add(1)) - 1
			if at >= len(calls) {
				return nil, false
			}
			return calls[at], true
		}
	}
	return sources[0], sources[1], nil
}

func (f *front) storeCPU() time.Duration {
	if f.store == nil {
		return 0
	}
	return f.store.CPU()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
