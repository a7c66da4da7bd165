package postgres

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// defaultConns is enough for some thousand operations a second, and leaves room
// for a handful of instances under PostgreSQL's own default of 100.
const defaultConns = 16

// errURL does not repeat the driver's words: they may hold the password.
var errURL = errors.New("not postgres://user:password@host:5432/database?sslmode=verify-full, nor the same as keywords")

func parse(c Config) (*pgxpool.Config, error) {
	text := c.URL.Reveal()
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") && !strings.Contains(text, "=") {
		return nil, errURL // the driver would take the empty text, and look into the environment
	}
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, errURL
	}
	if !strings.Contains(text, "sslmode") && !local(config.ConnConfig.Config) {
		if config, err = pgxpool.ParseConfig(verified(text)); err != nil {
			return nil, errURL
		}
	}
	if !local(config.ConnConfig.Config) && !encrypted(config.ConnConfig.Config) {
		c.Log.Warn("the connection to postgres is not protected against whoever sits in between")
	}

	switch {
	case c.MaxConns > 0:
		config.MaxConns = int32(min(c.MaxConns, 1<<16))
	case !strings.Contains(text, "pool_max_conns"):
		config.MaxConns = defaultConns
	}
	config.MinConns = min(config.MinConns, config.MaxConns)
	if config.MaxConnLifetimeJitter == 0 {
		config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	}
	// A connection whose other end vanished in silence must leave time to try
	// another one.
	config.PingTimeout = c.Timeout / 4
	config.ConnConfig.ConnectTimeout = shorter(config.ConnConfig.ConnectTimeout, c.Timeout)
	return config, nil
}

// verified adds what a URL without sslmode ought to have said.
func verified(text string) string {
	if !strings.Contains(text, "://") {
		return text + " sslmode=verify-full"
	}
	u, err := url.Parse(text)
	if err != nil {
		return "" // refused by the driver again
	}
	query := u.Query()
	query.Set("sslmode", "verify-full")
	u.RawQuery = query.Encode()
	return u.String()
}

// local reports whether no packet leaves this machine.
func local(c pgconn.Config) bool {
	for _, host := range hosts(c) {
		ip := net.ParseIP(host)
		if !strings.HasPrefix(host, "/") && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

func hosts(c pgconn.Config) []string {
	all := []string{c.Host}
	for _, fallback := range c.Fallbacks {
		all = append(all, fallback.Host)
	}
	return all
}

// encrypted reports whether every way to the server has TLS that knows it.
func encrypted(c pgconn.Config) bool {
	if c.TLSConfig == nil || c.TLSConfig.InsecureSkipVerify && c.TLSConfig.VerifyPeerCertificate == nil {
		return false
	}
	for _, fallback := range c.Fallbacks {
		if fallback.TLSConfig == nil {
			return false
		}
	}
	return true
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}
