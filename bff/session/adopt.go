package session

import (
	"context"
	"errors"
	"fmt"
)

// Adopt takes a session in that its browser kept, sealed by an instance of the
// same deployment: as it is if the store has none under its ticket, an older state
// of it, or one that no key opens any more. It returns the session as the store has
// it then. ErrNotFound when its time is over.
//
// encoded is what s was decoded from, if it was. What it and the slices of s hold
// is not to be altered any more.
func (m *Manager) Adopt(ctx context.Context, t Ticket, s Session, encoded []byte) (Session, error) {
	encoded, err := m.adoptable(&s, encoded)
	if err != nil {
		return Session{}, err
	}
	ring := m.ring.keys.Load()
	r, err := m.sealed(t, &s, encoded, 0)
	if err != nil {
		return Session{}, err
	}
	for range maxAttempts {
		version, err := m.store.Create(ctx, r)
		if errors.Is(err, ErrExists) {
			var held *Session
			if held, r.Version, err = m.held(ctx, t); err == nil {
				if held != nil && !s.newer(held) {
					return *held, m.alive(held)
				}
				version, err = m.store.Update(ctx, r)
			}
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
				continue // it ended, or changed, in between
			}
		}
		if err != nil {
			return Session{}, fmt.Errorf("session: adopt: %w", err)
		}
		m.known.put(r.ID, open{MarkOf(version, r.Data), ring, s})
		return s, nil
	}
	return Session{}, fmt.Errorf("session: adopt: %d attempts: %w", maxAttempts, ErrConflict)
}

// adoptable leaves out of s what concerns one instance alone, and returns s encoded.
func (m *Manager) adoptable(s *Session, encoded []byte) ([]byte, error) {
	if s.Lease != (Lease{}) || encoded == nil {
		s.Lease = Lease{}
		encoded = s.encode()
	}
	return encoded, m.alive(s)
}

// Deferring is a Store that can keep a record later.
type Deferring interface {
	// Defer makes and keeps the record of id if somebody asks for it before ctx is
	// done. It returns false, and does nothing, when there is one, or ctx never is.
	Defer(ctx context.Context, id ID, made func() (Record, error)) bool
}

// Glance is Adopt for a session that may never be asked for again: a store that can
// keep it later does, for as long as ctx, which is that of a call.
func (m *Manager) Glance(ctx context.Context, t Ticket, s Session, encoded []byte) (Session, error) {
	store, ok := m.store.(Deferring)
	if !ok {
		return m.Adopt(ctx, t, s, encoded)
	}
	encoded, err := m.adoptable(&s, encoded)
	if err != nil {
		return Session{}, err
	}
	if store.Defer(ctx, t.ID(), func() (Record, error) { return m.sealed(t, &s, encoded, 0) }) {
		return s, nil
	}
	return m.Adopt(ctx, t, s, encoded)
}

// held is the state of the session of t that the store has, and its version; nil
// if it has another key, which the ring has no more.
func (m *Manager) held(ctx context.Context, t Ticket) (*Session, Version, error) {
	r, err := m.store.Get(ctx, t.ID())
	if err != nil {
		return nil, 0, err
	}
	s, err := m.open(t, r.Data)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, r.Version, nil
	case err != nil:
		return nil, 0, err
	}
	return &s, r.Version, nil
}

// newer reports whether s is a later state than other of the same session.
func (s *Session) newer(other *Session) bool {
	if s.Refreshes != other.Refreshes {
		return s.Refreshes > other.Refreshes
	}
	return s.LastSeen.After(other.LastSeen)
}
