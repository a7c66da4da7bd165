package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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
// no lock outlives whoever holds it, a pooler in between does no harm, and N
// instances do not sweep N times as often.
//
// Deleted are only whole units of due, up to ten minutes late; nobody can tell,
// since every read looks at expires.
func (s *Store) sweep(ctx context.Context) (n int64, err error) {
	var mine bool
	err = s.call(ctx, "sweep", func(ctx context.Context, conn *pgxpool.Conn) error {
		tag, err := conn.Exec(ctx,
			"UPDATE cloakroom_schema SET swept = now() WHERE swept <= now() - $1::interval", s.every*3/4)
		mine = tag.RowsAffected() > 0
		return err
	})
	for more := mine; more && err == nil; {
		err = s.call(ctx, "sweep", func(ctx context.Context, conn *pgxpool.Conn) error {
			tag, err := conn.Exec(ctx, `
				DELETE FROM cloakroom_sessions WHERE id IN (
					SELECT id FROM cloakroom_sessions WHERE due < extract(epoch FROM now())::bigint / 600
					LIMIT $1 FOR UPDATE SKIP LOCKED)`, sweepBatch)
			n += tag.RowsAffected()
			more = tag.RowsAffected() == sweepBatch
			return err
		})
	}
	return n, err
}

// jitter spreads d by a quarter to either side, so that instances started
// together do not stay together.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
