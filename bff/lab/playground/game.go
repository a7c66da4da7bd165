package playground

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cloakroom/bff/lab/balancer"
	"cloakroom/bff/lab/topology"
	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// game is a topology that is played with. The playground's mutex guards it.
type game struct {
	ground   *Playground
	topology lab.Topology
	cancel   context.CancelFunc
	ended    chan struct{} // closed when nothing of it runs
	poked    chan struct{} // something changed: it is to be looked at
	acts     sync.WaitGroup

	world    *topology.World // nil: it does not stand
	play     lab.Play        // You is left empty
	sessions map[string]*held
	hops     int
	told     int
	full     bool // the store's memory was used up
	used     time.Time
}

// held is a session that the balancer saw an instance make.
type held struct {
	by     string
	gone   string // why it is nowhere any more; "": it is not known to be gone
	missed string // why the last request that needed it found none
}

const (
	maxHops     = 40
	maxSessions = 1000
	maxTold     = 400 // the oldest half goes then
	// looksEvery is how often the topology is looked at while nothing is heard of it.
	looksEvery = 2 * time.Second
	// settles is how long is waited for more of the same before it is looked at.
	settles = 80 * time.Millisecond
)

// change alters the game, and tells who waits.
func (g *game) change(f func()) {
	g.ground.mu.Lock()
	defer g.ground.mu.Unlock()
	f()
	g.ground.touch()
}

// poke has the topology looked at soon.
func (g *game) poke() {
	select {
	case g.poked <- struct{}{}:
	default: // it will be
	}
}

func (g *game) begin(world *topology.World) {
	g.change(func() {
		g.world, g.play.Phase, g.play.Deployed, g.used = world, lab.PlayRunning, world.State(), time.Now()
		n := 0
		for _, node := range g.play.Deployed.Nodes {
			if node.Kind == lab.NodeServer {
				n++
			}
		}
		g.tell(lab.Plain, "It stands: "+count(n, "instance")+" of Cloakroom, each a process of its own. "+sentence("The session object will be "+g.topology.Keeps))
	})
}

// watch looks at the topology until ctx ends, or nobody plays with it. It returns
// why it ended.
func (g *game) watch(ctx context.Context) string {
	for {
		g.look(ctx)
		select {
		case <-ctx.Done():
			return ""
		case <-g.poked:
			select {
			case <-ctx.Done():
				return ""
			case <-time.After(settles):
			}
		case <-time.After(looksEvery):
		}
		g.ground.mu.Lock()
		idle := time.Since(g.used)
		g.ground.mu.Unlock()
		if idle > g.ground.cfg.Idle {
			return fmt.Sprintf("Nobody used it for %d minutes, so it was ended", int(g.ground.cfg.Idle.Minutes()))
		}
	}
}

// look takes in how the processes are, and what they count.
func (g *game) look(ctx context.Context) {
	state, balanced := g.world.State(), g.world.Balanced()
	asking, done := context.WithTimeout(ctx, 2*time.Second)
	defer done()
	metrics, _ := g.world.Metrics(asking) // of those that answer
	g.ground.mu.Lock()
	defer g.ground.mu.Unlock()
	before := g.play.Deployed
	g.compare(before, state)
	var serves []lab.Served
	for _, b := range balanced {
		serves = append(serves, g.served(b, metrics))
	}
	g.compareServers(g.play.Servers, serves)
	broken := g.full || slices.ContainsFunc(state.Nodes, func(n lab.Node) bool { return n.State == lab.NodeDown || n.Cut })
	if slices.Equal(before.Nodes, state.Nodes) && sameServers(g.play.Servers, serves) && broken == g.play.Broken {
		return
	}
	g.play.Deployed, g.play.Servers, g.play.Broken = state, serves, broken
	g.ground.touch()
}

