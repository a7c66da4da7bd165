package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Manager is the one door to the sessions: it draws tickets, seals and opens,
// keeps the lifetimes, and turns a change into a compare-and-swap.
type Manager struct {
	store Store
	ring  *KeyRing
	lives Lifetimes
	ended func(ID)
	now   func() time.Time
	known *opened

	scattered bool
}

// Config is what a Manager needs besides its store.
type Config struct {
	Keys      *KeyRing
	Lifetimes Lifetimes
	// Ended is told of every session that was ended through this Manager; nil
	// tells nobody. Of what ends elsewhere, or by itself, it hears nothing.
	Ended func(ID)
	// Scattered says that the store has some of a user's sessions at most, so that
	// none is looked for by whose it is.
	Scattered bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New returns a Manager over store.
func New(store Store, c Config) (*Manager, error) {
	if store == nil || c.Keys == nil {
		return nil, errors.New("session: a manager needs a store and a key ring")
	}
	if err := c.Lifetimes.validate(); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	if c.Ended == nil {
		c.Ended = func(ID) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Manager{store: store, ring: c.Keys, lives: c.Lifetimes, ended: c.Ended, now: c.Now, known: newOpened(c.Now), scattered: c.Scattered}, nil
}

// Lifetimes returns the bounds the sessions live under.
func (m *Manager) Lifetimes() Lifetimes { return m.lives }

// Scattered tells what the Config said.
func (m *Manager) Scattered() bool { return m.scattered }

// Create keeps s as a new session under a new ticket. ErrTooLarge when the
// store cannot take it.
func (m *Manager) Create(ctx context.Context, s Session) (Ticket, error) {
	t := NewTicket()
	s.Created = m.now()
	s.LastSeen, s.Renewed = s.Created, s.Created
	s.Deadline = s.Created.Add(m.lives.Absolute)
	r, err := m.record(t, &s, 0)
	if err != nil {
		return Ticket{}, err
	}
	if _, err := m.store.Create(ctx, r); err != nil {
		return Ticket{}, fmt.Errorf("session: create: %w", err)
	}
	return t, nil
}

// Load returns the session of t. ErrNotFound for the unknown, the expired and
// the unreadable alike; any other error means the store failed.
//
// What its slices hold is shared with other callers, and not to be altered.
func (m *Manager) Load(ctx context.Context, t Ticket) (Session, error) {
	id, ring := t.ID(), m.ring.keys.Load()
	found := m.known.get(id, ring)
	r, err := m.getUnless(ctx, id, found.mark)
	if err != nil {
		return Session{}, fmt.Errorf("session: load: %w", err)
	}
	spared := r.Data == nil && found.mark != (Mark{}) && r.Version == found.mark.Version
	if mark := MarkOf(r.Version, r.Data); !spared && mark != found.mark {
		s, err := m.open(t, r.Data)
		if err != nil {
			return Session{}, err
		}
		found = open{mark: mark, ring: ring, session: s}
		m.known.put(id, found)
	}
	if err := m.alive(&found.session); err != nil {
		return Session{}, err
	}
	return found.session, nil
}

func (m *Manager) getUnless(ctx context.Context, id ID, have Mark) (Record, error) {
	if store, ok := m.store.(Sparing); ok && have != (Mark{}) {
		return store.GetUnless(ctx, id, have)
	}
	return m.store.Get(ctx, id)
}

// Copier is a Store that may answer from a copy.
type Copier interface {
	// Forget drops the copy of a record, so that the next Get asks.
	Forget(id ID)
}

// Outdate makes the next Load or Update of t ask the store, past every copy: for
// a caller that waits for what another instance is about to write.
func (m *Manager) Outdate(t Ticket) { m.forget(t.ID()) }

func (m *Manager) forget(id ID) {
	if copier, ok := m.store.(Copier); ok {
		copier.Forget(id)
	}
}

// ErrUnchanged is returned by a change that finds nothing to do: Update then
// writes nothing and succeeds.
var ErrUnchanged = errors.New("session: unchanged")

// maxAttempts bounds how often Update starts anew when others keep writing.
const maxAttempts = 32

// pause lets a writer whose attempt came too late wait its turn. The first few
// go on at once. A store of several copies refuses every write while another's
// is on its way to them, and all that time answers with the state before.
func pause(ctx context.Context, attempt int) error {
	if attempt < 3 {
		return ctx.Err()
	}
	timer := time.NewTimer(rand.N(min(time.Millisecond<<(attempt-2), 50*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Update applies change to the session of t and keeps the result, unless
// another write came first: then it reads again and applies change to that.
// So change may run several times; it must alter what it is given and do
// nothing else. It returns the session as kept.
//
// A session that ended meanwhile is ErrNotFound, and stays ended.
func (m *Manager) Update(ctx context.Context, t Ticket, change func(*Session) error) (Session, error) {
	for attempt := range maxAttempts {
		s, version, err := m.load(ctx, t)
		if err != nil {
			return Session{}, err
		}
		if err := change(&s); errors.Is(err, ErrUnchanged) {
			return s, nil
		} else if err != nil {
			return Session{}, err
		}
		r, err := m.record(t, &s, version)
		if err != nil {
			return Session{}, err
		}
		_, err = m.store.Update(ctx, r)
		switch {
		case err == nil:
			return s, nil
		case !errors.Is(err, ErrConflict):
			return Session{}, fmt.Errorf("session: update: %w", err)
		}
		if err := pause(ctx, attempt); err != nil {
			return Session{}, fmt.Errorf("session: update: %w", err)
		}
	}
	return Session{}, fmt.Errorf("session: update: %d attempts: %w", maxAttempts, ErrConflict)
}

// Touch records that the user of s was just heard of. Most calls write
// nothing: LastSeen is kept to a coarse grain.
func (m *Manager) Touch(ctx context.Context, t Ticket, s *Session) error {
	now := m.now()
	if now.Sub(s.LastSeen) < m.lives.grain() {
		return nil
	}
	touched, err := m.Update(ctx, t, func(s *Session) error {
		if now.Sub(s.LastSeen) < m.lives.grain() {
			return ErrUnchanged // another request was quicker
		}
		s.LastSeen = now
		return nil
	})
	if err == nil {
		s.LastSeen = touched.LastSeen
	}
	return err
}

// Retire lets the session of t end after grace at the latest, so that calls
// under way with the old ticket still come through. A session that is gone
// already is no error.
func (m *Manager) Retire(ctx context.Context, t Ticket, grace time.Duration) error {
	_, err := m.Update(ctx, t, func(s *Session) error {
		end := m.now().Add(grace)
		if !end.Before(s.Deadline) {
			return ErrUnchanged
		}
		s.Deadline = end
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Delete ends the session of t, now and for good.
func (m *Manager) Delete(ctx context.Context, t Ticket) error { return m.end(ctx, t.ID()) }

func (m *Manager) end(ctx context.Context, id ID) error {
	if err := m.store.Delete(ctx, id); err != nil {
		return fmt.Errorf("session: delete: %w", err)
	}
	m.known.forget(id)
	m.ended(id)
	return nil
}

// load returns a session of the caller's own, and the version of its record.
func (m *Manager) load(ctx context.Context, t Ticket) (Session, Version, error) {
	r, err := m.store.Get(ctx, t.ID())
	if err != nil {
		return Session{}, 0, fmt.Errorf("session: load: %w", err)
	}
	s, err := m.open(t, r.Data)
	if err != nil {
		return Session{}, 0, err
	}
	if err := m.alive(&s); err != nil {
		return Session{}, 0, err
	}
	return s, r.Version, nil
}

// open reads a session, in the place of data.
func (m *Manager) open(t Ticket, data []byte) (Session, error) {
	plain, err := m.ring.open(t, data)
	if err != nil {
		return Session{}, fmt.Errorf("session: load: %w", err)
	}
	s, err := decode(plain)
	if err != nil {
		return Session{}, fmt.Errorf("session: load: %w: %w", ErrNotFound, err)
	}
	return s, nil
}

// alive returns ErrNotFound when s has expired. The sealed times decide, not the
// store's: it may be late, or lie.
func (m *Manager) alive(s *Session) error {
	if !m.now().Before(m.lives.Expires(s)) {
		return fmt.Errorf("session: load: expired: %w", ErrNotFound)
	}
	return nil
}

func (m *Manager) record(t Ticket, s *Session, version Version) (Record, error) {
	return m.sealed(t, s, s.encode(), version)
}

func (m *Manager) sealed(t Ticket, s *Session, encoded []byte, version Version) (Record, error) {
	r := Record{ID: t.ID(), Version: version, Expires: m.lives.Expires(s), Keys: m.ring.appendSIDKey(nil, s)}
	var label []byte
	if !m.scattered {
		label, r.Keys = s.label(), m.ring.appendSubjectKey(r.Keys, s)
	}
	var err error
	r.Data, err = m.ring.seal(t, label, encoded)
	return r, err
}
