package session

import (
	"errors"
	"time"
)

// Lifetimes bound a session: Idle from its last request, Absolute from its
// sign-in. Neither is prolonged by the other. A third bound is the provider's:
// where it says when the refresh token ends, the session ends with it (BBA-9).
type Lifetimes struct{ Idle, Absolute time.Duration }

func (l Lifetimes) validate() error {
	switch {
	case l.Idle < time.Second:
		return errors.New("the idle timeout must be at least 1s")
	case l.Absolute < l.Idle:
		return errors.New("the absolute timeout must not be shorter than the idle timeout")
	}
	return nil
}

// IdleExpires is when s ends if nothing more is heard of its user.
func (l Lifetimes) IdleExpires(s *Session) time.Time { return s.LastSeen.Add(l.Idle) }

// Expires is when s ends: the earliest of its bounds.
func (l Lifetimes) Expires(s *Session) time.Time {
	end := s.Deadline
	if idle := l.IdleExpires(s); idle.Before(end) {
		end = idle
	}
	if refresh := s.Tokens.RefreshExpires; !refresh.IsZero() && refresh.Before(end) {
		end = refresh
	}
	return end
}

// grain is how stale LastSeen may be before it is worth a write, so that a
// read of a session hardly ever becomes one: a twentieth of the idle timeout, five
// minutes at the most.
func (l Lifetimes) grain() time.Duration { return min(l.Idle/20, 5*time.Minute) }
