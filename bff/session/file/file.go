package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"

	"cloakroom/bff/session"
)

// Config of a Store. Path is needed.
type Config struct {
	// Path of the file, in a folder that exists. The file is made if need be.
	Path string
	// Timeout bounds each operation, and the wait for another process to let
	// go of the file; 0 means 2 s.
	Timeout time.Duration
	// SweepEvery is how often Run looks for the expired; 0 means a minute.
	SweepEvery time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what no caller hears of; nil discards it.
	Log *slog.Logger
}

// Store keeps records in a file.
type Store struct {
	config   Config
	database database
	writes   group
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

const defaultTimeout = 2 * time.Second

// New returns a Store. It opens the file on first use.
func New(c Config) (*Store, error) {
	if c.Path == "" {
		return nil, errors.New("file: the path is missing")
	}
	if c.Timeout < 0 || c.SweepEvery < 0 {
		return nil, errors.New("file: times must not be negative")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	// Somewhat less than a caller waits, who so learns of the reason.
	s := &Store{config: c, database: database{path: c.Path, patience: c.Timeout * 3 / 4}}
	s.writes.failed = s.database.failed
	return s, nil
}

// Close closes the file and lets go of it.
func (s *Store) Close() error {
	if err := s.database.close(); err != nil {
		return fmt.Errorf("file: close: %w", err)
	}
	return nil
}

// Ping reports whether the file is open and ours.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.view(ctx, func(*bbolt.Tx) error { return nil }); err != nil {
		return fmt.Errorf("file: ping: %w", err)
	}
	return nil
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	v, err := encode(&r)
	if err != nil {
		return 0, err
	}
	err = s.update(ctx, func(tx *bbolt.Tx) error {
		old := value(tx.Bucket(bucketRecords).Get(r.ID[:]))
		if old.live(s.config.Now()) {
			return session.ErrExists
		}
		return replace(tx, r.ID, old, v)
	})
	return written("create", v, err)
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	var r session.Record
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		v := value(tx.Bucket(bucketRecords).Get(id[:]))
		if !v.live(s.config.Now()) {
			return session.ErrNotFound
		}
		r = v.record(id)
		return nil
	})
	if err != nil {
		return session.Record{}, failure("get", err)
	}
	return r, nil
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	v, err := encode(&r)
	if err != nil {
		return 0, err
	}
	err = s.update(ctx, func(tx *bbolt.Tx) error {
		old := value(tx.Bucket(bucketRecords).Get(r.ID[:]))
		if !old.live(s.config.Now()) {
			return session.ErrNotFound
		}
		if old.version() != r.Version {
			return session.ErrConflict
		}
		return replace(tx, r.ID, old, v)
	})
	return written("update", v, err)
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	err := s.update(ctx, func(tx *bbolt.Tx) error { return remove(tx, id[:]) })
	return failure("delete", err)
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	var found []session.Record
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		now, records := s.config.Now(), tx.Bucket(bucketRecords)
		cursor := tx.Bucket(bucketIndex).Cursor()
		for entry, _ := cursor.Seek(key[:]); bytes.HasPrefix(entry, key[:]); entry, _ = cursor.Next() {
			id := entry[len(key):]
			if v := value(records.Get(id)); v.live(now) && len(id) == len(session.ID{}) {
				found = append(found, v.record(session.ID(id)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, failure("find", err)
	}
	return found, nil
}

func (s *Store) view(ctx context.Context, read func(*bbolt.Tx) error) (outcome error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	db, err := s.database.get(ctx)
	if err != nil {
		return err
	}
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			outcome = guard(func() error { return read(tx) })
			return nil
		})
	})
	if err != nil {
		s.database.failed(err)
		return err
	}
	return outcome
}

func (s *Store) update(ctx context.Context, change func(*bbolt.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	db, err := s.database.get(ctx)
	if err != nil {
		return err
	}
	return s.writes.do(ctx, db, change)
}

// replace puts v, at a new version, where old was, if anything was there.
func replace(tx *bbolt.Tx, id session.ID, old, v value) error {
	if old != nil {
		if err := remove(tx, id[:]); err != nil {
			return err
		}
	}
	records, index, expiry := tx.Bucket(bucketRecords), tx.Bucket(bucketIndex), tx.Bucket(bucketExpiry)
	// The file keeps the sequence, and never gives a number twice.
	n, err := records.NextSequence()
	if err != nil {
		return err
	}
	v.setVersion(session.Version(n))
	for i := range v.keys() {
		if err := index.Put(indexKey(v.key(i), id[:]), nil); err != nil {
			return err
		}
	}
	if err := expiry.Put(expiryKey(v, id[:]), nil); err != nil {
		return err
	}
	return records.Put(id[:], v)
}

// remove takes the record of id out, with whatever leads to it.
func remove(tx *bbolt.Tx, id []byte) error {
	records, index := tx.Bucket(bucketRecords), tx.Bucket(bucketIndex)
	v := value(records.Get(id))
	if v == nil {
		return nil
	}
	if v.valid() {
		for i := range v.keys() {
			if err := index.Delete(indexKey(v.key(i), id)); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketExpiry).Delete(expiryKey(v, id)); err != nil {
			return err
		}
	}
	return records.Delete(id)
}

// Run sweeps out what has expired until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.config.SweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.config.Log.Warn("expired sessions were not swept out", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// sweepBatch bounds how long a sweep keeps others from writing.
const sweepBatch = 500

func (s *Store) sweep(ctx context.Context) error {
	for {
		n := 0
		err := s.update(ctx, func(tx *bbolt.Tx) error {
			var err error
			n, err = removeExpired(tx, s.config.Now(), sweepBatch)
			return err
		})
		if err != nil || n < sweepBatch {
			return failure("sweep", err)
		}
	}
}

// removeExpired removes up to limit records that are past their time, and
// returns how many.
func removeExpired(tx *bbolt.Tx, now time.Time, limit int) (int, error) {
	expiry := tx.Bucket(bucketExpiry)
	end := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	var expired [][]byte // copied: a cursor does not stand changes
	cursor := expiry.Cursor()
	for entry, _ := cursor.First(); entry != nil && len(expired) < limit && bytes.Compare(entry[:8], end) <= 0; entry, _ = cursor.Next() {
		expired = append(expired, bytes.Clone(entry))
	}
	records := tx.Bucket(bucketRecords)
	for _, entry := range expired {
		// Should entry and record ever differ, the record is right.
		if v := value(records.Get(entry[8:])); !v.live(now) {
			if err := remove(tx, entry[8:]); err != nil {
				return 0, err
			}
		}
		if err := expiry.Delete(entry); err != nil {
			return 0, err
		}
	}
	return len(expired), nil
}

// isOutcome reports whether err is an answer, and no failure of the file.
func isOutcome(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrExists) || errors.Is(err, session.ErrConflict)
}

func written(what string, v value, err error) (session.Version, error) {
	if err != nil {
		return 0, failure(what, err)
	}
	return v.version(), nil
}

// failure says where err is from, unless it is an answer.
func failure(what string, err error) error {
	if err == nil || isOutcome(err) {
		return err
	}
	return fmt.Errorf("file: %s: %w", what, err)
}
