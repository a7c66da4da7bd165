package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"cloakroom/bff/session"
)

// schemaVersion is what Schema makes and this package speaks.
const schemaVersion = 1

// Schema makes the tables, for a database whose daily user may not. The store
// runs the same text when it finds none and may. Times are Unix milliseconds.
const Schema = `
CREATE TABLE IF NOT EXISTS cloakroom_sessions (
	id      BINARY(32) NOT NULL PRIMARY KEY,
	version BIGINT     NOT NULL,
	expires BIGINT     NOT NULL,
	key1    BINARY(16),
	key2    BINARY(16),
	key3    BINARY(16),
	key4    BINARY(16),
	data    MEDIUMBLOB NOT NULL,
	KEY (expires), KEY (key1), KEY (key2), KEY (key3), KEY (key4)
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS cloakroom_schema (
	version INT    NOT NULL PRIMARY KEY,
	swept   BIGINT NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO cloakroom_schema VALUES (1, 0);
`

// What a server answers (MariaDB and MySQL share the numbers).
const (
	errDuplicate  = 1062
	errNoTable    = 1146
	errDeadlock   = 1213
	errDenied     = 1142 // on a table
	errDeniedBase = 1044 // on a database
)

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
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	s.ready.Store(true)
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	// A lock belongs to a connection.
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if there, err := installed(ctx, conn); err != nil || there {
		return err
	}
	// Definitions commit by themselves here, so Schema takes what it finds, and
	// the row that says "done" comes last.
	var locked sql.NullInt64
	lock := "CONCAT('cloakroom.', LEFT(DATABASE(), 54))" // 64 characters at most
	err = conn.QueryRowContext(ctx, "SELECT GET_LOCK("+lock+", ?)", s.timeout.Seconds()).Scan(&locked)
	if err != nil {
		return err
	}
	if locked.Int64 != 1 {
		return errors.New("another instance has held the lock for too long")
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		if _, err := conn.ExecContext(ctx, "DO RELEASE_LOCK("+lock+")"); err != nil {
			// Without its connection no lock is left.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	if there, err := installed(ctx, conn); err != nil || there {
		return err
	}
	for statement := range strings.SplitSeq(strings.TrimSpace(Schema), ";\n") {
		_, err := conn.ExecContext(ctx, strings.TrimSuffix(statement, ";"))
		if hasNumber(err, errDenied) || hasNumber(err, errDeniedBase) {
			return fmt.Errorf("the tables are not there and this user may not make them: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func installed(ctx context.Context, conn *sql.Conn) (bool, error) {
	var version int
	err := conn.QueryRowContext(ctx, "SELECT version FROM cloakroom_schema ORDER BY version DESC LIMIT 1").Scan(&version)
	switch {
	case hasNumber(err, errNoTable), errors.Is(err, sql.ErrNoRows): // nothing, or half made
		return false, nil
	case hasNumber(err, errDenied): // so is a table that is not there, to whom nothing is granted
		return false, fmt.Errorf("cloakroom_schema is not there or this user may not read it: %w", err)
	case err != nil:
		return false, err
	case version != schemaVersion:
		return false, fmt.Errorf("the tables are of version %d, this program knows %d", version, schemaVersion)
	}
	return true, nil
}

// prepare sets the statements, which last as long as the store.
func (s *Store) prepare(ctx context.Context) error {
	for _, p := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&s.statements.create, createRecord},
		{&s.statements.read, readRecord},
		{&s.statements.update, updateRecord},
		{&s.statements.delete, deleteRecord},
		{&s.statements.find, findRecords},
	} {
		if *p.to != nil {
			continue
		}
		statement, err := s.db.PrepareContext(ctx, p.text)
		if err != nil {
			return err
		}
		*p.to = statement
	}
	return nil
}

// Ping returns nil when sessions can be kept, or says what is missing: it tries
// every kind of statement on no row.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context) error {
		for _, nothing := range []string{
			"INSERT INTO cloakroom_sessions SELECT * FROM cloakroom_sessions WHERE FALSE",
			"UPDATE cloakroom_sessions SET version = 0 WHERE FALSE",
			"DELETE FROM cloakroom_sessions WHERE FALSE",
		} {
			if _, err := s.db.ExecContext(ctx, nothing); err != nil {
				return err
			}
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
	case hasNumber(err, errNoTable): // somebody dropped them
		s.ready.Store(false)
	}
	return fmt.Errorf("mysql: %s: %w", verb, err)
}

func hasNumber(err error, number uint16) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && answer.Number == number
}
