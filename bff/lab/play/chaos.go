package play

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cloakroom/shared/lab"
)

// Chaos is what came out of kills at random.
type Chaos struct {
	Seed     uint64
	Actions  []string // what was done, and when
	Requests lab.Outcomes
	SignOuts int // that were answered as done
	SignIns  int // of those who were refused
	Wrongs   []lab.Wrong
	Notes    []string
	// Stranded are those who could not sign in once all was right again.
	Stranded []string
}

// Chaos kills servers and parts of the store at random for a while, and brings
// them back, while everybody calls and somebody signs in and out. One server
// stays, and of the store all but one process. Who is refused signs in again.
// The same seed makes the same choices; what there is to choose from depends on
// how fast things come back.
func (c *Crowd) Chaos(ctx context.Context, seed uint64, d time.Duration) (made Chaos, err error) {
	c.book = &book{}
	made.Seed = seed
	var signIns, signOuts atomic.Int64
	again := func(ctx context.Context, g *guest) {
		if c.comeBack(ctx, g) {
			signIns.Add(1)
		}
	}
	began := time.Now()
	l := c.start(ctx, again)
	// stop makes no half-finished calls of those who sign in and out.
	leaving, stop := context.WithCancel(ctx)
	var turnstile sync.WaitGroup
	turnstile.Go(func() {
		for leaving.Err() == nil {
			if c.comeBack(leaving, c.spare) {
				if ok, err := c.signOut(leaving, c.spare); err == nil && ok {
					signOuts.Add(1)
				}
			}
			wait(leaving, 200*time.Millisecond)
		}
	})
	r := rand.New(rand.NewPCG(seed, seed))
	for err == nil && ctx.Err() == nil && time.Since(began) < d {
		wait(ctx, time.Duration(100+r.IntN(900))*time.Millisecond)
		at := time.Since(began)
		var what string
		if what, err = c.upset(ctx, r); what != "" {
			made.Actions = append(made.Actions, fmt.Sprintf("%.1f s: %s", at.Seconds(), what))
		}
	}
	stop()
	turnstile.Wait()
	l.end()
	made.SignIns, made.SignOuts = int(signIns.Load()), int(signOuts.Load())
	if err != nil {
		return made, err
	}
	if err := c.world.Mend(ctx); err != nil {
		return made, err
	}
	for _, g := range c.guests {
		in, err := c.alive(ctx, g)
		if err != nil {
			return made, err
		}
		if !in && !c.comeBack(ctx, g) {
			made.Stranded = append(made.Stranded, g.person.User)
		}
	}
	for _, one := range c.book.since(began) {
		add(&made.Requests, one.as)
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	made.Wrongs, made.Notes = slices.Clone(c.book.wrongs), slices.Clone(c.book.notes)
	return made, ctx.Err()
}

// comeBack signs a guest in, and judges how that is answered.
func (c *Crowd) comeBack(ctx context.Context, g *guest) bool {
	err := c.signIn(ctx, g)
	if err == nil {
		return true
	}
	c.wrongSignIn(ctx, err)
	return false
}

// wrongSignIn judges how a sign-in failed.
func (c *Crowd) wrongSignIn(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	c.book.note("%v", err)
	if status := statusOf(err); status >= 500 && status != http.StatusServiceUnavailable {
		c.book.wrong(lab.Not5xx, "%v", err)
	}
}

// upset does one thing at random, and says what.
func (c *Crowd) upset(ctx context.Context, r *rand.Rand) (string, error) {
	var up, down, nodes, lost []string
	for _, n := range c.world.State().Nodes {
		switch is := n.State == lab.NodeUp; {
		case n.Kind == lab.NodeServer && is:
			up = append(up, n.Name)
		case n.Kind == lab.NodeServer:
			down = append(down, n.Name)
		case n.Kind == lab.NodeStore && is:
			nodes = append(nodes, n.Name)
		case n.Kind == lab.NodeStore:
			lost = append(lost, n.Name)
		}
	}
	type action struct {
		words string
		do    func() error
	}
	var can []action
	one := func(list []string) string { return list[r.IntN(len(list))] }
	if len(up) > 1 {
		name := one(up)
		can = append(can, action{"kill server " + name, func() error { return c.world.Kill(name) }})
		name = one(up)
		can = append(can, action{"restart server " + name, func() error { return c.world.Restart(ctx, name) }})
	}
	if len(down) > 0 {
		name := one(down)
		can = append(can, action{"start server " + name, func() error { return c.world.Restart(ctx, name) }})
	}
	if len(lost) == 0 {
		name := one(nodes)
		can = append(can, action{"kill " + name, func() error { return c.world.EndNode(name) }})
	} else {
		can = append(can, action{"start " + lost[0], c.world.StartStore})
	}
	chosen := can[r.IntN(len(can))]
	return chosen.words, chosen.do()
}
