package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
)

// Chaos is a kind of store that is under load while its server is hurt.
type Chaos struct {
	Telltale
	// Stores are instances that share their sessions; all are under load.
	Stores []session.Store
	// Hurt does the damage while the load goes on, and returns when everything
	// runs again that is not ours.
	Hurt func(t *testing.T, l *Load)
	// Forgets says that sessions may vanish from the moment Hurt begins. Without
	// it, what was acknowledged stays.
	Forgets bool
	// Guests is how many users there are; 0 means 1,000. Claims is how many bytes
	// of claims each session has besides.
	Guests, Claims int
}

const chaosWorkers = 8

// settle is how many calls of a kind must succeed for things to have settled.
func (c Chaos) settle() int64 { return int64(c.Guests / 10) }

// RunChaos signs a thousand users in, uses, changes and ends their sessions
// while Hurt does its work, and checks that
//
//   - no write that was acknowledged is lost, unless the store Forgets,
//   - no session that was deleted is ever back, nor one that vanished,
//   - no session is ever served to another user, or with the tokens of another
//     moment,
//   - a failure is an error that says so, and never ErrNotFound,
//   - the stores work again by themselves, and whoever's session is gone can
//     sign in again.
func RunChaos(t *testing.T, c Chaos) {
	if c.Guests == 0 {
		c.Guests = 1000
	}
	l := newLoad(t, c)
	for _, s := range c.Stores {
		Recovers(t, s) // some take their time to start
	}
	l.signAllIn()
	l.start()
	l.Wait(Reading, c.settle())
	l.hurt.Store(true)
	c.Hurt(t, l)
	for _, s := range c.Stores {
		Recovers(t, s)
	}
	for _, what := range []Kind{Reading, Changing, Ending, SigningIn} {
		l.Wait(what, c.settle())
	}
	l.end()
	l.heal()
	l.check()
}

// One is the instances of a store that has one.
func One(s session.Store) []session.Store { return []session.Store{s} }

// KillAndRestart hurts a server that loses what it did not keep.
func KillAndRestart(s interface {
	Kill()
	Restart()
}) func(*testing.T, *Load) {
	return func(_ *testing.T, l *Load) {
		for range 2 { // the second time it has just recovered
			s.Kill()
			l.WaitFailure(Reading)
			l.WaitFailure(Ending)
			s.Restart()
			l.Wait(Changing, l.settle())
		}
	}
}

// issuer of all the sessions of a Load.
const issuer = "https://idp.example"

// guest is a user and what was acknowledged of their session.
type guest struct {
	subject string
	claims  []byte

	mu     sync.Mutex
	ticket session.Ticket
	// kept is the Refreshes of the last change that was acknowledged, tried that
	// of the last one that was attempted.
	kept, tried int
	state       state
	ended       []session.Ticket // of sessions that are gone
}

// state is what is known of a guest's session.
type state int

const (
	signedOut state = iota // it was deleted, or has vanished
	signedIn
	unsure // a delete of it is under way, or has failed
)

// seen is a guest at one moment.
type seen struct {
	ticket      session.Ticket
	kept, tried int
	state       state
}

func (g *guest) seen() seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return seen{g.ticket, g.kept, g.tried, g.state}
}

func (g *guest) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// leave ends the guest's session for good, if it still is the one of ticket.
func (g *guest) leave(ticket session.Ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ticket == ticket && g.state != signedOut {
		g.state = signedOut
		g.ended = append(g.ended, ticket)
	}
}

// tokens are those of the guest's session after n changes.
func (g *guest) tokens(n int) session.Tokens {
	return session.Tokens{Access: token("access", g.subject, n), Refresh: token("refresh", g.subject, n)}
}

// mine reports whether s is the guest's session, whole, after some number of
// changes.
func (g *guest) mine(s session.Session) bool {
	want := g.tokens(s.Refreshes)
	return s.Issuer == issuer && s.Subject == g.subject &&
		s.Tokens.Access.Reveal() == want.Access.Reveal() && s.Tokens.Refresh.Reveal() == want.Refresh.Reveal()
}

// signIn makes a new session of the guest.
func (g *guest) signIn(ctx context.Context, m *session.Manager) error {
	ticket, err := m.Create(ctx, session.Session{Issuer: issuer, Subject: g.subject, SID: "sid-" + g.subject, Claims: g.claims, Tokens: g.tokens(0)})
	if err == nil {
		g.set(func() { g.ticket, g.kept, g.tried, g.state = ticket, 0, 0, signedIn })
	}
	return err
}

