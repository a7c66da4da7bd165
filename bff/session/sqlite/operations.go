package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"cloakroom/bff/session"
)

const (
	// maxData is far above any session.
	maxData = 1 << 20

	columns = `id, version, expires, key1, key2, key3, key4, data`

	createRecord = `
		INSERT INTO cloakroom_sessions (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, expires = excluded.expires,
			key1 = excluded.key1, key2 = excluded.key2, key3 = excluded.key3, key4 = excluded.key4, data = excluded.data
		WHERE cloakroom_sessions.expires <= ?`

	readRecord = `SELECT ` + columns + ` FROM cloakroom_sessions WHERE id = ? AND expires > ?`

	isLive = `SELECT EXISTS (SELECT 1 FROM cloakroom_sessions WHERE id = ? AND expires > ?)`

	updateRecord = `
		UPDATE cloakroom_sessions SET version = ?, expires = ?, key1 = ?, key2 = ?, key3 = ?, key4 = ?, data = ?
		WHERE id = ? AND version = ? AND expires > ?`

	deleteRecord = `DELETE FROM cloakroom_sessions WHERE id = ?`

	findRecords = `SELECT ` + columns + ` FROM cloakroom_sessions
		WHERE (key1 = ? OR key2 = ? OR key3 = ? OR key4 = ?) AND expires > ?`
)

// As many columns as there may be keys.
var _ [session.MaxKeys]struct{} = [4]struct{}{}

// statements are prepared once on every connection that needs them.
type statements struct{ create, update, delete, read, live, find *sql.Stmt }

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	if err := fits(r); err != nil {
		return 0, err
	}
	version := newVersion()
	err := s.call(ctx, "create", func(ctx context.Context) error {
		made, err := affected(s.statements.create.ExecContext(ctx, r.ID[:], version, r.Expires.UnixMilli(),
			key(r, 0), key(r, 1), key(r, 2), key(r, 3), nonNil(r.Data), s.now()))
		if err == nil && made == 0 {
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
	var r session.Record
	err := s.call(ctx, "get", func(ctx context.Context) (err error) {
		r, err = scan(s.statements.read.QueryRowContext(ctx, id[:], s.now()))
		if errors.Is(err, sql.ErrNoRows) {
			return session.ErrNotFound
		}
		return err
	})
	return r, err
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	if err := fits(r); err != nil {
		return 0, err
	}
	version := newVersion()
	err := s.call(ctx, "update", func(ctx context.Context) error {
		done, err := affected(s.statements.update.ExecContext(ctx, version, r.Expires.UnixMilli(),
			key(r, 0), key(r, 1), key(r, 2), key(r, 3), nonNil(r.Data), r.ID[:], int64(r.Version), s.now()))
		if err != nil || done > 0 {
			return err
		}
		// No version comes twice, so what is there now was there in another
		// version, and what is not there now is gone for good.
		var live bool
		if err := s.statements.live.QueryRowContext(ctx, r.ID[:], s.now()).Scan(&live); err != nil {
			return err
		}
		if live {
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
	return s.call(ctx, "delete", func(ctx context.Context) error {
		_, err := s.statements.delete.ExecContext(ctx, id[:])
		return err
	})
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	var found []session.Record
	err := s.call(ctx, "find", func(ctx context.Context) error {
		rows, err := s.statements.find.QueryContext(ctx, key[:], key[:], key[:], key[:], s.now())
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			r, err := scan(rows)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// fits refuses what the table cannot hold.
func fits(r session.Record) error {
	if len(r.Data) > maxData || len(r.Keys) > session.MaxKeys {
		return session.ErrTooLarge
	}
	return nil
}

// key returns the i-th key of r, or SQL's NULL.
func key(r session.Record, i int) any {
	if i >= len(r.Keys) {
		return nil
	}
	return r.Keys[i][:]
}

// nonNil keeps an empty record from becoming SQL's NULL.
func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func scan(row interface{ Scan(...any) error }) (session.Record, error) {
	var r session.Record
	var id []byte
	var expires int64
	var keys [session.MaxKeys][]byte
	if err := row.Scan(&id, &r.Version, &expires, &keys[0], &keys[1], &keys[2], &keys[3], &r.Data); err != nil {
		return session.Record{}, err
	}
	copy(r.ID[:], id)
	r.Expires = time.UnixMilli(expires)
	for _, key := range keys {
		if len(key) == len(session.Key{}) {
			r.Keys = append(r.Keys, session.Key(key))
		}
	}
	return r, nil
}

// newVersion draws the mark of a write. No other write of the record ever had
// it, even if the record was deleted and made anew in between: 63 random bits
// do not meet twice among the few writes that can be in flight.
func newVersion() int64 { return 1 + rand.Int64N(math.MaxInt64) }
