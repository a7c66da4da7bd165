// Package memory keeps sessions in the process: the fastest home, and one that
// ends with it. It suits one instance, or several behind a sticky balancer.
//
// It owns its bound in bytes: when that is reached, the session that was idle
// longest goes first. It never writes to disk and shares nothing.
package memory

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cloakroom/bff/session"
)

// overhead is what a record costs beside its Data and Keys: entry, list
// element and map cell, measured on amd64 and rounded up.
const overhead = 400

// keyCost is what one index key costs.
const keyCost = 120

// Config of a Store. The zero value is usable.
type Config struct {
	// MaxBytes bounds what the sessions take; 0 means 256 MiB.
	MaxBytes int64
	// SweepEvery is how often Run looks for the expired; 0 means a minute.
	SweepEvery time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store keeps records in a map, and in a list by last use.
type Store struct {
	config Config

	mu      sync.Mutex
	entries map[session.ID]*list.Element
	byUse   *list.List // of *entry, the longest idle at the back
	byKey   map[session.Key][]session.ID
	bytes   int64
	evicted uint64
	version session.Version
}

type entry struct {
	record session.Record
	cost   int64
}

var (
	_ session.Store   = (*Store)(nil)
	_ session.Sparing = (*Store)(nil)
	_ session.Finder  = (*Store)(nil)
	_ session.Runner  = (*Store)(nil)
)

// New returns an empty store.
func New(c Config) (*Store, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = 256 << 20
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBytes < 0 || c.SweepEvery < 0 {
		return nil, errors.New("memory: bounds must not be negative")
	}
	return &Store{
		config: c, entries: map[session.ID]*list.Element{}, byUse: list.New(), byKey: map[session.Key][]session.ID{},
	}, nil
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if _, ok := s.live(r.ID); ok {
		return 0, session.ErrExists
	}
	e := s.newEntry(r)
	if e.cost > s.config.MaxBytes {
		return 0, session.ErrTooLarge
	}
	s.entries[r.ID] = s.byUse.PushFront(e)
	s.index(e)
	s.bytes += e.cost
	s.evict()
	return e.record.Version, nil
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	return s.GetUnless(ctx, id, 0)
}

// GetUnless implements session.Sparing.
func (s *Store) GetUnless(ctx context.Context, id session.ID, have session.Version) (session.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	element, ok := s.live(id)
	if !ok {
		return session.Record{}, session.ErrNotFound
	}
	s.byUse.MoveToFront(element)
	r := element.Value.(*entry).record
	if r.Version == have {
		r.Data, r.Keys = nil, nil
		return r, nil
	}
	return clone(r), nil
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	element, ok := s.live(r.ID)
	if !ok {
		return 0, session.ErrNotFound
	}
	old := element.Value.(*entry)
	if old.record.Version != r.Version {
		return 0, session.ErrConflict
	}
	e := s.newEntry(r)
	if e.cost > s.config.MaxBytes {
		return 0, session.ErrTooLarge
	}
	s.unindex(old)
	element.Value = e
	s.byUse.MoveToFront(element)
	s.index(e)
	s.bytes += e.cost - old.cost
	s.evict()
	return e.record.Version, nil
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if element, ok := s.entries[id]; ok {
		s.remove(element)
	}
	return nil
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []session.Record
	for _, id := range slices.Clone(s.byKey[key]) {
		if element, ok := s.live(id); ok {
			found = append(found, clone(element.Value.(*entry).record))
		}
	}
	return found, nil
}

// Run sweeps out what has expired until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.config.SweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			s.sweep()
		}
	}
}

// sweepBatch bounds how long a sweep holds the lock.
const sweepBatch = 1000

func (s *Store) sweep() {
	s.mu.Lock()
	ids := make([]session.ID, 0, len(s.entries))
	for id := range s.entries {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	for batch := range slices.Chunk(ids, sweepBatch) {
		s.mu.Lock()
		for _, id := range batch {
			s.live(id)
		}
		s.mu.Unlock()
	}
}

// Stats is the state of a Store at one moment.
type Stats struct {
	Sessions int
	Bytes    int64
	// Evicted counts the sessions that had to go for want of room.
	Evicted uint64
}

// Stats returns the present state, for metrics.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Sessions: len(s.entries), Bytes: s.bytes, Evicted: s.evicted}
}

// live returns the entry of id, having removed it if it expired.
func (s *Store) live(id session.ID) (*list.Element, bool) {
	element, ok := s.entries[id]
	if !ok {
		return nil, false
	}
	if !s.config.Now().Before(element.Value.(*entry).record.Expires) {
		s.remove(element)
		return nil, false
	}
	return element, true
}

// evict makes room: the longest idle goes first. The newest always stays.
func (s *Store) evict() {
	for s.bytes > s.config.MaxBytes && s.byUse.Len() > 1 {
		s.remove(s.byUse.Back())
		s.evicted++
	}
}

func (s *Store) remove(element *list.Element) {
	e := element.Value.(*entry)
	s.byUse.Remove(element)
	delete(s.entries, e.record.ID)
	s.unindex(e)
	s.bytes -= e.cost
}

func (s *Store) index(e *entry) {
	for _, key := range e.record.Keys {
		s.byKey[key] = append(s.byKey[key], e.record.ID)
	}
}

func (s *Store) unindex(e *entry) {
	for _, key := range e.record.Keys {
		ids := slices.DeleteFunc(s.byKey[key], func(id session.ID) bool { return id == e.record.ID })
		if len(ids) == 0 {
			delete(s.byKey, key)
		} else {
			s.byKey[key] = ids
		}
	}
}

// newEntry copies r, at a version no record of this store ever had.
func (s *Store) newEntry(r session.Record) *entry {
	s.version++
	r = clone(r)
	r.Version = s.version
	return &entry{record: r, cost: overhead + int64(len(r.Data)) + keyCost*int64(len(r.Keys))}
}

func clone(r session.Record) session.Record {
	r.Data = slices.Clone(r.Data)
	r.Keys = slices.Clone(r.Keys)
	return r
}
