package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
)

// schemaVersion is what schema makes and this package speaks.
const schemaVersion = 1

// Times are Unix milliseconds. Most records have two keys, so the other two
// indexes stay nearly empty.
const schema = `
CREATE TABLE cloakroom_sessions (
	id      BLOB    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	key1    BLOB,
	key2    BLOB,
	key3    BLOB,
	key4    BLOB,
	data    BLOB    NOT NULL
) STRICT;
CREATE INDEX cloakroom_sessions_expires ON cloakroom_sessions (expires);
CREATE INDEX cloakroom_sessions_key1 ON cloakroom_sessions (key1) WHERE key1 IS NOT NULL;
CREATE INDEX cloakroom_sessions_key2 ON cloakroom_sessions (key2) WHERE key2 IS NOT NULL;
CREATE INDEX cloakroom_sessions_key3 ON cloakroom_sessions (key3) WHERE key3 IS NOT NULL;
CREATE INDEX cloakroom_sessions_key4 ON cloakroom_sessions (key4) WHERE key4 IS NOT NULL;

CREATE TABLE cloakroom_schema (
	version INTEGER NOT NULL,
	swept   INTEGER NOT NULL
) STRICT;
INSERT INTO cloakroom_schema VALUES (1, 0);
`

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
	// SQLite would make the file readable by all; what it adds gets the mode of
	// the file itself.
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
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

// migrate makes the tables, in a transaction that excludes other writers from
// its first statement on (BEGIN IMMEDIATE).
func (s *Store) migrate(ctx context.Context) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if there, err := installed(ctx, tx); err != nil || there {
		return err
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	return tx.Commit()
}

func installed(ctx context.Context, tx *sql.Tx) (bool, error) {
	var there bool
	const look = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'cloakroom_schema')"
	if err := tx.QueryRowContext(ctx, look).Scan(&there); err != nil || !there {
		return false, err
	}
	var version int
	if err := tx.QueryRowContext(ctx, "SELECT version FROM cloakroom_schema").Scan(&version); err != nil {
		return false, err
	}
	if version != schemaVersion {
		return false, fmt.Errorf("the tables are of version %d, this program knows %d", version, schemaVersion)
	}
	return true, nil
}

// prepare sets the statements, which last as long as the store.
func (s *Store) prepare(ctx context.Context) error {
	for _, p := range []struct {
		to   **sql.Stmt
		on   *sql.DB
		text string
	}{
		{&s.statements.create, s.writer, createRecord},
		{&s.statements.update, s.writer, updateRecord},
		{&s.statements.delete, s.writer, deleteRecord},
		{&s.statements.read, s.readers, readRecord},
		{&s.statements.live, s.readers, isLive},
		{&s.statements.find, s.readers, findRecords},
	} {
		if *p.to != nil {
			continue
		}
		statement, err := p.on.PrepareContext(ctx, p.text)
		if err != nil {
			return err
		}
		*p.to = statement
	}
	return nil
}

// Ping returns nil when sessions can be kept, or says what is missing: it takes
// the place of a writer and gives it back.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context) error {
		tx, err := s.writer.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		return tx.Rollback()
	})
}
