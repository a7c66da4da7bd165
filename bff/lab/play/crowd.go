package play

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cloakroom/bff/demo/idp/person"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/lab/visitor"
	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Options of a Crowd.
type Options struct {
	// Visitors is how many sign in and call; at most those the world has accounts
	// for, less one, who signs out.
	Visitors int
	// Pace is how long a visitor waits between calls, in the mean. Visitors in step
	// would each meet the same server again and again, where servers take turns.
	Pace time.Duration
}

// Crowd are visitors of a world.
type Crowd struct {
	world   *topology.World
	options Options
	site    *visitor.Site
	guests  []*guest
	spare   *guest // signs in and out again
	terse   bool   // the balancer's own 503 says no more than that
	book    *book

	// signIns counts them, and useless those whose session nobody served.
	signIns, useless atomic.Int64

	mu     sync.Mutex
	ghosts []*ghost
}

// guest is one visitor, and whom the answers must be for.
type guest struct {
	*visitor.Visitor
	person topology.Person
}

// ghost is a copy of the cookies of a session that was signed out.
type ghost struct {
	*visitor.Visitor
	at   time.Time // from then on nobody may serve it
	back bool      // somebody did
}

// grace is how long a server may go on serving a session that another ended:
// two seconds for a copy near (session.near_cache.max_age), and for a session in
// the browser between two looks at the denylist; and some for the scheduler.
const grace = 3 * time.Second

// mostGhosts bounds how many of them haunt a topology; the latest do.
const mostGhosts = 12

// Gather signs everybody in.
func Gather(ctx context.Context, w *topology.World, o Options) (*Crowd, error) {
	c := &Crowd{world: w, options: o, site: visitor.NewSite(w.Origin(), w.Roots()), book: &book{}, terse: w.State().Balancer != lab.Embedded}
	for n := range o.Visitors + 1 {
		p := topology.Visitor(n)
		g := &guest{visitor.New(c.site, p.User, p.Password), p}
		if n == o.Visitors {
			c.spare = g
			break
		}
		c.guests = append(c.guests, g)
	}
	if err := c.signInAll(ctx, c.guests); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close lets go of the connections.
func (c *Crowd) Close() { c.site.Close() }

// signInAll has some sign in, a few at a time.
func (c *Crowd) signInAll(ctx context.Context, some []*guest) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(4)
	for _, g := range some {
		all.Go(func() error { return c.signIn(ctx, g) })
	}
	return all.Wait()
}

// signIn has a guest sign in, and again if the server says to come again, or if
// the session is where the balancer does not lead.
func (c *Crowd) signIn(ctx context.Context, g *guest) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := g.SignIn(ctx)
		c.signIns.Add(1)
		if statusOf(err) == http.StatusUnauthorized && time.Now().Before(deadline) {
			c.useless.Add(1)
			continue
		}
		if err == nil && g.Subject != g.person.Subject {
			c.book.wrong(lab.NotAnother, "%s signed in and is %q", g.person.User, g.Subject)
		}
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) || statusOf(err) != http.StatusServiceUnavailable {
			if err != nil {
				return fmt.Errorf("play: sign %s in: %w", g.person.User, err)
			}
			return nil
		}
		wait(ctx, 300*time.Millisecond)
	}
}

// statusOf is how a sign-in was answered; 0: not at all.
func statusOf(err error) int {
	var ended *visitor.SignInError
	var stuck *person.StuckError
	switch {
	case errors.As(err, &ended):
		return ended.Status
	case errors.As(err, &stuck):
		return stuck.Status
	}
	return 0
}

// codeOf is the code with it; "": there is none.
func codeOf(err error) problem.Code {
	var ended *visitor.SignInError
	if errors.As(err, &ended) {
		return ended.Code
	}
	return ""
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// load is calls without an end, until stop.
type load struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

// start has everybody call again and again. again signs in who is refused; nil:
// they go on showing what they have.
func (c *Crowd) start(ctx context.Context, again func(context.Context, *guest)) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop}
	for n, g := range c.guests {
		l.done.Go(func() {
			wait(ctx, rand.N(c.options.Pace)) // not all at once
			for i := n; ctx.Err() == nil; i++ {
				if c.ask(ctx, g, paths[i%len(paths)]) == refused && again != nil {
					again(ctx, g)
				}
				wait(ctx, c.options.Pace/2+rand.N(c.options.Pace))
			}
		})
	}
	l.done.Go(func() { c.haunt(ctx) })
	return l
}

func (l *load) end() {
	l.stop()
	l.done.Wait()
}

// haunt shows the cookies of who signed out, in turn.
func (c *Crowd) haunt(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.mu.Lock()
		var g *ghost
		if len(c.ghosts) > 0 {
			g = c.ghosts[n%len(c.ghosts)]
		}
		c.mu.Unlock()
		if g == nil || time.Now().Before(g.at) {
			continue
		}
		if got, err := g.Call(ctx, shared.PathUser); err == nil && got.Status == http.StatusOK {
			c.mu.Lock()
			g.back = true
			c.mu.Unlock()
			c.book.wrong(lab.NotBack, "a session that had signed out %v before was served", time.Since(g.at.Add(-grace)).Round(100*time.Millisecond))
		}
	}
}

// layToRest forgets those that came back, since that was told.
func (c *Crowd) layToRest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ghosts = slices.DeleteFunc(c.ghosts, func(g *ghost) bool { return g.back })
}

// leave has somebody sign in and out again, and keeps a copy of the cookies. ok
// is false if the sign-out was not answered as done.
func (c *Crowd) leave(ctx context.Context, g *guest) (ok bool, err error) {
	if err := c.signIn(ctx, g); err != nil {
		return false, err
	}
	return c.signOut(ctx, g)
}

func (c *Crowd) signOut(ctx context.Context, g *guest) (ok bool, err error) {
	thief := g.Thief()
	got, err := g.SignOut(ctx)
	if err != nil {
		return false, err
	}
	if got.Status != http.StatusSeeOther {
		c.complaint("signing out", got)
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ghosts = append(c.ghosts, &ghost{Visitor: thief, at: time.Now().Add(grace)})
	if len(c.ghosts) > mostGhosts {
		c.ghosts = c.ghosts[1:]
	}
	return true, nil
}

// alive reports whether somebody serves a guest: every server is asked, more than
// once, since who is served by one is not lost. It asks until there is an answer.
func (c *Crowd) alive(ctx context.Context, g *guest) (bool, error) {
	deadline := time.Now().Add(20 * time.Second)
	refusals, want := 0, 4*c.servers()
	for refusals < want {
		switch c.ask(ctx, g, shared.PathUser) {
		case served:
			return true, ctx.Err()
		case refused:
			refusals++
		default:
			if time.Now().After(deadline) {
				return false, errors.New("play: nobody says whether a session is still there")
			}
			wait(ctx, 200*time.Millisecond)
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// servers is how many there are now.
func (c *Crowd) servers() (n int) {
	for _, node := range c.world.State().Nodes {
		if node.Kind == lab.NodeServer {
			n++
		}
	}
	return n
}