// read asks for the guest's session and judges the answer by what was known
// before and after.
func (l *Load) read(ctx context.Context, m *session.Manager, g *guest) {
	before := g.seen()
	s, err := m.Load(ctx, before.ticket)
	after := g.seen()
	same := after.ticket == before.ticket
	switch {
	case l.went(ctx, Reading, g, err):
		switch {
		case !g.mine(s):
			l.wrong("a session of %s was served as that of %s, changed %d times", s.Subject, g.subject, s.Refreshes)
		case before.state == signedOut:
			l.wrong("a session that had ended is back")
		case s.Refreshes < before.kept || same && s.Refreshes > after.tried:
			l.wrong("a session was served at change %d, which had %d acknowledged and %d attempted", s.Refreshes, before.kept, after.tried)
		}
	case errors.Is(err, session.ErrNotFound) && same && before.state == signedIn && after.state == signedIn:
		l.vanished(g, before.ticket, err)
	}
}

// change renews the guest's tokens.
func (l *Load) change(ctx context.Context, m *session.Manager, g *guest) {
	var n int
	g.set(func() { g.tried++; n = g.tried })
	before := g.seen()
	_, err := m.Update(ctx, before.ticket, func(s *session.Session) error {
		if !g.mine(*s) || s.Refreshes < before.kept {
			l.wrong("a session to be changed is of %s at change %d, not of %s at %d", s.Subject, s.Refreshes, g.subject, before.kept)
		}
		s.Refreshes, s.Tokens = n, g.tokens(n)
		return nil
	})
	if l.went(ctx, Changing, g, err) {
		g.set(func() { g.kept = n })
	} else if errors.Is(err, session.ErrNotFound) && g.seen().state == signedIn {
		l.vanished(g, before.ticket, err)
	}
}

// leave ends the guest's session while a change of it is under way.
func (l *Load) leave(ctx context.Context, m *session.Manager, g *guest) {
	var n int
	g.set(func() { g.state = unsure; g.tried++; n = g.tried })
	begun, written := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	go func() {
		defer close(written)
		defer begin()
		_, _ = m.Update(ctx, g.ticket, func(s *session.Session) error { // whatever comes of it
			s.Refreshes, s.Tokens = n, g.tokens(n)
			begin() // it is read: the write may come before the delete or after it
			return nil
		})
	}()
	<-begun
	err := m.Delete(ctx, g.ticket)
	<-written
	if l.went(ctx, Ending, g, err) {
		g.leave(g.ticket)
	}
}

// vanished notes that a session is gone which nobody ended.
func (l *Load) vanished(g *guest, ticket session.Ticket, err error) {
	if !l.Forgets || !l.hurt.Load() {
		l.failed[Reading].Add(1) // though it does not look like it
		l.wrong("a session that nobody ended is not found: %v", err)
	}
	l.lost.Add(1)
	g.leave(ticket)
}

// heal lets everybody sign in who is not.
func (l *Load) heal() {
	l.t.Helper()
	l.everyone(func(i int, g *guest) {
		m := l.manager(i)
		if g.state == unsure {
			if err := l.insist(func(ctx context.Context) error { return m.Delete(ctx, g.ticket) }); err != nil {
				l.wrong("a sign-out after the damage = %v", err)
			}
			g.leave(g.ticket)
		}
		if g.state == signedIn {
			if _, err := l.load(m, g.ticket); errors.Is(err, session.ErrNotFound) {
				l.vanished(g, g.ticket, err)
			}
		}
		if g.state == signedOut {
			if err := l.insist(func(ctx context.Context) error { return g.signIn(ctx, m) }); err != nil {
				l.wrong("a sign-in after the damage = %v", err)
			}
		}
	})
}

// insist repeats a call while it is the store that fails: a cluster settles in
// its own time.
func (l *Load) insist(call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := call(ctx)
		if err == nil || errors.Is(err, session.ErrNotFound) || ctx.Err() != nil {
			return err
		}
		<-again.C
	}
}

func (l *Load) load(m *session.Manager, ticket session.Ticket) (s session.Session, err error) {
	err = l.insist(func(ctx context.Context) (err error) { s, err = m.Load(ctx, ticket); return err })
	return s, err
}

// check compares what every store holds with what was acknowledged.
func (l *Load) check() {
	l.t.Helper()
	ended := 0
	for _, g := range l.guests {
		ended += len(g.ended)
	}
	l.t.Logf("%d sessions live, %d ended, %d of them vanished; %s", len(l.guests), ended, l.lost.Load(), l.tally())
	if ended == 0 {
		l.t.Error("no session was ended: this test needs more load")
	}
	for _, m := range l.managers {
		l.everyone(func(_ int, g *guest) {
			l.checkGuest(m, g)
		})
	}
}

