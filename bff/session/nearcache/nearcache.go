package nearcache

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"cloakroom/bff/session"
)

// Backend is the shared store behind the copy.
type Backend interface {
	session.Store
	session.Finder
}

// Watcher is a Backend that tells of changes. Watch calls changed for every
// record that anybody updated or deleted, with all set when it may have missed
// some, and returns when ctx ends.
type Watcher interface {
	Watch(ctx context.Context, changed func(id session.ID, all bool)) error
}

// Config of a Store. MaxBytes and MaxAge are required.
type Config struct {
	// MaxBytes bounds what the copies take.
	MaxBytes int64
	// MaxAge is how old a copy may become before it is read again.
	MaxAge time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is a Backend with a copy in front.
type Store struct {
	backend Backend
	config  Config
	reads   singleflight.Group

	mu      sync.Mutex
	copies  map[session.ID]*list.Element
	byUse   *list.List // of *held, the longest unused at the back
	bytes   int64
	reading map[session.ID]*read // the newest read under way of each record
	stats   Stats

	telling   sync.Mutex // listeners are called by one at a time
	listeners map[*listener]struct{}
}

// held is one copy.
type held struct {
	record session.Record
	since  time.Time
	cost   int64
}

// read is one question to the store. It is outdated once the record was changed
// after it was asked.
type read struct {
	asked    time.Time
	outdated bool
}

// overhead is what a copy costs beside its Data, in bytes, rounded up.
const overhead = 400

var (
	_ session.Store   = (*Store)(nil)
	_ session.Sparing = (*Store)(nil)
	_ session.Finder  = (*Store)(nil)
	_ session.Runner  = (*Store)(nil)
	_ session.Copier  = (*Store)(nil)
	_ Watcher         = (*Store)(nil)
)

// New returns backend with a copy in front.
func New(backend Backend, c Config) (*Store, error) {
	if backend == nil || c.MaxBytes <= 0 || c.MaxAge <= 0 {
		return nil, errors.New("nearcache: a backend, a size and an age are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{
		backend: backend, config: c, copies: map[session.ID]*list.Element{}, byUse: list.New(), reading: map[session.ID]*read{},
		listeners: map[*listener]struct{}{},
	}, nil
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	version, err := s.backend.Create(ctx, r)
	s.Forget(r.ID)
	return version, err
}

// Get implements session.Store: from the copy while it is young, else from the
// store, once for everybody who waits.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	return s.GetUnless(ctx, id, session.Mark{})
}

// GetUnless implements session.Sparing.
func (s *Store) GetUnless(ctx context.Context, id session.ID, have session.Mark) (session.Record, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	if r, ok := s.copied(id); ok {
		return unless(r, have), nil
	}
	// The read is everybody's: it must not end with the caller who began it.
	flight := s.reads.DoChan(string(id[:]), func() (any, error) { return s.ask(context.WithoutCancel(ctx), id) })
	select {
	case <-ctx.Done():
		return session.Record{}, ctx.Err()
	case result := <-flight:
		if result.Err != nil {
			return session.Record{}, result.Err
		}
		return unless(result.Val.(session.Record), have), nil
	}
}

// ask reads from the store and keeps the answer, unless the record was changed
// while the answer was on its way: then it may be the state before.
func (s *Store) ask(ctx context.Context, id session.ID) (session.Record, error) {
	s.mu.Lock()
	if other, ok := s.reading[id]; ok {
		// Two at once: the one was begun, put aside by a change before it got
		// here, and overtaken. Only the one that is remembered hears of the next.
		other.outdated = true
	}
	asked := &read{asked: s.config.Now()}
	s.reading[id] = asked
	s.stats.Misses++
	s.mu.Unlock()
	r, err := s.backend.Get(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading[id] == asked {
		delete(s.reading, id)
	}
	if err == nil && !asked.outdated {
		s.keep(clone(r), asked.asked)
	}
	return r, err
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	version, err := s.backend.Update(ctx, r)
	// Whatever came of it, the copy may be wrong: on success it is old, on a
	// conflict it was, and after an error nobody knows.
	s.Forget(r.ID)
	return version, err
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	err := s.backend.Delete(ctx, id)
	s.Forget(id)
	return err
}

// Find implements session.Finder. It is rare and must be complete, so it
// always asks the store.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	return s.backend.Find(ctx, key)
}

// Run does the backend's own work, and listens to its changes if it tells
// them, until ctx ends or one of the two fails.
func (s *Store) Run(ctx context.Context) error {
	var work []func(context.Context) error
	if runner, ok := s.backend.(session.Runner); ok {
		work = append(work, runner.Run)
	}
	if watcher, ok := s.backend.(Watcher); ok {
		work = append(work, func(ctx context.Context) error { return watcher.Watch(ctx, s.changed) })
	}
	if len(work) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range work {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

// Stats is the state of the copy at one moment.
type Stats struct {
	Copies       int
	Bytes        int64
	Hits, Misses uint64
}

// Stats returns the present state, for metrics.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Copies, stats.Bytes = len(s.copies), s.bytes
	return stats
}

// copied returns a young copy of a live record, which is nobody's to alter.
func (s *Store) copied(id session.ID) (session.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, ok := s.copies[id]
	if !ok {
		return session.Record{}, false
	}
	h, now := element.Value.(*held), s.config.Now()
	if now.Sub(h.since) >= s.config.MaxAge || !now.Before(h.record.Expires) {
		s.remove(element)
		return session.Record{}, false
	}
	s.byUse.MoveToFront(element)
	s.stats.Hits++
	return h.record, true
}

// keep holds a copy, and lets the longest unused go for it. Its age counts from
// when it was asked for: how old an answer is, only the store knows.
func (s *Store) keep(r session.Record, asked time.Time) {
	if element, ok := s.copies[r.ID]; ok {
		s.remove(element)
	}
	h := &held{r, asked, overhead + int64(len(r.Data))}
	if h.cost > s.config.MaxBytes {
		return
	}
	s.copies[r.ID] = s.byUse.PushFront(h)
	for s.bytes += h.cost; s.bytes > s.config.MaxBytes; {
		s.remove(s.byUse.Back())
	}
}

// forgetAll drops every copy, and the answers of all reads under way.
func (s *Store) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.copies)
	s.byUse.Init()
	s.bytes = 0
	for id := range s.reading {
		s.outdate(id)
	}
}

// Forget implements session.Copier: it drops the copy of a record, and the
// answer of a read under way.
func (s *Store) Forget(id session.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.copies[id]; ok {
		s.remove(element)
	}
	s.outdate(id)
}

// outdate keeps the answer of a read under way out of the copies, and lets the
// next Get ask anew instead of waiting for it.
func (s *Store) outdate(id session.ID) {
	if asked, ok := s.reading[id]; ok {
		asked.outdated = true
		delete(s.reading, id)
	}
	s.reads.Forget(string(id[:]))
}

func (s *Store) remove(element *list.Element) {
	h := element.Value.(*held)
	s.byUse.Remove(element)
	delete(s.copies, h.record.ID)
	s.bytes -= h.cost
}

// unless is a copy of r for a caller, without what they have.
func unless(r session.Record, have session.Mark) session.Record {
	if have != (session.Mark{}) && session.MarkOf(r.Version, r.Data) == have {
		r.Data, r.Keys = nil, nil
		return r
	}
	return clone(r)
}

func clone(r session.Record) session.Record {
	r.Data = slices.Clone(r.Data)
	r.Keys = slices.Clone(r.Keys)
	return r
}
