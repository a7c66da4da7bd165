package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Config of a Store.
type Config struct {
	// URL says where the server is, as mysql://user:password@host:3306/database
	// (or mariadb://) or in the form of the Go driver,
	// user:password@tcp(host:3306)/database. Parameters are the driver's and
	// ssl-ca, ssl-cert, ssl-key: PEM files of the authority that signed the
	// server's certificate, and of our own. Where it names a host that is not
	// this machine and neither tls nor ssl-ca, TLS is verified against the
	// system's authorities.
	URL secret.String
	// Timeout bounds one operation, waiting for a connection included; 0 means
	// 2 seconds.
	Timeout time.Duration
	// MaxConns bounds the connections of this instance; 0 means 16.
	MaxConns int
	// SweepEvery is how often the expired are swept out, by one instance for
	// all; 0 means a minute.
	SweepEvery time.Duration
	// Log gets what goes wrong in the background; nil discards.
	Log *slog.Logger
}

// defaultConns is enough for some thousand operations a second, and leaves room
// for a handful of instances under the server's own default of 151.
const defaultConns = 16

// Connections that nobody needs, and old ones, are given back: a balancer in
// between forgets them, and a server that came back should get its share.
const longestIdle, longestLife = 5 * time.Minute, 30 * time.Minute

// Store keeps records in MariaDB or MySQL.
type Store struct {
	db      *sql.DB
	timeout time.Duration
	every   time.Duration
	log     *slog.Logger

	ready      atomic.Bool   // the tables are known to be there, and statements set
	migrating  chan struct{} // holds whoever looks whether they are
	statements statements
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

// New returns a store that connects when it is first used.
func New(c Config) (*Store, error) {
	if c.Timeout < 0 || c.MaxConns < 0 || c.SweepEvery < 0 {
		return nil, errors.New("mysql: bounds must not be negative")
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultConns
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	config, err := parse(c)
	if err != nil {
		return nil, fmt.Errorf("mysql: url: %w", err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("mysql: url: %w", errURL)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(c.MaxConns)
	db.SetMaxIdleConns(c.MaxConns)
	db.SetConnMaxIdleTime(longestIdle)
	db.SetConnMaxLifetime(longestLife)
	return &Store{db: db, timeout: c.Timeout, every: c.SweepEvery, log: c.Log, migrating: make(chan struct{}, 1)}, nil
}

// Close gives the connections back. Operations fail from now on.
func (s *Store) Close() error { return s.db.Close() }

// attempts bounds how often an operation starts anew when the server chose it
// as the victim of a deadlock, and so undid it.
const attempts = 5

// call runs one operation, the tables being there.
//
// What has begun is not broken off when the caller leaves, only when Timeout or
// the caller's deadline comes: a broken-off query costs its connection, and
// browsers that hang up must not cost the server a new one each.
func (s *Store) call(ctx context.Context, verb string, operation func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mysql: %s: %w", verb, err)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.ensure(ctx); err != nil {
		return fmt.Errorf("mysql: %s: %w", verb, err)
	}
	err := operation(ctx)
	for n := 1; n < attempts && hasNumber(err, errDeadlock); n++ {
		err = operation(ctx)
	}
	if err == nil {
		return nil
	}
	return s.failed(verb, err)
}

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(s.timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}
