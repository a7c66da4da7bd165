package mysql

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
	// maxData is far above any session, and below the least max_allowed_packet.
	maxData = 1 << 20

	// now is the server's clock in Unix milliseconds, whatever its time zone.
	now = `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`

	columns = `id, version, expires, key1, key2, key3, key4, data`

	createRecord = `INSERT INTO cloakroom_sessions (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

	readRecord = `SELECT ` + columns + ` FROM cloakroom_sessions WHERE id = ? AND expires > ` + now

	// The row is changed if it still is at the expected version, and left as it
	// is otherwise; version goes last, since what was assigned is what the rest
	// of the statement sees. LAST_INSERT_ID(expr) travels back with the answer:
	// the version now there, or 0 when no live row was met.
	updateRecord = `
		UPDATE cloakroom_sessions SET
			expires = IF(version = ?, ?, expires),
			key1 = IF(version = ?, ?, key1), key2 = IF(version = ?, ?, key2),
			key3 = IF(version = ?, ?, key3), key4 = IF(version = ?, ?, key4),
			data = IF(version = ?, ?, data),
			version = LAST_INSERT_ID(IF(version = ?, ?, version))
		WHERE id = ? AND expires > ` + now

	deleteRecord = `DELETE FROM cloakroom_sessions WHERE id = ?`

	deleteExpired = deleteRecord + ` AND expires <= ` + now

	findRecords = `SELECT ` + columns + ` FROM cloakroom_sessions
		WHERE (key1 = ? OR key2 = ? OR key3 = ? OR key4 = ?) AND expires > ` + now
)

// As many columns as there may be keys.
var _ [session.MaxKeys]struct{} = [4]struct{}{}

// statements are prepared once on every connection that needs them.
type statements struct{ create, read, update, delete, find *sql.Stmt }

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	if err := fits(r); err != nil {
		return 0, err
	}
	version := newVersion()
	err := s.call(ctx, "create", func(ctx context.Context) error {
		insert := func() error {
			_, err := s.statements.create.ExecContext(ctx, r.ID[:], version, r.Expires.UnixMilli(),
				key(r, 0), key(r, 1), key(r, 2), key(r, 3), nonNil(r.Data))
			return err
		}
		err := insert()
		if !hasNumber(err, errDuplicate) {
			return err
		}
		// Taken, perhaps by a leftover that was not swept yet.
		if _, err := s.db.ExecContext(ctx, deleteExpired, r.ID[:]); err != nil {
			return err
		}
		if err = insert(); hasNumber(err, errDuplicate) {
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
		r, err = scan(s.statements.read.QueryRowContext(ctx, id[:]))
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
	was, version := uint64(r.Version), newVersion()
	err := s.call(ctx, "update", func(ctx context.Context) error {
		result, err := s.statements.update.ExecContext(ctx,
			was, r.Expires.UnixMilli(), was, key(r, 0), was, key(r, 1), was, key(r, 2), was, key(r, 3), was, nonNil(r.Data),
			was, version, r.ID[:])
		if err != nil {
			return err
		}
		switch met, err := result.LastInsertId(); {
		case err != nil || met == version:
			return err
		case met == 0:
			return session.ErrNotFound
		}
		return session.ErrConflict
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
		found = nil // of an attempt before
		rows, err := s.statements.find.QueryContext(ctx, key[:], key[:], key[:], key[:])
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
		if key != nil {
			r.Keys = append(r.Keys, session.Key(key))
		}
	}
	return r, nil
}

// newVersion draws the mark of a write. No other write of the record ever had
// it, even if the record was deleted and made anew in between: 63 random bits
// do not meet twice among the few writes that can be in flight.
func newVersion() int64 { return 1 + rand.Int64N(math.MaxInt64) }
