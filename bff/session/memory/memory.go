// Package memory keeps sessions in the process: the fastest home, and one that
// ends with it. It suits one instance, or several behind a sticky balancer.
//
// It owns its bound in bytes: when that is reached, the session that was idle
// longest goes first. It never writes to disk and shares nothing. What it keeps
// has no pointers and lies outside the Go heap, so that a million sessions cost
// the garbage collector nothing: neither are they gone through, nor does the heap,
// which is swept in one go, become large for their sake. Numbered entries in
// tables are found by hash, their data in blocks. What expires gives its memory
// back.
//
//	ID -> buckets -> entry -> block      each a part of a slab of the region
package memory

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"time"

	"cloakroom/bff/session"
)

// overhead is what a record costs beside its Data and Keys, in bytes: its entry
// and its place in the index, rounded up.
const overhead = 104

// keyCost is what one index key costs.
const keyCost = 40

// Config of a Store. The zero value is usable.
type Config struct {
	// MaxBytes bounds what the sessions take; 0 means 256 MiB.
	MaxBytes int64
	// SweepEvery is how often Run looks for the expired; 0 means a minute.
	SweepEvery time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store keeps records, the entries in a list by last use.
type Store struct {
	config Config

	mu      sync.Mutex
	entries slots[entry]
	keys    slots[keyed]
	byID    *buckets // of entries
	byKey   *buckets // of keys
	slabs   *slabs
	newest  uint32 // entry that was used last
	oldest  uint32
	bytes   int64
	evicted uint64
	version session.Version
}

// entry is a record but for its data and keys. The numbers in it are of entries,
// unless they say otherwise; 0 is none.
type entry struct {
	id           session.ID
	version      session.Version
	expires      int64 // Unix, nanoseconds
	data         block
	size         uint32 // of the data
	key          uint32 // the first of its keys
	chain        uint32 // the next in its bucket
	newer, older uint32
}

// keyed is one key of one entry. The numbers in it are of keys.
type keyed struct {
	key   session.Key
	entry uint32
	more  uint32 // the next key of the same entry
	chain uint32
}

var (
	_ session.Store   = (*Store)(nil)
	_ session.Sparing = (*Store)(nil)
	_ session.Finder  = (*Store)(nil)
	_ session.Runner  = (*Store)(nil)
)

// New returns an empty store. It reserves addresses for four times its bound,
// which takes no memory yet.
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
	// Of blocks more than there can be once they are gathered: see slabs.compact.
	// The bound is passed by one session at most, and its keys before an update,
	// before others go.
	entries, keys := c.MaxBytes/overhead+1, c.MaxBytes/keyCost+2*session.MaxKeys
	blocks := 2*c.MaxBytes/slabSize + 3*int64(classes)
	tables := tablesFor[entry](entries) + tablesFor[uint32](entries) + tablesFor[keyed](keys) + tablesFor[uint32](keys)
	if blocks+tables > math.MaxUint32/4 {
		return nil, errors.New("memory: the bound is too large")
	}
	region, err := reserve(int(blocks + tables))
	if err != nil {
		return nil, err
	}
	s := &Store{config: c, slabs: &slabs{region: region, most: int(blocks)}, entries: newSlots[entry](region), keys: newSlots[keyed](region)}
	s.byID, s.byKey = newBuckets(region, entryChain{s}), newBuckets(region, keyChain{s})
	return s, nil
}

type entryChain struct{ s *Store }

func (c entryChain) next(n uint32) *uint32 { return &c.s.entries.at(n).chain }
func (c entryChain) hash(n uint32) uint64  { return hashOf(c.s.entries.at(n).id[:]) }

type keyChain struct{ s *Store }

func (c keyChain) next(n uint32) *uint32 { return &c.s.keys.at(n).chain }
func (c keyChain) hash(n uint32) uint64  { return hashOf(c.s.keys.at(n).key[:]) }

// hashOf is a part of what is a hash already, and one that nobody can choose: IDs
// are SHA-256 of tickets that we draw, keys are keyed hashes.
func hashOf(hash []byte) uint64 { return binary.LittleEndian.Uint64(hash) }

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.live(r.ID) != 0 {
		return 0, session.ErrExists
	}
	cost, ok := costOf(len(r.Data), len(r.Keys))
	if !ok || cost > s.config.MaxBytes {
		return 0, session.ErrTooLarge
	}
	n := s.entries.take()
	e := s.entries.at(n)
	e.id = r.ID
	if !s.write(n, r) {
		s.entries.give(n)
		return 0, session.ErrTooLarge
	}
	s.byID.add(n)
	s.pushNewest(n)
	s.bytes += cost
	s.evict()
	return e.version, nil
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	return s.GetUnless(ctx, id, session.Mark{})
}

