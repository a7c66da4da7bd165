package memcached

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"cloakroom/bff/session"
)

// entry is an ID in an index.
//
//	 0  32 bytes  ID
//	32   4 bytes  until when it counts, Unix seconds
//	36   4 bytes  since when it is there
const entrySize = len(session.ID{}) + 8

type entry []byte

func newEntry(id session.ID, until, since time.Time) entry {
	e := append(make(entry, 0, entrySize), id[:]...)
	e = binary.BigEndian.AppendUint32(e, uint32(until.Unix()))
	return binary.BigEndian.AppendUint32(e, uint32(since.Unix()))
}

func (e entry) id() session.ID   { return session.ID(e[:32]) }
func (e entry) until() time.Time { return time.Unix(int64(binary.BigEndian.Uint32(e[32:])), 0) }
func (e entry) since() time.Time { return time.Unix(int64(binary.BigEndian.Uint32(e[36:])), 0) }

// entries is an index: any number of them, up to maxEntries.
type entries []byte

// maxEntries bounds the sessions under one key, and what a change of the index
// sends: 80 KB.
const maxEntries = 2000

// readEntries takes what is malformed for an empty index.
func readEntries(b []byte) entries {
	if len(b)%entrySize != 0 {
		return nil
	}
	return b
}

func (all entries) each(f func(entry)) {
	for e := range slices.Chunk(all, entrySize) {
		f(entry(e))
	}
}

func (all entries) find(id session.ID) (found entry) {
	all.each(func(e entry) {
		if bytes.Equal(e[:32], id[:]) {
			found = e
		}
	})
	return found
}

// keep returns those that wanted reports true for, in memory of their own.
func (all entries) keep(wanted func(entry) bool) entries {
	kept := make(entries, 0, len(all)+entrySize)
	all.each(func(e entry) {
		if wanted(e) {
			kept = append(kept, e...)
		}
	})
	return kept
}

// until is when the last of them ends.
func (all entries) until() (last time.Time) {
	all.each(func(e entry) {
		if e.until().After(last) {
			last = e.until()
		}
	})
	return last
}

const (
	// indexSlack is how much longer than its record an entry counts when it is
	// written. Most updates, which move the expiry a little, so find an entry
	// that still suffices.
	indexSlack = 10 * time.Minute
	// settled is the age from which an entry without a record leads nowhere.
	// Before it, the record may be about to be written.
	settled = time.Minute
)

// enter makes sure that r is in the index of key until it expires. present is
// the index as it was just read, if it was.
func (s *Store) enter(ctx context.Context, key session.Key, r *session.Record, present *memcache.Item) error {
	return s.change(ctx, key, present, func(all entries) (entries, error) {
		now := s.now()
		if e := all.find(r.ID); e != nil && !e.until().Before(r.Expires) {
			return nil, errUnchanged
		}
		all = all.keep(func(e entry) bool { return e.id() != r.ID && now.Before(e.until()) })
		if len(all) >= maxEntries*entrySize {
			var err error
			if all, err = s.withoutDead(ctx, all, now); err != nil {
				return nil, err
			}
		}
		if len(all) >= maxEntries*entrySize {
			// One more session would be one that Find does not know.
			return nil, session.ErrTooLarge
		}
		return append(all, newEntry(r.ID, r.Expires.Add(indexSlack), now)...), nil
	})
}

// leave removes id from the index of key.
func (s *Store) leave(ctx context.Context, key session.Key, id session.ID) error {
	return s.change(ctx, key, nil, func(all entries) (entries, error) {
		if all.find(id) == nil {
			return nil, errUnchanged
		}
		now := s.now()
		return all.keep(func(e entry) bool { return e.id() != id && now.Before(e.until()) }), nil
	})
}

// withoutDead drops the entries that lead nowhere.
func (s *Store) withoutDead(ctx context.Context, all entries, now time.Time) (entries, error) {
	live := map[session.ID]bool{}
	err := s.eachLive(ctx, all, func(r session.Record) { live[r.ID] = true })
	return all.keep(func(e entry) bool { return live[e.id()] || now.Sub(e.since()) < settled }), err
}

var errUnchanged = errors.New("unchanged")

// change replaces the index of key by what edit makes of it, and starts anew
// when another was quicker. edit may run several times.
func (s *Store) change(ctx context.Context, key session.Key, present *memcache.Item, edit func(entries) (entries, error)) error {
	name := s.indexKey(key)
	for attempt := 0; ; attempt++ {
		item := present
		present = nil
		if item == nil {
			var err error
			if item, err = s.get(ctx, name); err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
				return err
			}
		}
		err := s.changeOnce(name, item, edit)
		switch {
		case err == nil || errors.Is(err, errUnchanged):
			return nil
		case !errors.Is(err, memcache.ErrNotStored) && !errors.Is(err, memcache.ErrCASConflict) && !errors.Is(err, memcache.ErrCacheMiss):
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (s *Store) changeOnce(name string, item *memcache.Item, edit func(entries) (entries, error)) error {
	var old entries
	if item != nil {
		old = readEntries(item.Value)
	}
	edited, err := edit(old)
	if err != nil {
		return err
	}
	next := &memcache.Item{Key: name, Value: edited, Expiration: expiration(edited.until(), s.now())}
	if item == nil {
		return s.client.Add(next)
	}
	// An index that became empty stays until it expires, at once: to delete it
	// would also delete what another instance enters meanwhile.
	next.CasID = item.CasID
	return s.client.CompareAndSwap(next)
}

// pause waits a little, and longer the more others are at it.
func pause(ctx context.Context, attempt int) error {
	const shortest, longest = 200 * time.Microsecond, 20 * time.Millisecond
	t := time.NewTimer(rand.N(min(shortest<<min(attempt, 10), longest)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
