package session

import (
	"context"
	"errors"
	"fmt"
)

// Adopt takes a session in that its browser kept, sealed by an instance of the
// same deployment: as it is if the store has none under its ticket, or has an
// older state of it. ErrNotFound when its time is over.
func (m *Manager) Adopt(ctx context.Context, t Ticket, s Session) error {
	s.Lease = Lease{}
	if !m.now().Before(m.lives.Expires(&s)) {
		return fmt.Errorf("session: adopt: expired: %w", ErrNotFound)
	}
	for range maxAttempts {
		r, err := m.record(t, &s, 0)
		if err != nil {
			return err
		}
		_, err = m.store.Create(ctx, r)
		if !errors.Is(err, ErrExists) {
			return wrap("adopt", err)
		}
		held, version, err := m.load(ctx, t)
		switch {
		case errors.Is(err, ErrNotFound):
			continue // it ended in between
		case err != nil:
			return err
		case !s.newer(&held):
			return nil
		}
		r.Version = version
		if _, err = m.store.Update(ctx, r); !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound) {
			return wrap("adopt", err)
		}
	}
	return fmt.Errorf("session: adopt: %d attempts: %w", maxAttempts, ErrConflict)
}

// newer reports whether s is a later state than other of the same session.
func (s *Session) newer(other *Session) bool {
	if s.Refreshes != other.Refreshes {
		return s.Refreshes > other.Refreshes
	}
	return s.LastSeen.After(other.LastSeen)
}

func wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session: %s: %w", verb, err)
}
