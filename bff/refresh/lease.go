package refresh

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"time"

	"cloakroom/bff/session"
	"cloakroom/shared/problem"
)

// maxSkew is how far the clocks of two instances may be apart.
const maxSkew = time.Minute

// watch is what one who waits has seen of another's lease. Whether it stands
// still is told by the own clock alone.
type watch struct {
	lease session.Lease
	since time.Time
}

// abandoned takes the lease as it is now, and reports whether its holder is
// gone. A lease that ran out so long ago that its holder could not even be
// waiting for the store to take its result needs no watching.
func (w *watch) abandoned(l session.Lease, now time.Time, c *Config) bool {
	if w.since.IsZero() || l.Holder != w.lease.Holder || l.Beat != w.lease.Beat {
		w.lease, w.since = l, now
	}
	return now.Sub(w.since) >= c.Lease || now.Sub(l.Until) >= c.Rescue+maxSkew
}

// turn is the right to make the one token request of a session.
type turn struct {
	holder string
	count  int // of renewals when it was taken
}

// take returns the session once the token of need can be used, or once it is
// our turn to renew it; turn.holder is empty in the first case.
func (r *Refresher) take(ctx context.Context, t session.Ticket, need Need) (session.Session, turn, error) {
	holder := rand.Text()
	var others watch
	for wait := leastWait; ; wait = min(wait*3/2, mostWait) {
		now := r.config.Now()
		usable := false
		s, err := r.config.Sessions.Update(ctx, t, func(s *session.Session) error {
			if usable = r.config.judge(s, need, now) == fresh; usable { // another was quicker
				return session.ErrUnchanged
			}
			if s.Lease.Holder != "" && !others.abandoned(s.Lease, now, &r.config) {
				return session.ErrUnchanged
			}
			s.Lease = session.Lease{Holder: holder, Until: now.Add(r.config.Lease)}
			return nil
		})
		switch {
		case err != nil:
			return session.Session{}, turn{}, storeProblem(err)
		case usable:
			return s, turn{}, nil
		case s.Lease.Holder == holder:
			return s, turn{holder, s.Refreshes}, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return session.Session{}, turn{}, problem.New(problem.ProviderTimeout, err)
		}
		r.config.Sessions.Outdate(t)
	}
}

// Between two looks at a session that another instance renews.
const leastWait, mostWait = 20 * time.Millisecond, 200 * time.Millisecond

// sleep waits about d.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d*3/4 + mathrand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// hold prolongs the lease until ctx ends. That it fails is no reason to stop:
// the request is on its way, and the result is fenced by the count.
func (r *Refresher) hold(ctx context.Context, t session.Ticket, mine turn) {
	for {
		if sleep(ctx, r.config.Lease/4) != nil {
			return
		}
		_, _ = r.config.Sessions.Update(ctx, t, func(s *session.Session) error {
			if s.Lease.Holder != mine.holder {
				return session.ErrUnchanged
			}
			s.Lease.Beat++
			s.Lease.Until = r.config.Now().Add(r.config.Lease)
			return nil
		})
	}
}

// release gives the turn to the next, after a request that failed. It may have
// failed for want of time.
func (r *Refresher) release(ctx context.Context, t session.Ticket, mine turn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Lease)
	defer cancel()
	_, _ = r.config.Sessions.Update(ctx, t, func(s *session.Session) error {
		if s.Lease.Holder != mine.holder {
			return session.ErrUnchanged
		}
		s.Lease = session.Lease{}
		return nil
	})
}
