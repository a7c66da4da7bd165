package playground

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloakroom/bff/lab/topology"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Config of a Playground.
type Config struct {
	// Program is the file of the Cloakroom that is run.
	Program string
	// Idle is after how long without a request a topology is ended; 0: 15 minutes.
	Idle time.Duration
	// Missing says what has to be installed for a topology; nil: it is looked at.
	Missing func(lab.Topology) error
	// Progress gets the logs of processes that failed; nil discards.
	Progress io.Writer
	// Log receives failures of the playground itself; nil discards.
	Log *slog.Logger
}

// Playground has at most one topology that runs.
type Playground struct {
	cfg     Config
	control http.Handler

	mu      sync.Mutex
	site    Site
	game    *game
	seq     int
	changed chan struct{} // closed and replaced when the game changes
}

// New returns a playground in which nothing can be started before Open.
func New(c Config) *Playground {
	c.Idle = cmp.Or(c.Idle, 15*time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Missing == nil {
		c.Missing = func(t lab.Topology) error { return topology.Missing(t, lab.Embedded) }
	}
	p := &Playground{cfg: c, changed: make(chan struct{})}
	p.control = p.routes()
	return p
}

// Control is the API below lab.PathPlay, whose prefix is not in its paths. It
// guards nothing: whoever stands in front does.
func (p *Playground) Control() http.Handler { return p.control }

// start begins a game; another one that goes on is a problem.
func (p *Playground) start(c lab.Choice) error {
	t, ok := lab.FindTopology(c.Topology)
	if !ok {
		return problem.New(problem.ParameterInvalid, nil)
	}
	if why := p.missing(t); why != "" {
		return problem.New(problem.LabUnavailable, nil).WithDetail(why)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.site.Origin == "":
		cancel()
		return problem.New(problem.LabUnavailable, nil).WithDetail("nobody listens for it")
	case p.game != nil && !p.game.play.Over():
		cancel()
		return problem.New(problem.LabBusy, nil)
	}
	g := &game{
		ground: p, topology: t, cancel: cancel, ended: make(chan struct{}), poked: make(chan struct{}, 1),
		sessions: map[string]*held{}, used: time.Now(),
		play: lab.Play{ID: rand.Text(), Phase: lab.PlayStarting, Topology: t.ID},
	}
	p.game = g
	p.touch()
	go func() {
		defer close(g.ended)
		defer cancel()
		g.run(ctx)
	}()
	return nil
}

// missing says what has to be installed for a topology; "": nothing.
func (p *Playground) missing(t lab.Topology) string {
	if err := p.cfg.Missing(t); err != nil {
		return strings.ReplaceAll(strings.ReplaceAll(err.Error(), "topology: ", ""), "\n", "; ")
	}
	return ""
}

// end ends the game, if there is one, and waits for it.
func (p *Playground) end() {
	p.mu.Lock()
	g := p.game
	if g == nil {
		p.mu.Unlock()
		return
	}
	if !g.play.Over() {
		g.play.Phase = lab.PlayEnding
		p.touch()
	}
	p.mu.Unlock()
	g.cancel()
	<-g.ended
}

// Close ends what runs.
func (p *Playground) Close() error {
	p.end()
	return nil
}

// touch tells who waits that the game is not what it was. p.mu is held.
func (p *Playground) touch() {
	p.seq++
	if p.game != nil {
		p.game.play.Seq = p.seq
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// run is the whole life of a game.
func (g *game) run(ctx context.Context) {
	why, failed := "", error(nil)
	world, err := topology.Start(ctx, g.topology, topology.Options{
		Program: g.ground.cfg.Program, Progress: g.ground.cfg.Progress, Within: &g.ground.site.Within,
		Observe: g.observed, Changed: g.poke,
	})
	if err == nil {
		g.begin(world)
		why = g.watch(ctx)
		g.change(func() { g.play.Phase, g.world = lab.PlayEnding, nil })
		g.acts.Wait() // what goes on has the world
		err = world.Close()
	} else if ctx.Err() == nil {
		failed = err
	}
	if err != nil && ctx.Err() == nil {
		g.ground.cfg.Log.Error("a topology failed", "topology", g.topology.ID, "error", err)
	}
	g.change(func() {
		g.play.Phase, g.play.Why, g.play.Busy = lab.PlayEnded, why, ""
		if failed != nil {
			g.play.Phase, g.play.Why = lab.PlayFailed, fmt.Sprintf("It could not be started: %v.", failed)
		}
	})
}
