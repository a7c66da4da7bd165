package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// inFlight is how many calls a sign-out races.
const inFlight = 32

// RunSignOuts races as many sign-outs as told, each against 32 calls in flight
// that read the session, note that its user was there, and renew its tokens
// under a lease, through a Manager for each of the stores: those of instances
// that share them. No session may be there afterwards, nor come back while the
// others end.
func RunSignOuts(t *testing.T, signOuts int, stores ...session.Store) {
	t.Helper()
	r := &signOutRace{t: t}
	r.now.Store(time.Now().UnixNano())
	ring := session.EphemeralKeyRing()
	for _, store := range stores {
		m, err := session.New(store, session.Config{
			Keys: ring, Lifetimes: session.Lifetimes{Idle: 10 * time.Hour, Absolute: 1000 * time.Hour},
			Now: func() time.Time { return time.Unix(0, r.now.Load()) },
		})
		if err != nil {
			t.Fatal(err)
		}
		r.instances = append(r.instances, m)
	}
	began := time.Now()
	var next atomic.Int64
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for n := next.Add(1) - 1; n < int64(signOuts) && !t.Failed(); n = next.Add(1) - 1 {
				r.run(int(n))
			}
		})
	}
	users.Wait()
	for _, over := range r.over {
		r.mustBeGone(over)
	}
	if r.written.Load() < int64(signOuts) || r.gone.Load() == 0 {
		t.Errorf("%d writes, and %d calls that came too late: no race", r.written.Load(), r.gone.Load())
	}
	t.Logf("%d sign-outs, each racing %d calls on %d instances: %d calls found the session and wrote it %d times, %d found it gone, %d met too many others, %d had no answer in time; none is back; in %v",
		len(r.over), inFlight, len(stores), r.found.Load(), r.written.Load(), r.gone.Load(), r.gaveUp.Load(), r.unanswered.Load(),
		time.Since(began).Round(time.Millisecond))
}

type signOutRace struct {
	t         *testing.T
	instances []*session.Manager
	now       atomic.Int64 // in every round later, so that a touch is due

	found, written, gaveUp, gone, unanswered atomic.Int64

	mu   sync.Mutex
	over []ended
}

// ended is a session that was signed out.
type ended struct {
	ticket session.Ticket
	user   session.Session
}

// on is an instance; there are more rounds than instances.
func (r *signOutRace) on(i int) *session.Manager { return r.instances[i%len(r.instances)] }

func (r *signOutRace) run(round int) {
	t := r.t
	user := session.Session{
		Issuer: "https://idp.example", Subject: fmt.Sprintf("user %d", round), SID: rand.Text(),
		Tokens: session.Tokens{Access: secret.New("access-0"), Refresh: secret.New("refresh-0")},
	}
	ticket, err := r.on(round).Create(t.Context(), user)
	if err != nil {
		r.miss(err)
		return
	}
	r.now.Add(int64(2 * time.Minute)) // Lifetimes keep LastSeen to the minute
	var answered atomic.Int64
	due, when := make(chan struct{}), int64(round%inFlight) // the sign-out comes after so many answers
	if when == 0 {
		close(due)
	}
	together(inFlight+1, func(i int) {
		if i == inFlight {
			<-due
			if err := r.again(func() error { return r.signOut(round, ticket, user) }); err != nil {
				t.Errorf("sign-out = %v", err)
			}
			return
		}
		r.call(i, ticket)
		if answered.Add(1) == when {
			close(due)
		}
	})
	over := ended{ticket, user}
	r.mustBeGone(over)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = append(r.over, over)
}

// signOut ends the session in each of the ways there are.
func (r *signOutRace) signOut(round int, ticket session.Ticket, user session.Session) error {
	ctx, m := r.t.Context(), r.on(round/4)
	switch round % 4 {
	case 0:
		return m.Delete(ctx, ticket)
	case 1:
		_, err := m.EndSubject(ctx, user.Issuer, user.Subject)
		return err
	case 2:
		_, err := m.EndSID(ctx, user.Issuer, user.SID)
		return err
	}
	list, err := m.OfSubject(ctx, user.Issuer, user.Subject)
	for _, l := range list {
		err = errors.Join(err, m.EndListed(ctx, l))
	}
	return err
}

// call does to the session what calls do, in turn.
func (r *signOutRace) call(i int, ticket session.Ticket) {
	ctx, m := r.t.Context(), r.on(i)
	s, err := m.Load(ctx, ticket)
	if err == nil {
		r.found.Add(1)
		switch i % 4 {
		case 1:
			err = m.Touch(ctx, ticket, &s)
		case 2:
			_, err = m.Update(ctx, ticket, func(s *session.Session) error {
				s.Tokens.Access = secret.New(rand.Text())
				return nil
			})
			r.count(err)
		case 3:
			err = r.renew(i, ticket)
		}
	}
	switch {
	case errors.Is(err, session.ErrNotFound):
		r.gone.Add(1)
	case errors.Is(err, session.ErrConflict): // after many attempts
		r.gaveUp.Add(1)
	case err != nil:
		r.miss(err)
	}
}

// again does what has no answer once more, as a user would: on a machine with
// other work a store can take longer than its callers wait.
func (r *signOutRace) again(ask func() error) error {
	for attempt := 0; ; attempt++ {
		err := ask()
		if err == nil || errors.Is(err, session.ErrNotFound) || attempt == attempts {
			return err
		}
		r.miss(err)
		select {
		case <-r.t.Context().Done():
			return err
		case <-time.After(300 * time.Millisecond):
		}
	}
}

const attempts = 20

// renew takes the lease if it is free, and keeps new tokens under it.
func (r *signOutRace) renew(i int, ticket session.Ticket) error {
	ctx, holder := r.t.Context(), rand.Text()
	s, err := r.on(i).Update(ctx, ticket, func(s *session.Session) error {
		if s.Lease.Holder != "" {
			return session.ErrUnchanged
		}
		s.Lease = session.Lease{Holder: holder}
		return nil
	})
	if err != nil || s.Lease.Holder != holder {
		return err
	}
	r.count(nil)
	_, err = r.on(i).Update(ctx, ticket, func(s *session.Session) error {
		s.Tokens.Refresh = secret.New(rand.Text())
		s.Refreshes++
		s.Lease = session.Lease{}
		return nil
	})
	r.count(err)
	return err
}

// miss counts what had no answer.
func (r *signOutRace) miss(err error) {
	if r.unanswered.Add(1) == 1 {
		r.t.Logf("without an answer: %v", err)
	}
}

func (r *signOutRace) count(err error) {
	if err == nil {
		r.written.Add(1)
	}
}

// mustBeGone asks the stores themselves, past every copy.
func (r *signOutRace) mustBeGone(over ended) {
	for i, m := range r.instances {
		m.Outdate(over.ticket)
		err := r.again(func() error {
			_, err := m.Load(r.t.Context(), over.ticket)
			return err
		})
		if !errors.Is(err, session.ErrNotFound) {
			r.t.Errorf("instance %d: Load after the sign-out = %v", i, err)
		}
		var list []session.Listing
		err = r.again(func() (err error) {
			list, err = m.OfSubject(r.t.Context(), over.user.Issuer, over.user.Subject)
			return err
		})
		if err != nil || len(list) != 0 {
			r.t.Errorf("instance %d: %s has %d sessions, %v", i, over.user.Subject, len(list), err)
		}
	}
}