// served is what is known of a server. One that is not asked keeps no counters.
func (g *game) served(b balancer.Status, m topology.Metrics) lab.Served {
	s := lab.Served{Name: b.Name, State: lab.NodeState(b.State), Why: b.Why, Active: b.Active, Served: b.Served}
	families, ok := m[b.Name]
	if !ok {
		return s
	}
	if _, keeps := families["cloakroom_sessions"]; keeps && g.topology.Kind == lab.InMemory {
		n := int(m.Of(b.Name, "cloakroom_sessions"))
		s.Sessions = &n
	}
	s.Hits = int64(m.Of(b.Name, "cloakroom_near_cache_hits_total"))
	for _, one := range families["cloakroom_store_call_duration_seconds"].GetMetric() {
		n := int64(one.GetHistogram().GetSampleCount())
		write := false
		for _, label := range one.GetLabel() {
			write = write || label.GetName() == "op" && slices.Contains([]string{"create", "update", "delete"}, label.GetValue())
		}
		if write {
			s.Writes += n
		} else {
			s.Reads += n
		}
	}
	return s
}

func sameServers(a, b []lab.Served) bool {
	return slices.EqualFunc(a, b, func(a, b lab.Served) bool {
		same := (a.Sessions == nil) == (b.Sessions == nil) && (a.Sessions == nil || *a.Sessions == *b.Sessions)
		a.Sessions, b.Sessions = nil, nil
		return same && a == b
	})
}

// observed hears of every request that the balancer passed on, or could not.
func (g *game) observed(r balancer.Request) {
	g.poke()
	g.ground.mu.Lock()
	defer g.ground.mu.Unlock()
	g.used = time.Now()
	hop := lab.Hop{
		N: g.hops + 1, At: r.Start.UnixMilli(), Method: r.Method, Path: r.Path, Server: r.Instance, Tried: r.Tried, Status: r.Status,
		Took: float64(r.Took.Microseconds()) / 1000, Stuck: string(r.Stuck), Session: r.Session, Shell: isShell(r.Path),
	}
	switch known := g.sessions[r.Session] != nil; {
	case r.Status == 0 && r.Instance == "":
		return // the browser left before there was anything to see
	case g.play.Busy == lab.FullStore && !known && !g.topology.Kind.Outside():
		return // of the crowd that fills the memory
	}
	g.hops++
	s := g.sessions[r.Session]
	known := s != nil && s.gone != "" // and told, when it happened
	g.follow(r)
	hop.Why = g.wordsFor(r)
	if hop.Why != "" && !(known && s.gone == hop.Why) && (!hop.Shell || needsSession(r.Path)) {
		mood := lab.Bad
		if r.Status < 400 {
			mood = lab.Good
		}
		g.tellOnce(mood, hop.Why)
	}
	g.play.Hops = append(g.play.Hops, hop)
	if len(g.play.Hops) > maxHops {
		g.play.Hops = slices.Clone(g.play.Hops[len(g.play.Hops)-maxHops:])
	}
	g.ground.touch()
}

// isShell reports whether a path is a part of the page, or the stream that every
// page holds.
func isShell(path string) bool {
	return path == shared.PathEvents || !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, shared.BFFPrefix)
}

// needsSession reports whether an answer to a path says if a session is there.
func needsSession(path string) bool {
	return strings.HasPrefix(path, "/api/") || path == shared.PathUser || path == shared.PathInspect || path == shared.PathSessions || path == shared.PathEvents
}

// follow learns from a request what becomes of sessions.
func (g *game) follow(r balancer.Request) {
	if r.Made != "" && g.sessions[r.Made] == nil {
		for other := range g.sessions {
			if len(g.sessions) < maxSessions {
				break
			}
			delete(g.sessions, other)
		}
		g.sessions[r.Made] = &held{by: r.Instance}
		if r.Path == shared.PathCallback {
			g.tell(lab.Good, "You signed in by way of instance "+r.Instance+". "+g.gotOf(r.Instance))
		}
	}
	s := g.sessions[r.Session]
	switch {
	case s == nil:
	case r.Path == shared.PathLogout && r.Status == 303:
		s.gone = "You signed out."
		g.tellOnce(lab.Plain, "You signed out by way of instance "+r.Instance+".")
	case needsSession(r.Path) && r.Status > 0 && r.Status < 300:
		s.missed, s.gone = "", "" // whoever is served has a session
	case needsSession(r.Path) && r.Status == 401:
		s.missed = g.refusal(r, s)
	}
}