// GetUnless implements session.Sparing.
func (s *Store) GetUnless(ctx context.Context, id session.ID, have session.Mark) (session.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	n := s.live(id)
	if n == 0 {
		return session.Record{}, session.ErrNotFound
	}
	s.unlist(n)
	s.pushNewest(n)
	if e := s.entries.at(n); session.MarkOf(e.version, s.slabs.data(e.data, int(e.size))) == have {
		return session.Record{ID: e.id, Version: e.version, Expires: time.Unix(0, e.expires)}, nil
	}
	return s.read(n), nil
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := s.live(r.ID)
	if n == 0 {
		return 0, session.ErrNotFound
	}
	e := s.entries.at(n)
	if e.version != r.Version {
		return 0, session.ErrConflict
	}
	cost, ok := costOf(len(r.Data), len(r.Keys))
	if !ok || cost > s.config.MaxBytes {
		return 0, session.ErrTooLarge
	}
	old, keys, before := e.data, e.key, s.costOf(n)
	if !s.write(n, r) {
		return 0, session.ErrTooLarge
	}
	s.slabs.free(old)
	s.dropKeys(keys)
	s.unlist(n)
	s.pushNewest(n)
	s.bytes += cost - before
	s.evict()
	return e.version, nil
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := s.find(id); n != 0 {
		s.remove(n)
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
	now := s.config.Now().UnixNano()
	var found []session.Record
	for k := *s.byKey.first(hashOf(key[:])); k != 0; k = s.keys.at(k).chain {
		if one := s.keys.at(k); one.key == key && now < s.entries.at(one.entry).expires {
			found = append(found, s.read(one.entry))
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

// sweep removes what has expired, and then gathers what is left of the slabs. It
// holds the lock for one chunk or one slab at a time.
func (s *Store) sweep() {
	for i, more := 0, true; more; i++ {
		s.mu.Lock()
		now := s.config.Now().UnixNano()
		s.entries.each(i, func(n uint32) {
			if now >= s.entries.at(n).expires {
				s.remove(n)
			}
		})
		more = i < len(s.entries.chunks)
		s.mu.Unlock()
	}
	for more := true; more; {
		s.mu.Lock()
		more = s.gather()
		s.mu.Unlock()
	}
}

// gather empties a slab of which there are too many; false when there is none.
func (s *Store) gather() bool {
	return s.slabs.compact(func(owner uint32, to block) { s.entries.at(owner).data = to })
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
	return Stats{Sessions: int(s.byID.count), Bytes: s.bytes, Evicted: s.evicted}
}

// find returns the entry of id; 0 when there is none.
func (s *Store) find(id session.ID) uint32 {
	n := *s.byID.first(hashOf(id[:]))
	for n != 0 && s.entries.at(n).id != id {
		n = s.entries.at(n).chain
	}
	return n
}

// live is find for what has not expired; what has, it removes.
func (s *Store) live(id session.ID) uint32 {
	n := s.find(id)
	if n != 0 && s.config.Now().UnixNano() >= s.entries.at(n).expires {
		s.remove(n)
		return 0
	}
	return n
}

// evict makes room: the longest idle goes first. The newest always stays.
func (s *Store) evict() {
	for s.bytes > s.config.MaxBytes && s.oldest != s.newest {
		s.remove(s.oldest)
		s.evicted++
	}
}

func (s *Store) remove(n uint32) {
	s.bytes -= s.costOf(n)
	s.unlist(n)
	s.byID.remove(n)
	e := s.entries.at(n)
	s.dropKeys(e.key)
	s.slabs.free(e.data)
	s.entries.give(n)
}

// write puts r's data, keys and times into an entry, at a version no record of
// this store ever had. What the entry had is left to the caller. false when there
// is no room, and then nothing has changed.
func (s *Store) write(n uint32, r session.Record) bool {
	at, room, ok := s.slabs.alloc(n, len(r.Data))
	for !ok && s.gather() {
		at, room, ok = s.slabs.alloc(n, len(r.Data))
	}
	if !ok {
		return false
	}
	copy(room, r.Data)
	s.version++
	e := s.entries.at(n)
	e.data, e.size, e.version, e.expires, e.key = at, uint32(len(r.Data)), s.version, nanos(r.Expires), 0
	for i := len(r.Keys) - 1; i >= 0; i-- {
		k := s.keys.take()
		*s.keys.at(k) = keyed{key: r.Keys[i], entry: n, more: e.key}
		s.byKey.add(k)
		e.key = k
	}
	return true
}

// nanos is a time since 1970, as near as it can be told.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func (s *Store) dropKeys(k uint32) {
	for k != 0 {
		more := s.keys.at(k).more
		s.byKey.remove(k)
		s.keys.give(k)
		k = more
	}
}

// read returns a copy of the record of an entry.
func (s *Store) read(n uint32) session.Record {
	e := s.entries.at(n)
	r := session.Record{ID: e.id, Version: e.version, Expires: time.Unix(0, e.expires)}
	r.Data = append(make([]byte, 0, e.size), s.slabs.data(e.data, int(e.size))...)
	var room [session.MaxKeys]session.Key
	keys := room[:0]
	for k := e.key; k != 0; k = s.keys.at(k).more {
		keys = append(keys, s.keys.at(k).key)
	}
	r.Keys = append(r.Keys, keys...)
	return r
}

// costOf is what a record takes, in bytes; false when it is too large for a slab.
func costOf(size, keys int) (int64, bool) {
	class, ok := classOf(size)
	if !ok {
		return 0, false
	}
	return overhead + int64(blockSize(class)) + keyCost*int64(keys), true
}

// costOf is what the record of an entry takes.
func (s *Store) costOf(n uint32) int64 {
	e := s.entries.at(n)
	keys := 0
	for k := e.key; k != 0; k = s.keys.at(k).more {
		keys++
	}
	cost, _ := costOf(int(e.size), keys)
	return cost
}

// pushNewest puts an entry that is in no list at the end of those that were used
// last.
func (s *Store) pushNewest(n uint32) {
	e := s.entries.at(n)
	e.older, e.newer = s.newest, 0
	if s.newest != 0 {
		s.entries.at(s.newest).newer = n
	}
	s.newest = n
	if s.oldest == 0 {
		s.oldest = n
	}
}

func (s *Store) unlist(n uint32) {
	e := s.entries.at(n)
	if e.older != 0 {
		s.entries.at(e.older).newer = e.newer
	} else {
		s.oldest = e.newer
	}
	if e.newer != 0 {
		s.entries.at(e.newer).older = e.older
	} else {
		s.newest = e.older
	}
}
