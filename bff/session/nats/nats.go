package nats

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cloakroom/bff/session"
)

// Store keeps records in a JetStream bucket.
type Store struct {
	config Config
	target target
	prefix string // of all subjects
	link   link

	running  atomic.Bool
	embedded atomic.Pointer[embeddedServer]
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

// New returns a Store. With a URL it connects on first use; the embedded
// server of a Cluster is there as long as Run runs.
func New(c Config) (*Store, error) {
	err := c.complete()
	t := target{bucket: defaultBucket, memory: c.Cluster.StoreDir == ""}
	if !c.URL.Empty() {
		var urlErr error
		t, urlErr = parseURL(c.URL.Reveal())
		err = errors.Join(err, urlErr)
	}
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	if t.open {
		c.Log.Warn("the connection to nats is not protected against whoever sits in between")
	}
	s := &Store{config: c, target: t, prefix: "$KV." + t.bucket + "."}
	s.link.open = s.open
	return s, nil
}

// Close ends the connection. It does not stop a Run.
func (s *Store) Close() error {
	s.link.close()
	return nil
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if len(r.Keys) > session.MaxKeys {
		return 0, session.ErrTooLarge
	}
	b, err := s.link.get(ctx)
	if err != nil {
		return 0, fmt.Errorf("nats: create: %w", err)
	}
	// In this order, and in one round trip: the index never lacks a record.
	indexed := s.indexUntil(r.Expires)
	entries, err := s.sendIndex(b, &r, indexed)
	if err != nil {
		return 0, s.failed("create", err)
	}
	version, err := s.put(ctx, b, &r, indexed, 0)
	for attempt := 0; wrongSequence(err) && attempt < createAttempts; attempt++ {
		var last uint64
		if last, err = s.leftover(ctx, b, r.ID); err != nil {
			break
		}
		version, err = s.put(ctx, b, &r, indexed, last)
	}
	switch {
	case wrongSequence(err), errors.Is(err, session.ErrExists):
		return 0, session.ErrExists
	case err != nil:
		return 0, s.failed("create", err)
	}
	if err := await(ctx, entries...); err != nil {
		// A session that a sign-out everywhere would miss must not be had.
		return 0, s.failed("create: index", err)
	}
	return version, nil
}

// createAttempts bounds how often Create tries to take the place of something
// that is no record any more while others try too.
const createAttempts = 3

// leftover returns the sequence of what is in the place of id, which may be
// replaced, or ErrExists.
func (s *Store) leftover(ctx context.Context, b *bucket, id session.ID) (uint64, error) {
	m, err := s.last(ctx, b, id)
	if errors.Is(err, session.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := s.live(id, m); err == nil {
		return 0, session.ErrExists
	}
	return m.Sequence, nil
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	b, err := s.link.get(ctx)
	if err != nil {
		return session.Record{}, fmt.Errorf("nats: get: %w", err)
	}
	r, err := s.read(ctx, b, id)
	if err != nil {
		return session.Record{}, s.failed("get", err)
	}
	return r.Record, nil
}

// Update implements session.Store. It reads first, since neither the expiry to
// the millisecond nor the index can be had from the sequence.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if len(r.Keys) > session.MaxKeys {
		return 0, session.ErrTooLarge
	}
	b, err := s.link.get(ctx)
	if err != nil {
		return 0, fmt.Errorf("nats: update: %w", err)
	}
	current, err := s.read(ctx, b, r.ID)
	if err != nil {
		return 0, s.failed("update", err)
	}
	if current.Version != r.Version {
		return 0, session.ErrConflict
	}
	indexed := current.indexed
	if !sameKeys(current.Keys, r.Keys) || r.Expires.After(indexed) {
		indexed = s.indexUntil(r.Expires)
		if err := s.writeIndex(ctx, b, &r, indexed); err != nil {
			return 0, s.failed("update: index", err)
		}
	}
	version, err := s.put(ctx, b, &r, indexed, uint64(r.Version))
	if wrongSequence(err) {
		if _, err := s.read(ctx, b, r.ID); err != nil {
			return 0, s.failed("update", err)
		}
		return 0, session.ErrConflict
	}
	if err != nil {
		return 0, s.failed("update", err)
	}
	return version, nil
}

// markerLife is how long a marker stays in the place of a deleted record. An
// update fails with or without it; it is the news of the deletion.
const markerLife = time.Minute

// deleteAttempts bounds how often Delete makes room for a marker.
const deleteAttempts = 3

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	b, err := s.link.get(ctx)
	if err != nil {
		return fmt.Errorf("nats: delete: %w", err)
	}
	m, err := s.last(ctx, b, id)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return s.failed("delete", err)
	}
	// Also over nothing: only what most replicas took is known to be deleted.
	err = s.mark(ctx, b, s.recordSubject(id))
	for attempt := 0; refused(err) && attempt < deleteAttempts; attempt++ {
		// People must be able to sign out of a full bucket. To purge makes room,
		// but an update under way could follow it; the marker is what counts.
		if err = b.stream.Purge(ctx, jetstream.WithPurgeSubject(s.recordSubject(id))); err == nil {
			err = s.mark(ctx, b, s.recordSubject(id))
		}
	}
	if err != nil {
		return s.failed("delete", err)
	}
	if r, err := decode(id, m.Sequence, m.Data); err == nil {
		s.unindex(ctx, b, &r.Record)
	}
	return nil
}

func (s *Store) mark(ctx context.Context, b *bucket, subject string) error {
	future, err := b.send(subject, nil, markerLife, deleted())
	if err != nil {
		return err
	}
	return await(ctx, future)
}

// put writes r if the last sequence of its subject is expected.
func (s *Store) put(ctx context.Context, b *bucket, r *session.Record, indexed time.Time, expected uint64) (session.Version, error) {
	future, err := b.send(s.recordSubject(r.ID), encode(r, indexed), r.Expires.Sub(s.config.Now()), expect(expected))
	if err != nil {
		return 0, err
	}
	sequence, err := wait(ctx, future)
	return session.Version(sequence), err
}

// read returns the record of id that has not expired.
func (s *Store) read(ctx context.Context, b *bucket, id session.ID) (stored, error) {
	m, err := s.last(ctx, b, id)
	if err != nil {
		return stored{}, err
	}
	return s.live(id, m)
}

func (s *Store) live(id session.ID, m message) (stored, error) {
	if m.marker() {
		return stored{}, session.ErrNotFound
	}
	r, err := decode(id, m.Sequence, m.Data)
	if err != nil || !s.config.Now().Before(r.Expires) {
		return stored{}, session.ErrNotFound
	}
	return r, nil
}

// failed names the operation that failed, and lets the link look for the
// bucket again should it be gone.
func (s *Store) failed(verb string, err error) error {
	switch {
	case errors.Is(err, session.ErrNotFound):
		return session.ErrNotFound
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum):
		return session.ErrTooLarge
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		s.link.forget()
	}
	return fmt.Errorf("nats: %s: %w", verb, err)
}

// wrongSequence reports whether a write came second.
func wrongSequence(err error) bool {
	var e *jetstream.APIError
	return errors.As(err, &e) &&
		(e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// refused reports whether the server answered, and would not store a message.
func refused(err error) bool {
	var e *jetstream.APIError
	return errors.As(err, &e)
}