func (l *Load) checkGuest(m *session.Manager, g *guest) {
	s, err := l.load(m, g.ticket)
	if errors.Is(err, session.ErrNotFound) && l.Forgets { // to make room for another's
		l.vanished(g, g.ticket, err)
		if err = g.signIn(l.t.Context(), m); err == nil {
			s, err = l.load(m, g.ticket)
		}
	}
	if err != nil {
		l.wrong("a session that was acknowledged = %v", err)
	} else if !g.mine(s) || s.Refreshes < g.kept || s.Refreshes > g.tried {
		l.wrong("the session of %s is that of %s at change %d of %d to %d", g.subject, s.Subject, s.Refreshes, g.kept, g.tried)
	}
	for _, ticket := range g.ended {
		if _, err := l.load(m, ticket); !errors.Is(err, session.ErrNotFound) {
			l.wrong("a session that had ended = %v", err)
		}
	}
	// A sign-in that failed may have left a session whose ticket nobody has.
	var listed []session.Listing
	err = l.insist(func(ctx context.Context) (err error) { listed, err = m.OfSubject(ctx, issuer, g.subject); return err })
	has := func(ticket session.Ticket) bool {
		return slices.ContainsFunc(listed, func(l session.Listing) bool { return l.ID == ticket.ID() })
	}
	if err != nil || !has(g.ticket) && !l.Forgets || slices.ContainsFunc(g.ended, has) {
		l.wrong("the sessions of %s are listed as %d, %v: without the one that lives, or with one that had ended", g.subject, len(listed), err)
	}
}

// everyone calls f for every guest, several at once.
func (l *Load) everyone(f func(i int, g *guest)) {
	together(2*chaosWorkers, func(worker int) {
		for i := worker; i < len(l.guests); i += 2 * chaosWorkers {
			f(i, l.guests[i])
		}
	})
}

func (l *Load) signAllIn() {
	l.t.Helper()
	for i := range l.Guests {
		l.guests = append(l.guests, &guest{subject: fmt.Sprintf("subject-%04d", i), claims: []byte(strings.Repeat("c", l.Claims))})
	}
	l.everyone(func(i int, g *guest) {
		if err := g.signIn(l.t.Context(), l.manager(i)); err != nil {
			l.wrong("the first sign-in = %v", err)
		}
	})
	if l.t.Failed() {
		l.t.FailNow()
	}
}

func (l *Load) start() {
	ctx, cancel := context.WithCancel(l.t.Context())
	l.cancel = cancel
	for worker := range chaosWorkers {
		l.done.Go(func() { l.work(ctx, worker) })
	}
	l.t.Cleanup(l.end)
}

// work uses everybody's sessions, and changes those that are the worker's own.
func (l *Load) work(ctx context.Context, worker int) {
	random := rand.New(rand.NewPCG(uint64(worker), 0))
	pause := time.NewTicker(time.Millisecond) // leaves the machine to the servers
	defer pause.Stop()
	for ; ctx.Err() == nil; <-pause.C {
		m := l.manager(random.IntN(len(l.managers)))
		own := l.guests[random.IntN(l.Guests/chaosWorkers)*chaosWorkers+worker]
		switch what := random.IntN(10); own.seen().state {
		case signedOut:
			l.went(ctx, SigningIn, own, own.signIn(ctx, m))
		case unsure:
			l.leave(ctx, m, own)
		default:
			if what < 3 {
				l.change(ctx, m, own)
			} else if what < 5 {
				l.leave(ctx, m, own)
			}
		}
		l.read(ctx, m, l.guests[random.IntN(l.Guests)])
	}
}

func (l *Load) end() {
	l.cancel()
	l.done.Wait()
}

// Wait returns once n more calls of that kind succeeded.
func (l *Load) Wait(what Kind, n int64) {
	l.t.Helper()
	l.wait(fmt.Sprintf("%s to succeed %d times", what, n), &l.succeeded[what], n)
}

// WaitFailure returns once another call of that kind failed.
func (l *Load) WaitFailure(what Kind) {
	l.t.Helper()
	l.wait(what.String()+" to fail", &l.failed[what], 1)
}

// Vanished is how many sessions nobody ended and yet are gone.
func (l *Load) Vanished() int64 { return l.lost.Load() }

func (l *Load) wait(what string, count interface{ Load() int64 }, more int64) {
	l.t.Helper()
	from := count.Load()
	servers.WaitFor(l.t, what, func(context.Context) error {
		if count.Load() < from+more {
			return errors.New(l.tally())
		}
		return nil
	})
}
