package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"cloakroom/bff/session"
)

// Config of a Store.
type Config struct {
	// Path names the file. SQLite adds Path-wal and Path-shm.
	Path string
	// Timeout bounds one operation; 0 means 2 seconds.
	Timeout time.Duration
	// SweepEvery is how often the expired are swept out, by one process for
	// all; 0 means a minute.
	SweepEvery time.Duration
	// Now is the clock; nil means time.Now. There is no server to have one.
	Now func() time.Time
	// Log gets what goes wrong in the background; nil discards.
	Log *slog.Logger
}

// Store keeps records in a SQLite file.
type Store struct {
	path            string
	writer, readers *sql.DB
	timeout, every  time.Duration
	clock           func() time.Time
	log             *slog.Logger

	ready      atomic.Bool   // the tables are known to be there, and statements set
	migrating  chan struct{} // holds whoever looks whether they are
	statements statements
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

// New returns a store that opens its file when it is first used.
func New(c Config) (*Store, error) {
	if c.Timeout < 0 || c.SweepEvery < 0 {
		return nil, errors.New("sqlite: bounds must not be negative")
	}
	if c.Path == "" || strings.HasPrefix(c.Path, ":") || strings.HasPrefix(c.Path, "file:") || strings.ContainsRune(c.Path, 0) {
		return nil, errors.New("sqlite: path: it must name a file")
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: path: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		path: path, timeout: c.Timeout, every: c.SweepEvery, clock: c.Now, log: c.Log, migrating: make(chan struct{}, 1),
	}
	if s.writer, err = s.pool(1, "journal_mode(WAL)", "synchronous(FULL)"); err != nil {
		return nil, err
	}
	s.readers, err = s.pool(max(4, runtime.NumCPU()), "query_only(1)")
	return s, err
}

// pool prepares n connections whose first words are pragmas.
func (s *Store) pool(n int, pragmas ...string) (*sql.DB, error) {
	// Another process that writes is waited for; the rest of Timeout is for
	// our own writers, who queue for the one connection.
	query := url.Values{"_pragma": {"busy_timeout(" + strconv.FormatInt((s.timeout/2).Milliseconds(), 10) + ")"}, "_txlock": {"immediate"}}
	query["_pragma"] = append(query["_pragma"], pragmas...)
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// Close closes the file. Operations fail from now on.
func (s *Store) Close() error {
	// The writer last: it folds the log into the file.
	return errors.Join(s.readers.Close(), s.writer.Close())
}

// call runs one operation, the tables being there. What has begun is not broken
// off when the caller leaves, only when Timeout or the caller's deadline comes.
func (s *Store) call(ctx context.Context, verb string, operation func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sqlite: %s: %w", verb, err)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.ensure(ctx); err != nil {
		return fmt.Errorf("sqlite: %s: %w", verb, err)
	}
	switch err := operation(ctx); {
	case err == nil, errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrConflict), errors.Is(err, session.ErrExists):
		return err
	default:
		return fmt.Errorf("sqlite: %s: %w", verb, err)
	}
}

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(s.timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

// now is the clock in Unix milliseconds, as the tables have it.
func (s *Store) now() int64 { return s.clock().UnixMilli() }
