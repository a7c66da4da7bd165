package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"cloakroom/bff/session"
)

// schemaVersion is what Schema makes and this package speaks.
const schemaVersion = 1

// Schema makes the tables, for a database whose daily user may not. The store
// runs the same text when it finds none and may.
//
// Data is kept out of line and uncompressed: sealed bytes do not shrink, and
// the rows that updates copy stay small. due is the ten minutes in which the
// record expires: an update that moves expires a little changes no index.
const Schema = `
CREATE TABLE cloakroom_sessions (
	id      bytea       PRIMARY KEY,
	version bigint      NOT NULL,
	expires timestamptz NOT NULL,
	keys    bytea[]     NOT NULL,
	data    bytea       NOT NULL,
	due     bigint      GENERATED ALWAYS AS (extract(epoch FROM expires AT TIME ZONE 'UTC')::bigint / 600) STORED
) WITH (fillfactor = 70);
ALTER TABLE cloakroom_sessions ALTER data SET STORAGE EXTERNAL;
CREATE INDEX cloakroom_sessions_keys ON cloakroom_sessions USING gin (keys) WITH (fastupdate = off);
CREATE INDEX cloakroom_sessions_due ON cloakroom_sessions (due);

CREATE TABLE cloakroom_schema (
	version integer     NOT NULL,
	swept   timestamptz NOT NULL
);
INSERT INTO cloakroom_schema VALUES (1, 'epoch');
`

// migrationLock is "cloakroo" in ASCII; every instance takes it before it looks
// whether there are tables to make.
const migrationLock int64 = 0x636c6f616b726f6f

// ensure lets an operation pass once the tables are there.
func (s *Store) ensure(ctx context.Context) error {
	if s.ready.Load() {
		return nil
	}
	select {
	case s.migrating <- struct{}{}:
		defer func() { <-s.migrating }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.ready.Load() {
		return nil
	}
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	s.ready.Store(true)
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if there, err := installed(ctx, conn); err != nil || there {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// The end of the transaction gives the lock back.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock); err != nil {
			return err
		}
		if there, err := installed(ctx, tx); err != nil || there {
			return err
		}
		_, err := tx.Exec(ctx, Schema, pgx.QueryExecModeSimpleProtocol)
		if hasCode(err, "42501") {
			return fmt.Errorf("the tables are not there and this user may not make them: %w", err)
		}
		return err
	})
}

// querier is a connection or a transaction on it.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// installed reads the catalogue itself: to_regclass answers from a cache, which
// within a transaction does not hear of a table that another one just made.
func installed(ctx context.Context, q querier) (bool, error) {
	var there bool
	const look = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'cloakroom_schema' AND pg_table_is_visible(oid))"
	if err := q.QueryRow(ctx, look).Scan(&there); err != nil || !there {
		return false, err
	}
	var version int
	if err := q.QueryRow(ctx, "SELECT version FROM cloakroom_schema").Scan(&version); err != nil {
		return false, err
	}
	if version != schemaVersion {
		return false, fmt.Errorf("the tables are of version %d, this program knows %d", version, schemaVersion)
	}
	return true, nil
}

// Ping returns nil when sessions can be kept, or says what is missing.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context, conn *pgxpool.Conn) error {
		var missing []string
		var readOnly bool
		err := conn.QueryRow(ctx, `
			SELECT array(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
				WHERE NOT has_table_privilege('cloakroom_sessions', p)), pg_is_in_recovery()`,
		).Scan(&missing, &readOnly)
		switch {
		case err != nil:
			return err
		case readOnly:
			return errors.New("the server is a read-only standby")
		case len(missing) > 0:
			return errors.New("the user lacks " + strings.Join(missing, ", ") + " on cloakroom_sessions")
		}
		return nil
	})
}

// failed turns what an operation met into what the caller gets, and draws the
// consequences.
func (s *Store) failed(verb string, err error) error {
	switch {
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrConflict), errors.Is(err, session.ErrExists):
		return err
	case hasCode(err, "42P01"): // undefined_table: somebody dropped them
		s.ready.Store(false)
	case hasCode(err, "25006"): // read_only_sql_transaction: this was the primary
		s.pool.Reset()
	}
	return fmt.Errorf("postgres: %s: %w", verb, err)
}

// hasCode compares a server's answer (PostgreSQL, appendix A).
func hasCode(err error, code string) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == code
}
