package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"cloakroom/bff/session"
)

// indexSlack is how much longer an index entry stays than its record at least.
const indexSlack = time.Minute

// indexUntil is when the index entries of a record expire: so late that most
// updates that move the record's expiry leave the index alone.
func (s *Store) indexUntil(expires time.Time) time.Time {
	left := max(0, expires.Sub(s.config.Now()))
	return expires.Add(left + indexSlack)
}

// sendIndex enters r into its indexes and does not wait. An entry whose record
// is gone, or lost the key, leads nowhere until it expires.
func (s *Store) sendIndex(b *bucket, r *session.Record, until time.Time) ([]jetstream.PubAckFuture, error) {
	futures := make([]jetstream.PubAckFuture, 0, len(r.Keys))
	for _, key := range r.Keys {
		future, err := b.send(s.indexSubject(key, r.ID), nil, until.Sub(s.config.Now())+indexSlack, nil)
		if err != nil {
			return nil, err
		}
		futures = append(futures, future)
	}
	return futures, nil
}

func (s *Store) writeIndex(ctx context.Context, b *bucket, r *session.Record, until time.Time) error {
	futures, err := s.sendIndex(b, r, until)
	if err != nil {
		return err
	}
	return await(ctx, futures...)
}

// unindex removes the entries of a deleted record. They would do no harm, and
// expire: so a failure does not fail the delete.
func (s *Store) unindex(ctx context.Context, b *bucket, r *session.Record) {
	var futures []jetstream.PubAckFuture
	for _, key := range r.Keys {
		future, err := b.send(s.indexSubject(key, r.ID), nil, time.Second, deleted())
		if err == nil {
			futures = append(futures, future)
		}
	}
	if err := await(ctx, futures...); err != nil {
		s.config.Log.Warn("an index entry of a deleted session stays until it expires", "error", err)
	}
}

// findParallel is how many records Find asks for at once.
const findParallel = 16

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	b, err := s.link.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("nats: find: %w", err)
	}
	// The leader lists the subjects; a consumer or a direct get would ask any
	// replica, which may lag.
	info, err := b.stream.Info(ctx, jetstream.WithSubjectFilter(s.keySubject(key)+"*"))
	if err != nil {
		return nil, s.failed("find", err)
	}
	var mu sync.Mutex
	var found []session.Record
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(findParallel)
	for subject := range info.State.Subjects {
		id, ok := idOf(subject)
		if !ok {
			continue
		}
		group.Go(func() error {
			r, err := s.read(ctx, b, id)
			if errors.Is(err, session.ErrNotFound) {
				return nil
			}
			if err == nil && slices.Contains(r.Keys, key) {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, r.Record)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, s.failed("find", err)
	}
	return found, nil
}
