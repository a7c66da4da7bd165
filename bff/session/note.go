package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A note is a fact that every instance must know for a while, and that is no
// session: a logout token that was used, a provider's session that was ended.
// It is a record without data, under a keyed hash of what it says, so that a
// dump does not tell.

// FactEndedSID is the fact that a session at the provider, named by issuer and
// sid, has ended: nobody is signed in under it any more.
const FactEndedSID = "ended sid"

// Note keeps a fact until then. first is false when it was known already.
func (m *Manager) Note(ctx context.Context, until time.Time, fact ...string) (first bool, err error) {
	if known, err := m.Noted(ctx, fact...); known || err != nil {
		return false, err
	}
	_, err = m.store.Create(ctx, Record{ID: noteIDs(m.ring.current()[:1], fact)[0], Expires: until})
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("session: note: %w", err)
	}
	return true, nil
}

// Noted tells whether a fact was noted and its time is not over.
func (m *Manager) Noted(ctx context.Context, fact ...string) (bool, error) {
	return m.AnyNoted(ctx, fact)
}

// AnyNoted tells it of several facts: whether one was.
func (m *Manager) AnyNoted(ctx context.Context, facts ...[]string) (bool, error) {
	ring := m.ring.current()
	for _, fact := range facts {
		for _, id := range noteIDs(ring, fact) { // before a rotation, it was another
			m.forget(id) // an answer on its way to another may be from before the note
			_, err := m.store.Get(ctx, id)
			if err == nil {
				return true, nil
			}
			if !errors.Is(err, ErrNotFound) {
				return false, fmt.Errorf("session: noted: %w", err)
			}
		}
	}
	return false, nil
}

func noteIDs(ring []ringKey, fact []string) []ID {
	ids := make([]ID, len(ring))
	for i := range ring {
		ids[i] = ring[i].mac(append([]string{"note"}, fact...)...)
	}
	return ids
}
