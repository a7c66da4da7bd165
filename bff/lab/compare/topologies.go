package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloakroom/bff/lab/play"
	"cloakroom/bff/lab/topology"
	"cloakroom/shared/lab"
)

// TopologyChoice is what is to be run: each event on each topology that it can
// happen to.
type TopologyChoice struct {
	Topologies []lab.Topology
	Events     []lab.Event
	// Named: the topologies were asked for by their IDs.
	Named bool
}

// ChooseTopologies finds what IDs of topologies and events name. Without one of a
// topology all are chosen, and without one of an event all of those. Its errors
// are *UnknownError, joined.
func ChooseTopologies(ids []string) (TopologyChoice, error) {
	c := TopologyChoice{lab.Topologies(), lab.Events(), false}
	topologyID, eventID := func(t lab.Topology) string { return t.ID }, func(e lab.Event) string { return e.ID }
	if err := all(ids, slices.Concat(idsOf(c.Topologies, topologyID), idsOf(c.Events, eventID))); err != nil {
		return TopologyChoice{}, err
	}
	if chosen := named(c.Topologies, ids, topologyID); len(chosen) > 0 {
		c.Topologies, c.Named = chosen, true
	}
	if chosen := named(c.Events, ids, eventID); len(chosen) > 0 {
		c.Events = chosen
	}
	return c, nil
}

func idsOf[T any](all []T, id func(T) string) []string {
	var ids []string
	for _, one := range all {
		ids = append(ids, id(one))
	}
	return ids
}

// TopologyOptions of a run.
type TopologyOptions struct {
	Choice TopologyChoice
	// Program is the file of the Cloakroom that is run, Version what it is.
	Program, Version string
	// Instances is how many servers there are where there are many, at least 2.
	// Those that share their memory are one more, if that is an even number.
	Instances int
	// Balancer is one of lab.Balancers, and TLS whether it ends TLS; those that
	// people deploy always do.
	Balancer string
	TLS      bool
	// Visitors and Pace are the load; 0: 24, each with a call every 75 ms.
	Visitors int
	Pace     time.Duration
	// Progress is told of every result; nil discards.
	Progress io.Writer
}

// atOnce is how many topologies run at the same time: they wait more than they
// work. What nothing happens to has the machine to itself.
const atOnce = 3

// Missing says what has to be installed for what is named, all at once; nil:
// nothing. What is missing for a topology that nobody named is in the report.
func (o TopologyOptions) Missing() error {
	var problems []error
	for _, t := range o.Choice.Topologies {
		if err := topology.Missing(t, o.Balancer); err != nil && o.Choice.Named {
			problems = append(problems, fmt.Errorf("%s: %w", t.ID, err))
		}
	}
	return errors.Join(problems...)
}

// Topologies runs what is chosen and returns what came out. A result that the
// lab could not get is in the report as such; the error is for a lab that was
// told to end by ctx. All that it started has ended when it returns.
func Topologies(ctx context.Context, o TopologyOptions) (lab.TopologyReport, error) {
	o.Instances, o.Balancer = cmp.Or(o.Instances, 3), cmp.Or(o.Balancer, lab.Embedded)
	o.Visitors, o.Pace = cmp.Or(o.Visitors, 24), cmp.Or(o.Pace, 75*time.Millisecond)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := o.Missing(); err != nil {
		return lab.TopologyReport{}, err
	}
	var here []lab.Topology
	for _, t := range o.Choice.Topologies {
		if topology.Missing(t, o.Balancer) == nil {
			here = append(here, t)
		}
	}
	if err := topology.Prepare(ctx, here, o.Balancer, o.Progress); err != nil {
		return lab.TopologyReport{}, err
	}
	began := time.Now()
	s := &season{TopologyOptions: o, rows: make([]row, len(o.Choice.Topologies))}
	for _, t := range o.Choice.Topologies {
		s.left += len(s.events(t))
	}
	s.total = s.left
	running, ctx := errgroup.WithContext(ctx)
	running.SetLimit(atOnce)
	for n, t := range o.Choice.Topologies {
		running.Go(func() (err error) {
			s.rows[n], err = s.row(ctx, t)
			return err
		})
	}
	if err := running.Wait(); err != nil {
		return lab.TopologyReport{}, err
	}
	made := lab.TopologyReport{
		Instances: o.Instances, Balancer: o.Balancer, TLS: o.TLS || o.Balancer != lab.Embedded, Visitors: o.Visitors,
		Made: lab.Made{
			At: began.UTC().Truncate(time.Second), Took: time.Since(began).Round(time.Millisecond),
			Cloakroom: o.Version, Machine: describeMachine(),
		},
	}
	for _, r := range s.rows {
		made.Topologies = append(made.Topologies, r.costs)
		made.Played = append(made.Played, r.played...)
	}
	return made, nil
}

// season is one run.
type season struct {
	TopologyOptions
	// quiet is held for what wants the machine to itself, and shared by all else
	// that works.
	quiet sync.RWMutex

	mu          sync.Mutex
	total, left int
	rows        []row
}

