package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Listing is what is known of a session without its ticket.
type Listing struct {
	ID ID
	// Handle names the session to its own user. It is derived from the ID and
	// the ring's first key, and nobody finds the one from the other.
	Handle                     string
	Device                     Device
	Created, LastSeen, Expires time.Time
}

var errNoIndex = errors.New("session: this store cannot be searched")

// label is the part of s that its user sees from every session.
func (s *Session) label() []byte {
	part := Session{Device: s.Device, Created: s.Created, LastSeen: s.LastSeen, Deadline: s.Deadline}
	return part.encode()
}

// Listed is what OfSubject would say of the session s of t.
func (m *Manager) Listed(t Ticket, s *Session) Listing {
	id := t.ID()
	return Listing{
		ID: id, Handle: m.ring.handle(id), Device: s.Device, Created: s.Created, LastSeen: s.LastSeen, Expires: m.lives.Expires(s),
	}
}

// OfSubject lists the live sessions of a subject, the newest first.
func (m *Manager) OfSubject(ctx context.Context, issuer, subject string) ([]Listing, error) {
	records, err := m.find(ctx, m.ring.SubjectKeys(issuer, subject))
	if err != nil {
		return nil, err
	}
	var list []Listing
	for _, r := range records {
		label, err := m.ring.openLabel(r.ID, r.Data)
		if errors.Is(err, ErrNotFound) {
			continue // sealed under a key that was dropped: it cannot be opened either
		}
		if err != nil {
			return nil, err
		}
		s, err := decode(label)
		if err != nil || !m.now().Before(r.Expires) {
			continue
		}
		list = append(list, Listing{
			ID: r.ID, Handle: m.ring.handle(r.ID), Device: s.Device, Created: s.Created, LastSeen: s.LastSeen, Expires: r.Expires,
		})
	}
	slices.SortFunc(list, func(a, b Listing) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// EndListed ends a session by what OfSubject said of it. Its tokens, which only
// its ticket opens, are gone with it: nobody can use them, nor revoke them.
func (m *Manager) EndListed(ctx context.Context, l Listing) error { return m.end(ctx, l.ID) }

// EndSubject ends every session of a subject, and returns how many there were.
func (m *Manager) EndSubject(ctx context.Context, issuer, subject string) (int, error) {
	return m.endAll(ctx, m.ring.SubjectKeys(issuer, subject))
}

// EndSID ends the sessions that came of one session at the provider.
func (m *Manager) EndSID(ctx context.Context, issuer, sid string) (int, error) {
	return m.endAll(ctx, m.ring.SIDKeys(issuer, sid))
}

func (m *Manager) endAll(ctx context.Context, keys []Key) (int, error) {
	records, err := m.find(ctx, keys)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, r := range records {
		errs = append(errs, m.end(ctx, r.ID)) // one that cannot be ended keeps none of the others
	}
	return len(records), errors.Join(errs...)
}

// find returns the records under any of the keys, each once.
func (m *Manager) find(ctx context.Context, keys []Key) ([]Record, error) {
	finder, ok := m.store.(Finder)
	if !ok {
		return nil, errNoIndex
	}
	var all []Record
	seen := map[ID]bool{}
	for _, key := range keys {
		records, err := finder.Find(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("session: find: %w", err)
		}
		for _, r := range records {
			if !seen[r.ID] {
				seen[r.ID] = true
				all = append(all, r)
			}
		}
	}
	return all, nil
}

func (k *KeyRing) handle(id ID) string {
	key := k.current()[0].hash("handle", string(id[:]))
	return base64.RawURLEncoding.EncodeToString(key[:])
}
