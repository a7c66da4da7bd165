package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Config of a Lab.
type Config struct {
	// Cloakroom and Store are as in strategy.Config. They are called at the first
	// run of a strategy that needs them, and what they started is kept for the
	// next. Whoever started something ends it, after Close.
	Cloakroom func(config []byte) (strategy.Server, error)
	Store     func(kind string) (strategy.Store, error)
	// Missing says why a strategy cannot be run here; "": it can. nil: all can.
	Missing func(lab.Strategy) string
	// Topologies answers below lab.PathPlay, whose prefix it does not see; nil: there
	// is nothing.
	Topologies http.Handler
	// Log receives failures of the lab itself; nil discards.
	Log *slog.Logger
}

// Lab is a live lab that runs.
type Lab struct {
	cfg    Config
	server *http.Server
	base   string // what nobody can guess

	upstream string
	opening  sync.Mutex // one world is opened at a time

	mu      sync.Mutex
	worlds  map[string]*world
	run     *lab.Run
	tab     *tab // the run's
	seq     int
	changed chan struct{} // closed and replaced when the run changes
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the run has ended
}

// world is a strategy's own, and the run that is made in it.
type world struct {
	*strategy.World
	lab *Lab
}

// Open starts a Lab on a free port of loopback; Close ends it.
func Open(cfg Config) (*Lab, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	l := &Lab{cfg: cfg, worlds: map[string]*world{}, changed: make(chan struct{})}
	// Whoever reaches this port does not reach the lab: pages of other origins,
	// say. Only the one that was told the address does, and it guards its callers.
	l.base = "/" + rand.Text() + "/"
	l.upstream = "http://" + listener.Addr().String() + l.base
	l.server = &http.Server{Handler: http.StripPrefix(l.base[:len(l.base)-1], l.routes()), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = l.server.Serve(listener) }() // ends with Close
	return l, nil
}

// Upstream is where lab.PathLive leads to: a secret between the Lab and the
// server in front of it.
func (l *Lab) Upstream() string { return l.upstream }

// Close ends the run and the worlds.
func (l *Lab) Close() error {
	l.stop()
	err := l.server.Close()
	l.opening.Lock()
	defer l.opening.Unlock()
	for _, w := range l.worlds {
		err = errors.Join(err, w.Close())
	}
	return err
}

// world is a strategy's, opened at its first run.
func (l *Lab) world(s lab.Strategy) (*world, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	if w := l.worlds[s.ID]; w != nil {
		return w, nil
	}
	w := &world{lab: l}
	var err error
	w.World, err = strategy.Open(strategy.Config{
		Strategies: []lab.Strategy{s}, Cloakroom: l.cfg.Cloakroom, Store: l.cfg.Store, Log: l.cfg.Log, Agent: w,
	})
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	l.worlds[s.ID] = w
	return w, nil
}

// ServeHTTP passes what an agent asks to the tab of the run. Between runs there
// is none, and an agent is let go.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.lab.mu.Lock()
	tab := w.lab.tab
	if tab == nil || w.lab.run.Cell.Strategy != w.Strategies()[0].ID {
		tab = nil
	}
	w.lab.mu.Unlock()
	if tab == nil {
		tab = newTab(func(string, ...any) {}, func(bool) {})
		if r.URL.Path == strategy.AgentPath+"orders" {
			rw.WriteHeader(http.StatusNoContent)
			return
		}
	}
	tab.ServeHTTP(rw, r)
}

const (
	forTab    = 3 * time.Minute  // for the victim's tab to open
	forSignIn = 5 * time.Minute  // for the person to sign in
	forRun    = 12 * time.Minute // for all of it
)