type row struct {
	costs  lab.Costs
	played []lab.Played
}

// events are those of the choice that a topology has, what changes it for good at
// the end.
func (s *season) events(t lab.Topology) []lab.Event {
	var list []lab.Event
	for _, e := range s.Choice.Events {
		if t.Spared(e.ID) == "" {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b lab.Event) int {
		last := map[string]int{lab.AddApp: 1}
		return last[a.ID] - last[b.ID]
	})
	return list
}

// row runs one topology through all its events.
func (s *season) row(ctx context.Context, t lab.Topology) (r row, err error) {
	stand := &stand{season: s, topology: t}
	defer func() { err = errors.Join(err, stand.leave()) }()
	r.costs.Topology = t.ID
	if err := topology.Missing(t, s.Balancer); err != nil {
		r.costs.Missing = err.Error()
		s.tell(t.ID, "", r.costs.Missing, len(s.events(t)))
		return r, nil
	}
	if r.costs, err = stand.enter(ctx); err != nil {
		return r, err
	}
	for _, e := range s.events(t) {
		p, err := stand.play(ctx, e.ID)
		if err != nil {
			return r, err
		}
		r.played = append(r.played, p)
		s.tell(t.ID, e.ID, inWords(p), 1)
	}
	return r, nil
}

func (s *season) tell(topology, event, result string, done int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left -= done
	fmt.Fprintf(s.Progress, "[%d/%d] %s %s %s\n", s.total-s.left, s.total, topology, event, result)
}

func inWords(p lab.Played) string {
	switch {
	case p.Failed != "":
		return "failed: " + p.Failed
	case p.Missing != "":
		return "n/a: " + p.Missing
	}
	text := fmt.Sprintf("%d of %d sessions lost, of %d requests %d refused, %d declared, %d failed", p.Lost, p.Sessions, p.Requests.All(), p.Requests.Refused, p.Requests.Declared, p.Requests.Failed)
	for _, w := range p.Wrongs {
		text += fmt.Sprintf("; WRONG %s, %d times: %s", w.Rule, w.Times, w.Saw)
	}
	return text
}

// stand is a topology's world and its crowd.
type stand struct {
	*season
	topology lab.Topology
	world    *topology.World
	crowd    *play.Crowd
}

// enter starts the world and has the crowd sign in. Where the lab fails, the
// costs say so.
func (s *stand) enter(ctx context.Context) (lab.Costs, error) {
	costs, err := s.open(ctx)
	if err != nil && ctx.Err() == nil { // a port that was taken, for one
		_ = s.leave()
		costs, err = s.open(ctx)
	}
	if ctx.Err() != nil {
		return costs, ctx.Err()
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n") // a server's log follows
		costs = lab.Costs{Topology: s.topology.ID, Failed: first}
	}
	return costs, nil
}

func (s *stand) open(ctx context.Context) (lab.Costs, error) {
	instances := s.Instances
	if s.topology.Kind == lab.Replicated && instances%2 == 0 {
		instances++
	}
	s.quiet.RLock()
	world, err := topology.Start(ctx, s.topology, topology.Options{
		Program: s.Program, Instances: instances, Balancer: s.Balancer, TLS: s.TLS, Visitors: s.Visitors + 1, Progress: s.Progress,
	})
	s.quiet.RUnlock()
	if err != nil {
		return lab.Costs{}, err
	}
	s.world = world
	s.quiet.RLock()
	defer s.quiet.RUnlock()
	crowd, costs, err := play.Measure(ctx, world, play.Options{Visitors: s.Visitors, Pace: s.Pace})
	s.crowd = crowd
	return costs, err
}

// play has an event happen, and once more, in a world that is new, if the lab
// itself failed. What the event comes to is never a reason.
func (s *stand) play(ctx context.Context, event string) (lab.Played, error) {
	first, err := s.once(ctx, event)
	if err != nil || first.Failed == "" {
		return first, err
	}
	if err := s.leave(); err != nil {
		fmt.Fprintln(s.Progress, err)
	}
	if _, err := s.enter(ctx); err != nil {
		return first, err
	}
	second, err := s.once(ctx, event)
	second.Steps = append([]string{"a first attempt failed, and this is the second: " + first.Failed}, second.Steps...)
	return second, err
}

func (s *stand) once(ctx context.Context, event string) (lab.Played, error) {
	if s.crowd == nil {
		return lab.Played{Topology: s.topology.ID, Event: event, Steps: []string{}, Failed: "the topology did not start"}, ctx.Err()
	}
	switch event {
	case lab.Steady:
		s.quiet.Lock()
		defer s.quiet.Unlock()
	case lab.RotateKeys: // it waits, for half a minute
	default:
		s.quiet.RLock()
		defer s.quiet.RUnlock()
	}
	return s.crowd.Play(ctx, event)
}

func (s *stand) leave() error {
	if s.crowd != nil {
		s.crowd.Close()
		s.crowd = nil
	}
	if s.world == nil {
		return nil
	}
	leaving := s.world
	s.world = nil
	return leaving.Close()
}