// tell says what happened.
func (g *game) tell(mood lab.Mood, text string) {
	g.told++
	if len(g.play.Told) >= maxTold {
		g.play.Told = slices.Clone(g.play.Told[maxTold/2:])
	}
	g.play.Told = append(g.play.Told, lab.Told{N: g.told, At: time.Now().UnixMilli(), Mood: mood, Text: text})
}

// tellOnce says nothing that was said a moment ago.
func (g *game) tellOnce(mood lab.Mood, text string) {
	late := g.play.Told[max(0, len(g.play.Told)-8):]
	if !slices.ContainsFunc(late, func(t lab.Told) bool { return t.Text == text }) {
		g.tell(mood, text)
	}
}

// guest is whoever asks, by the fingerprint of their cookie.
func (g *game) guest(session string) lab.Guest {
	you := lab.Guest{Session: session}
	s := g.sessions[session]
	if session == "" || s == nil {
		return you
	}
	you.MadeBy, you.Gone = s.by, s.gone
	if s.gone == "" {
		you.Gone, you.At = s.missed, g.whereIs(s)
	}
	return you
}

func (g *game) whereIs(s *held) []string {
	switch k := g.topology.Kind; {
	case k == lab.InBrowser:
		return []string{lab.AtBrowser}
	case k == lab.Replicated:
		var all []string
		for _, n := range g.play.Deployed.Nodes {
			if n.Kind == lab.NodeServer && n.State == lab.NodeUp {
				all = append(all, n.Name)
			}
		}
		return all
	case k.Outside():
		return []string{lab.AtStore}
	}
	return []string{s.by}
}

// cue begins an event. It goes on after the answer.
func (g *game) cue(c lab.Cue) error {
	e, known := lab.FindEvent(c.Event)
	switch {
	case !known && c.Event != lab.Mend, c.Event == lab.Steady:
		return problem.New(problem.ParameterInvalid, nil)
	case known && g.topology.Spared(c.Event) != "":
		return problem.New(problem.LabUnavailable, nil).WithDetail(g.topology.Spared(c.Event))
	}
	g.ground.mu.Lock()
	defer g.ground.mu.Unlock()
	switch {
	case g.world == nil:
		return problem.New(problem.NotFound, nil)
	case g.play.Busy != "":
		return problem.New(problem.LabBusy, nil)
	case c.Server != "" && !slices.ContainsFunc(g.play.Deployed.Nodes, func(n lab.Node) bool { return n.Kind == lab.NodeServer && n.Name == c.Server }):
		return problem.New(problem.ParameterInvalid, nil)
	}
	g.play.Busy, g.used = c.Event, time.Now()
	world := g.world
	g.ground.touch()
	g.acts.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
		defer cancel()
		err := act(ctx, world, c)
		g.change(func() {
			g.play.Busy = ""
			if err != nil {
				g.ground.cfg.Log.Error("an event failed", "event", c.Event, "error", err)
				g.tell(lab.Bad, "That could not be done: "+err.Error()+".")
				return
			}
			g.after(e, c)
		})
		g.poke()
	})
	return nil
}

func act(ctx context.Context, w *topology.World, c lab.Cue) error {
	switch {
	case c.Event == lab.Mend:
		return w.Mend(ctx)
	case c.Server == "":
	case c.Event == lab.KillApp:
		return w.Kill(c.Server)
	case c.Event == lab.RestartApp:
		return w.Restart(ctx, c.Server)
	case c.Event == lab.CutStore:
		return w.Cut(c.Server, true)
	}
	return w.Do(ctx, c.Event)
}
