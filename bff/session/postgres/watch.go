package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"cloakroom/bff/session"
)

// channel carries the IDs of changed records, in hex.
const channel = "cloakroom_sessions"

// Between two attempts to connect.
const leastPause, mostPause = 100 * time.Millisecond, 5 * time.Second

// Watch calls changed for every record that any instance deleted, until ctx
// ends; of what was updated, or expired, there is no news. After it has connected,
// the first time and after every loss of the connection, it calls changed with
// everything set and no ID: anything may have changed unheard. A server that went
// silent is noticed within twice Timeout; until then, and until it is back, there
// is no news, so what relies on it needs a bound of its own.
//
// It takes a connection of its own, to the server itself: a pooler that hands
// out connections by the transaction loses notices.
//
// The calls come one after the other; a slow one delays the next, and one that
// hangs fills the server's queue.
func (s *Store) Watch(ctx context.Context, changed func(id session.ID, everything bool)) error {
	pause := leastPause
	for told := false; ; {
		heard, err := s.listen(ctx, changed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if heard {
			pause, told = leastPause, false
		}
		if !told { // once an outage
			s.log.Warn("watching for changed sessions failed", "error", fmt.Errorf("postgres: watch: %w", err))
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(jitter(pause)):
		}
		pause = min(2*pause, mostPause)
	}
}

// listen serves one connection until it breaks; heard tells whether there was
// one.
func (s *Store) listen(ctx context.Context, changed func(session.ID, bool)) (heard bool, err error) {
	// Not one of the pool: it would be missed there, and its state is special.
	conn, err := s.dial(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	changed(session.ID{}, true)
	for {
		notice, err := s.await(ctx, conn)
		switch {
		case err == nil:
			var id session.ID
			if len(notice) != hex.EncodedLen(len(id)) {
				continue // anybody may say anything on a channel
			}
			if _, err := hex.Decode(id[:], []byte(notice)); err == nil {
				changed(id, false)
			}
		case ctx.Err() != nil:
			return true, ctx.Err()
		case conn.IsClosed():
			return true, err
		default: // silence: is anybody there?
			if err := s.beat(ctx, conn); err != nil {
				return true, err
			}
		}
	}
}

func (s *Store) dial(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// await waits for a notice as long as silence is nothing to worry about.
func (s *Store) await(ctx context.Context, conn *pgx.Conn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	notice, err := conn.WaitForNotification(ctx)
	if err != nil {
		return "", err
	}
	return notice.Payload, nil
}

func (s *Store) beat(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return conn.Ping(ctx)
}
