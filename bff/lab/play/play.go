package play

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloakroom/shared/lab"
)

// The parts of a play. Each is long enough for a figure, and short enough that
// all of them take minutes.
const (
	tick  = 100 * time.Millisecond
	lead  = time.Second      // of load before the event
	calm  = time.Second      // of good answers, after which things are right again
	limit = 15 * time.Second // for that, once everything was mended
)

// harms is how long what an event breaks is left so; an event that is not here
// breaks nothing that does not mend by itself.
var harms = map[string]time.Duration{
	lab.KillApp: 2 * time.Second, lab.KillStore: 2 * time.Second, lab.FullStore: time.Second,
	lab.CutStore: 6 * time.Second, lab.ProviderDown: 2 * time.Second, lab.Failover: 0,
}

// lasts is how long the load goes on after an event at the least.
var lasts = map[string]time.Duration{lab.Steady: 3 * time.Second, lab.FlushStore: 3 * time.Second, lab.AddApp: 2 * time.Second}

// Play has an event happen under load. What kept it from being played is in the
// result; the error is for a lab that is broken, or was told to end.
func (c *Crowd) Play(ctx context.Context, event string) (lab.Played, error) {
	p := lab.Played{Topology: c.world.Topology().ID, Event: event, Tick: tick, Steps: []string{}}
	if why := c.world.Spared(event); why != "" {
		p.Missing = why
		return p, nil
	}
	if err := c.play(ctx, &p); err != nil {
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		p.Failed, _, _ = strings.Cut(err.Error(), "\n") // a server's log follows
	}
	return p, nil
}

func (c *Crowd) play(ctx context.Context, p *lab.Played) error {
	c.book = &book{}
	if err := c.settle(ctx); err != nil {
		return err
	}
	c.layToRest()
	if _, err := c.leave(ctx, c.spare); err != nil {
		return err
	}
	c.book = &book{} // of now
	say := func(format string, args ...any) { p.Steps = append(p.Steps, fmt.Sprintf(format, args...)) }

	before, err := c.world.Metrics(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	l := c.start(ctx, nil)
	defer l.end()
	wait(ctx, lead)

	at := time.Now()
	if err := c.world.Do(ctx, p.Event); err != nil {
		return err
	}
	if took := time.Since(at).Round(time.Millisecond); p.Event != lab.Steady {
		say("%s, which took %v", p.Event, took)
	}
	wait(ctx, lasts[p.Event])
	var mended time.Time
	if harm, ok := harms[p.Event]; ok {
		wait(ctx, harm)
		say("who wants to sign in meanwhile: %s", c.tryToSignIn(ctx))
		mended = time.Now()
		if err := c.world.Mend(ctx); err != nil {
			return err
		}
		say("mended after %v, which took %v", mended.Sub(at).Round(time.Millisecond), time.Since(mended).Round(time.Millisecond))
	}
	c.awaitCalm(ctx, at)
	l.end()
	ended := time.Now()
	if err := ctx.Err(); err != nil {
		return err
	}
	after, err := c.world.Metrics(ctx)
	if err != nil {
		return err
	}
	c.timeline(p, began, at, mended, ended)
	trips(p, before, after)
	return c.count(ctx, p)
}

// settle has everything right, and everybody signed in.
func (c *Crowd) settle(ctx context.Context) error {
	if err := c.world.Mend(ctx); err != nil {
		return err
	}
	var out []*guest
	for _, g := range c.guests {
		in, err := c.alive(ctx, g)
		if err != nil {
			return err
		}
		if !in {
			g.Forget(c.world.Origin()) // a new browser, so that a balancer spreads them anew
			out = append(out, g)
		}
	}
	return c.signInAll(ctx, out)
}

// awaitCalm returns once no answer was bad for a while, or that takes too long.
func (c *Crowd) awaitCalm(ctx context.Context, at time.Time) {
	mended := time.Now()
	for ctx.Err() == nil && time.Since(mended) < limit {
		since := mended
		if last := c.book.lastBad(at); last.After(since) {
			since = last
		}
		if time.Since(since) >= calm {
			return
		}
		wait(ctx, tick)
	}
}

// tryToSignIn says in words what becomes of who tries once, and judges it.
func (c *Crowd) tryToSignIn(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := c.spare.SignIn(ctx)
	if err == nil {
		return "is signed in"
	}
	c.wrongSignIn(ctx, err)
	if status := statusOf(err); status != 0 {
		return fmt.Sprintf("is answered %d %s", status, codeOf(err))
	}
	return "gets no answer"
}

// timeline puts what the crowd saw into numbers.
func (c *Crowd) timeline(p *lab.Played, began, at, mended, ended time.Time) {
	entry := func(t time.Time) int { return int(t.Sub(began) / tick) }
	p.Timeline = make([]lab.Outcomes, entry(ended)+1)
	p.Begins = entry(at)
	if !mended.IsZero() {
		p.Ends = entry(mended)
	}
	var times []time.Duration
	for _, r := range c.book.since(began) {
		// Where it ended: there it was seen.
		add(&p.Timeline[min(entry(r.ended()), len(p.Timeline)-1)], r.as)
		if r.ended().Before(at) {
			continue
		}
		add(&p.Requests, r.as)
		if r.as == served {
			times = append(times, r.took)
		}
	}
	p.Times = spread(times)
	recovery := 0.0
	last := c.book.lastBad(began)
	switch {
	case last.IsZero() || last.Before(at):
		p.Recovery = &recovery
	case ended.Sub(last) >= calm:
		recovery = milliseconds(last.Sub(at))
		p.Recovery = &recovery
	}
}

// count finds whose sessions are left, and what was wrong.
func (c *Crowd) count(ctx context.Context, p *lab.Played) error {
	p.Sessions = len(c.guests)
	for _, g := range c.guests {
		in, err := c.alive(ctx, g)
		if err != nil {
			return err
		}
		if !in {
			p.Lost++
		}
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	p.Wrongs = slices.Clone(c.book.wrongs)
	p.Steps = append(p.Steps, c.book.notes...)
	return nil
}

func add(o *lab.Outcomes, as outcome) {
	switch as {
	case served:
		o.Served++
	case refused:
		o.Refused++
	case declared:
		o.Declared++
	case failed:
		o.Failed++
	}
}

func spread(times []time.Duration) lab.Spread {
	if len(times) == 0 {
		return lab.Spread{}
	}
	slices.Sort(times)
	at := func(q float64) float64 { return milliseconds(times[int(q*float64(len(times)-1)+.5)]) }
	return lab.Spread{P50: at(.5), P99: at(.99), N: len(times)}
}

// milliseconds to a microsecond.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
