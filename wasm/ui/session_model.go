package ui

import (
	"time"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// State is what is known about the session.
type State int

// The five states every page is designed for.
const (
	Unknown   State = iota // not asked yet: what the server prerenders
	SignedOut              // nobody is signed in
	SignedIn
	Expired // somebody was, and no longer is
	Down    // the server does not answer; the ticket is kept
)

// String is the state as the shell's data-state names it.
func (s State) String() string {
	return [...]string{"unknown", "signed-out", "signed-in", "expired", "down"}[s]
}

// Session is what the page knows about who is there.
type Session struct {
	State   State
	User    shared.User // who is or was signed in
	Ends    time.Time   // when the session ends unless it is used; zero if not said
	Failure Failure     // why Down
	RetryAt time.Time   // when Down is tried again
	tries   int
}

// Loaded is the session after the server said who is there.
func (s Session) Loaded(u shared.User, now time.Time) Session {
	next := Session{State: SignedIn, User: u}
	if u.ExpiresIn > 0 {
		next.Ends = now.Add(u.ExpiresIn)
	}
	return next
}

// Failed is the session after a call failed. A refusal that has nothing to do
// with the session leaves it as it is.
func (s Session) Failed(f Failure, now time.Time) Session {
	switch f.Fault {
	case FaultSignedOut:
		if s.Known() || f.Code == problem.SessionEnded {
			return Session{State: Expired, User: s.User}
		}
		return Session{State: SignedOut}
	case FaultDown, FaultOffline:
		s.State, s.Failure = Down, f
		s.tries++
		s.RetryAt = now.Add(max(backoff(s.tries), f.RetryIn))
	}
	return s
}

// Known reports whether somebody was signed in when the page last heard.
func (s Session) Known() bool { return s.User.Subject != "" || s.User.Name != "" }

// Shows reports whether a page may show what only a signed-in user sees. A
// server that is down does not empty a page that was there before.
func (s Session) Shows() bool { return s.State == SignedIn || s.State == Down && s.Known() }

// recovery notices that the server answers again.
type recovery struct{ last State }

// back reports whether s is the first session after the server was down.
func (r *recovery) back(s Session) bool {
	was := r.last
	r.last = s.State
	return was == Down && s.State == SignedIn
}

// backoff doubles from 2 s to half a minute.
func backoff(tries int) time.Duration {
	return min(time.Second<<min(max(tries, 1), 5), 30*time.Second)
}
