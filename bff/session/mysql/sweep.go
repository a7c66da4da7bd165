package mysql

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"
)

// sweepBatch bounds what one statement deletes, and so how long it holds locks.
const sweepBatch = 500

// Run sweeps out what has expired until ctx ends. Every instance runs it; one
// at a time finds something to do.
func (s *Store) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(jitter(s.every)):
		}
		n, err := s.sweep(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.Warn("sweeping expired sessions failed", "error", err)
		case n > 0:
			s.log.Debug("expired sessions swept", "sessions", n)
		}
	}
}

// sweep deletes what has expired, if it is time and nobody else does. The time
// of the last sweep is in the database: to move it on is to take the turn, so
// no lock outlives whoever holds it, Galera (where GET_LOCK is each node's own)
// is no exception, and N instances do not sweep N times as often.
func (s *Store) sweep(ctx context.Context) (n int64, err error) {
	var mine bool
	err = s.call(ctx, "sweep", func(ctx context.Context) error {
		result, err := s.db.ExecContext(ctx,
			"UPDATE cloakroom_schema SET swept = "+now+" WHERE swept <= "+now+" - ?", (s.every * 3 / 4).Milliseconds())
		if err != nil {
			return err
		}
		moved, err := result.RowsAffected()
		mine = moved > 0
		return err
	})
	for more := mine; more && err == nil; {
		var deleted int64
		err = s.call(ctx, "sweep", func(ctx context.Context) (err error) {
			deleted, err = s.deleteExpired(ctx)
			return err
		})
		n += deleted
		more = deleted == sweepBatch
	}
	return n, err
}

// deleteExpired deletes a batch. At InnoDB's usual level of isolation it would
// lock the gaps between what it deletes too, and sign-ins would wait for it.
func (s *Store) deleteExpired(ctx context.Context) (int64, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	result, err := tx.ExecContext(ctx, "DELETE FROM cloakroom_sessions WHERE expires <= "+now+" ORDER BY expires LIMIT ?", sweepBatch)
	if err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// jitter spreads d by a quarter to either side, so that instances started
// together do not stay together.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