// start begins a run; another one that goes on is a problem.
func (l *Lab) start(o lab.Order) (lab.Run, error) {
	s, known := lab.FindStrategy(o.Strategy)
	a, listed := lab.FindAttack(o.Attack)
	if !known || !listed {
		return lab.Run{}, problem.New(problem.ParameterInvalid, nil)
	}
	if why := cannot(a); why != "" {
		return lab.Run{}, problem.New(problem.LabUnavailable, nil).WithDetail(why)
	}
	if why := l.missing(s); why != "" {
		return lab.Run{}, problem.New(problem.LabUnavailable, nil).WithDetail(why)
	}
	ctx, cancel := context.WithTimeout(context.Background(), forRun)
	l.mu.Lock()
	if l.run != nil && !l.run.Over() {
		l.mu.Unlock()
		cancel()
		return lab.Run{}, problem.New(problem.LabBusy, nil)
	}
	run := &lab.Run{ID: rand.Text(), Phase: lab.Waiting, Cell: lab.Cell{Strategy: s.ID, Attack: a.ID}}
	ended := make(chan struct{})
	l.run, l.tab, l.cancel, l.ended = run, nil, cancel, ended // taken; the world may need a moment
	l.touch()
	l.mu.Unlock()

	w, err := l.world(s)
	if err != nil {
		cancel()
		l.mu.Lock()
		l.run = nil
		l.touch()
		l.mu.Unlock()
		close(ended)
		return lab.Run{}, problem.New(problem.LabUnavailable, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	run.Open = w.Origin(s.ID) + "/"
	l.tab = newTab(l.note, func(away bool) { l.change(func(r *lab.Run) { r.Away = away && r.Phase == lab.Running }) })
	l.touch()
	go func() {
		defer close(ended)
		defer cancel()
		l.make(ctx, w, l.tab, s, a)
	}()
	return l.snapshot(), nil
}

// make is the run itself.
func (l *Lab) make(ctx context.Context, w *world, t *tab, s lab.Strategy, a lab.Attack) {
	phase := lab.Cancelled
	defer func() {
		t.over()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.run.Phase, l.run.Away, l.tab = phase, false, nil
		l.touch()
	}()
	opening, stop := context.WithTimeout(ctx, forTab)
	defer stop()
	if _, err := t.here(opening); err != nil {
		return
	}
	l.change(func(r *lab.Run) { r.Phase = lab.Running })
	_, err := attack.Cell(ctx, w.World, t, s, a, attack.Options{
		SignIn:  forSignIn,
		Return:  true,
		Observe: func(c lab.Cell) { l.change(func(r *lab.Run) { r.Cell = c }) },
	})
	switch {
	case err != nil:
		l.cfg.Log.Error("a live run failed", "error", err)
	case ctx.Err() == nil:
		phase = lab.Done
	}
	if phase == lab.Cancelled {
		l.change(func(r *lab.Run) { r.Cell.Verdict = "" }) // what was cut off says nothing
	}
}

// stop cancels the run that goes on and waits for its end.
func (l *Lab) stop() {
	l.mu.Lock()
	cancel, ended := l.cancel, l.ended
	l.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

func (l *Lab) note(format string, args ...any) {
	l.change(func(r *lab.Run) { r.Tab = append(r.Tab, fmt.Sprintf(format, args...)) })
}

func (l *Lab) change(f func(*lab.Run)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run != nil {
		f(l.run)
		l.touch()
	}
}

// touch tells who waits that the run is not what it was. l.mu is held.
func (l *Lab) touch() {
	l.seq++
	if l.run != nil {
		l.run.Seq = l.seq
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// snapshot is the run as it is. l.mu is held.
func (l *Lab) snapshot() lab.Run {
	run := *l.run
	run.Tab = slices.Clone(run.Tab)
	return run
}

func (l *Lab) missing(s lab.Strategy) string {
	switch {
	case l.cfg.Missing != nil && l.cfg.Missing(s) != "":
		return l.cfg.Missing(s)
	case !s.TokensInPage && l.cfg.Cloakroom == nil:
		return "There is no Cloakroom to put in front."
	}
	return ""
}

// cannot says why an attack cannot be made from a page; "": it can.
func cannot(a lab.Attack) string {
	if a.ID == "X4" {
		return "No page reads the browser's profile on the disk. The matrix has what a program found there."
	}
	return ""
}
