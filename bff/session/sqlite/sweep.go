package sqlite

import (
	"context"
	"math/rand/v2"
	"time"
)

// sweepBatch bounds what one transaction deletes, and so how long other writers
// wait for it.
const sweepBatch = 200

// Run sweeps out what has expired until ctx ends. Of several processes with
// one file, one at a time finds something to do.
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
// of the last sweep is in the file: to move it on is to take the turn.
func (s *Store) sweep(ctx context.Context) (n int64, err error) {
	now := s.now()
	moved, err := s.exec(ctx, "UPDATE cloakroom_schema SET swept = ? WHERE swept <= ?", now, now-(s.every*3/4).Milliseconds())
	for more := moved > 0; more && err == nil; {
		var deleted int64
		deleted, err = s.exec(ctx, `DELETE FROM cloakroom_sessions WHERE rowid IN (
			SELECT rowid FROM cloakroom_sessions WHERE expires <= ? ORDER BY expires LIMIT ?)`, now, sweepBatch)
		n += deleted
		more = deleted == sweepBatch
	}
	return n, err
}

func (s *Store) exec(ctx context.Context, statement string, args ...any) (n int64, err error) {
	err = s.call(ctx, "sweep", func(ctx context.Context) (err error) {
		n, err = affected(s.writer.ExecContext(ctx, statement, args...))
		return err
	})
	return n, err
}

// jitter spreads d by a quarter to either side, so that instances started
// together do not stay together.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
