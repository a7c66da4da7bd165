package session

import (
	"context"
	"errors"
	"fmt"
)

// Adopt takes a session in that its browser kept, sealed by an instance of the
// same deployment: as it is if the store has none under its ticket, an older state
// of it, or one that no key opens any more. ErrNotFound when its time is over.
//
// encoded is what s was decoded from, if it was. What it and the slices of s hold
// is not to be altered any more.
func (m *Manager) Adopt(ctx context.Context, t Ticket, s Session, encoded []byte) error {
	if s.Lease != (Lease{}) || encoded == nil {
		s.Lease = Lease{}
		encoded = s.encode()
	}
	if !m.now().Before(m.lives.Expires(&s)) {
		return fmt.Errorf("session: adopt: expired: %w", ErrNotFound)
	}
	ring := m.ring.keys.Load()
	r, err := m.sealed(t, &s, encoded, 0)
	if err != nil {
		return err
	}
	for range maxAttempts {
		version, err := m.store.Create(ctx, r)
		if errors.Is(err, ErrExists) {
			var keeps bool
			if r.Version, keeps, err = m.keeps(ctx, t, &s); keeps {
				return nil
			}
			if err == nil {
				version, err = m.store.Update(ctx, r)
			}
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
				continue // it ended, or changed, in between
			}
		}
		if err != nil {
			return wrap("adopt", err)
		}
		m.known.put(r.ID, open{MarkOf(version, r.Data), ring, s})
		return nil
	}
	return fmt.Errorf("session: adopt: %d attempts: %w", maxAttempts, ErrConflict)
}

// keeps reports whether the store has a state of the session of t that s would
// not better, and the version of what it has.
func (m *Manager) keeps(ctx context.Context, t Ticket, s *Session) (Version, bool, error) {
	r, err := m.store.Get(ctx, t.ID())
	if err != nil {
		return 0, false, err
	}
	held, err := m.open(t, r.Data)
	switch {
	case errors.Is(err, ErrNotFound): // the store's has another key, which the ring has no more
		return r.Version, false, nil
	case err != nil:
		return 0, false, err
	}
	return r.Version, !s.newer(&held), nil
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
