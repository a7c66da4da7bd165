package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Config of a Store.
type Config struct {
	// URL says where the server is, as a URL or as keywords (libpq §34.1.1):
	// postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem.
	// Several hosts with target_session_attrs=read-write follow a failover.
	// Where it names a host that is not this machine and no sslmode, it gets
	// verify-full.
	URL secret.String
	// Timeout bounds one operation, waiting for a connection included; 0 means
	// 2 seconds.
	Timeout time.Duration
	// MaxConns bounds the connections of this instance; 0 means what the URL's
	// pool_max_conns says, or 16.
	MaxConns int
	// SweepEvery is how often the expired are swept out, by one instance for
	// all; 0 means a minute.
	SweepEvery time.Duration
	// Log gets what goes wrong in the background; nil discards.
	Log *slog.Logger
}

// Store keeps records in PostgreSQL.
type Store struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	every   time.Duration
	log     *slog.Logger

	ready     atomic.Bool   // the tables are known to be there
	migrating chan struct{} // holds whoever looks whether they are
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

// New returns a store that connects when it is first used.
func New(c Config) (*Store, error) {
	if c.Timeout < 0 || c.MaxConns < 0 || c.SweepEvery < 0 {
		return nil, errors.New("postgres: bounds must not be negative")
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	config, err := parse(c)
	if err != nil {
		return nil, fmt.Errorf("postgres: url: %w", err)
	}
	// The context bounds nothing but the connections made ahead of use.
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, errors.New("postgres: url: the pool's settings do not fit together")
	}
	return &Store{
		pool: pool, timeout: c.Timeout, every: c.SweepEvery, log: c.Log,
		migrating: make(chan struct{}, 1),
	}, nil
}

// Close gives the connections back. Operations fail from now on.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// call runs one operation on a connection of its own, the tables being there.
//
// What has begun is not broken off when the caller leaves, only when Timeout or
// the caller's deadline comes: a broken-off query costs its connection, and
// browsers that hang up must not cost the server a new one each.
func (s *Store) call(ctx context.Context, verb string, operation func(context.Context, *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("postgres: %s: %w", verb, err)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.ensure(ctx); err != nil {
		return fmt.Errorf("postgres: %s: %w", verb, err)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("postgres: %s: %w", verb, err)
	}
	defer conn.Release()
	if err := operation(ctx, conn); err != nil {
		return s.failed(verb, err)
	}
	return nil
}

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(s.timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}
