package postgres

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"cloakroom/bff/session"
)

// maxData is far above any session, and below what any server refuses.
const maxData = 1 << 20

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	if len(r.Data) > maxData {
		return 0, session.ErrTooLarge
	}
	version := newVersion()
	err := s.call(ctx, "create", func(ctx context.Context, conn *pgxpool.Conn) error {
		tag, err := conn.Exec(ctx, `
			INSERT INTO cloakroom_sessions AS s (id, version, expires, keys, data) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE
			SET version = excluded.version, expires = excluded.expires, keys = excluded.keys, data = excluded.data
			WHERE s.expires <= now()`,
			r.ID[:], version, r.Expires, bytesOf(r.Keys), nonNil(r.Data))
		if err == nil && tag.RowsAffected() == 0 {
			return session.ErrExists
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return session.Version(version), nil
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	r := session.Record{ID: id}
	err := s.call(ctx, "get", func(ctx context.Context, conn *pgxpool.Conn) error {
		var keys [][]byte
		err := conn.QueryRow(ctx, `
			SELECT version, expires, keys, data FROM cloakroom_sessions WHERE id = $1 AND expires > now()`, id[:],
		).Scan(&r.Version, &r.Expires, &keys, &r.Data)
		if errors.Is(err, pgx.ErrNoRows) {
			return session.ErrNotFound
		}
		r.Keys = keysOf(keys)
		return err
	})
	if err != nil {
		return session.Record{}, err
	}
	return r, nil
}

// The second half of an update tells a late writer from one whose session is
// gone. Both halves see the same moment; should the record be deleted while
// the first waits for its lock, the answer is "changed by another", which it
// was.
//
// Only a deletion is told to others (see Watch). A server commits transactions
// with notices one after the other, each with its own flush; updates, of which
// there are many, must not wait in that line.
const (
	updateRecord = `
		WITH done AS (
			UPDATE cloakroom_sessions SET version = $3, expires = $4, keys = $5, data = $6
			WHERE id = $1 AND version = $2 AND expires > now() RETURNING id)
		SELECT EXISTS (SELECT FROM done),
			EXISTS (SELECT FROM cloakroom_sessions WHERE id = $1 AND expires > now())`

	deleteRecord = `
		WITH done AS (DELETE FROM cloakroom_sessions WHERE id = $1 RETURNING id)
		SELECT count(pg_notify('` + channel + `', encode(id, 'hex'))::text) FROM done`  // the cast makes a value of void
)

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	if len(r.Data) > maxData {
		return 0, session.ErrTooLarge
	}
	version := newVersion()
	err := s.call(ctx, "update", func(ctx context.Context, conn *pgxpool.Conn) error {
		var done, live bool
		err := conn.QueryRow(ctx, updateRecord,
			r.ID[:], int64(r.Version), version, r.Expires, bytesOf(r.Keys), nonNil(r.Data),
		).Scan(&done, &live)
		switch {
		case err != nil || done:
			return err
		case live:
			return session.ErrConflict
		}
		return session.ErrNotFound
	})
	if err != nil {
		return 0, err
	}
	return session.Version(version), nil
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	return s.call(ctx, "delete", func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, deleteRecord, id[:])
		return err
	})
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	var found []session.Record
	err := s.call(ctx, "find", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, `
			SELECT id, version, expires, keys, data FROM cloakroom_sessions
			WHERE keys @> ARRAY[$1::bytea] AND expires > now()`, key[:])
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, readRecord)
		return err
	})
	return found, err
}

func readRecord(row pgx.CollectableRow) (session.Record, error) {
	var r session.Record
	var id []byte
	var keys [][]byte
	if err := row.Scan(&id, &r.Version, &r.Expires, &keys, &r.Data); err != nil {
		return session.Record{}, err
	}
	copy(r.ID[:], id)
	r.Keys = keysOf(keys)
	return r, nil
}

// newVersion draws the mark of a write. No other write of the record ever had
// it, even if the record was deleted and made anew in between: 63 random bits
// do not meet twice among the few writes that can be in flight.
func newVersion() int64 { return 1 + rand.Int64N(math.MaxInt64) }

func bytesOf(keys []session.Key) [][]byte {
	all := make([][]byte, len(keys))
	for i := range keys {
		all[i] = keys[i][:]
	}
	return all
}

func keysOf(all [][]byte) []session.Key {
	keys := make([]session.Key, len(all))
	for i := range all {
		copy(keys[i][:], all[i])
	}
	return keys
}

// nonNil keeps an empty record from becoming SQL's NULL.
func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
