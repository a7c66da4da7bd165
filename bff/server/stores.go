package server

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/events"
	"cloakroom/bff/observe"
	"cloakroom/bff/session"
	"cloakroom/bff/session/breaker"
	"cloakroom/bff/session/file"
	"cloakroom/bff/session/memcached"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/mongodb"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/nearcache"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/sqlite"
)

// remote is a store outside the process.
type remote interface {
	breaker.Backend
	Ping(ctx context.Context) error
	Close() error
}

// home is where sessions live, and what the server has to do for it. It is no
// Store itself: what else the Store can do, such as to be searched, would be
// lost on the way.
type home struct {
	Store session.Store
	// browser holds the sessions itself, and Store what was opened of them; nil
	// when the browser has a ticket.
	browser func(session.Cookie, *session.Manager) (session.Holder, error)
	// notes keeps what every instance must know; nil: Store does.
	notes *session.Manager
	// look is where it is seen whether a session is still there; nil: Store.
	look events.Store
	// more is what has to run besides Store.
	more session.Runner
	// watch tells of changes (nearcache.Watcher); nil when the store does not.
	watch func(ctx context.Context, changed func(id session.ID, all bool)) error
	// poll is how often a session that somebody waits for is looked at.
	poll  time.Duration
	ping  func() error // nil, or what is missing
	close func() error
}

// openStore builds the store the config names. A remote one stands behind a
// breaker, and behind local copies if the config wants them. Nothing is dialled
// yet: a store that is down delays sessions, never the start.
func openStore(c config.Session, keys *session.KeyRing, metrics *observe.Metrics, log *slog.Logger, now func() time.Time) (home, error) {
	switch c.Store {
	case config.StoreMemory:
		return openMemory(c, metrics)
	case config.StoreCookie:
		return openCookie(c, keys, metrics, log, now)
	}
	return openShared(c, metrics, log)
}

// openShared is for every store outside the process, or on its disk.
func openShared(c config.Session, metrics *observe.Metrics, log *slog.Logger) (home, error) {
	backend, err := openRemote(c, log)
	if err != nil {
		return home{}, fmt.Errorf("server: session.url: %w", err)
	}
	guarded, err := breaker.New(backend, breaker.Config{Observe: metrics.StoreCall})
	if err != nil {
		return home{}, fmt.Errorf("server: %w", err)
	}
	made := home{Store: guarded, close: backend.Close, ping: func() error {
		return guarded.Ready(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
			defer cancel()
			return backend.Ping(ctx)
		})
	}}
	if kept, ok := backend.(*nats.Store); ok && c.Cluster.Listen != "" {
		metrics.StoreBytes(func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
			defer cancel()
			status, err := kept.Status(ctx)
			if err != nil {
				return math.NaN()
			}
			return float64(status.Bytes)
		})
	}
	made.poll = pollOf(c.Store)
	if _, tells := backend.(nearcache.Watcher); tells {
		made.watch = guarded.Watch
	}
	if c.NearCache.Size > 0 {
		near, err := nearcache.New(guarded, nearcache.Config{MaxBytes: c.NearCache.Size, MaxAge: c.NearCache.MaxAge})
		if err != nil {
			return home{}, fmt.Errorf("server: %w", err)
		}
		metrics.NearCache(func() (hits, misses, bytes float64) {
			stats := near.Stats()
			return float64(stats.Hits), float64(stats.Misses), float64(stats.Bytes)
		})
		made.Store = near
		if made.watch != nil {
			made.watch = near.Watch // of the two, only one asks the store
		}
	}
	return made, nil
}

// pollOf is short for stores that other instances change without a word.
func pollOf(store string) time.Duration {
	switch store {
	case config.StoreMemcached, config.StoreMySQL, config.StoreMongoDB:
		return events.PollAlone
	}
	return events.PollBeside
}

// pingTimeout bounds how long readiness waits for the store.
const pingTimeout = time.Second

func openMemory(c config.Session, metrics *observe.Metrics) (home, error) {
	store, err := memory.New(memory.Config{MaxBytes: c.MaxBytes})
	if err != nil {
		return home{}, fmt.Errorf("server: %w", err)
	}
	metrics.Store(func() observe.StoreStats {
		stats := store.Stats()
		return observe.StoreStats{Sessions: float64(stats.Sessions), Bytes: float64(stats.Bytes), Evicted: float64(stats.Evicted)}
	})
	return home{Store: store, poll: events.PollBeside, ping: func() error { return nil }, close: func() error { return nil }}, nil
}

func openRemote(c config.Session, log *slog.Logger) (remote, error) {
	switch c.Store {
	case config.StoreFile:
		return file.New(file.Config{Path: c.URL.Reveal(), Log: log})
	case config.StoreRedis:
		return redis.New(redis.Config{URL: c.URL, Log: log})
	case config.StoreMemcached:
		return memcached.New(memcached.Config{URL: c.URL, Log: log})
	case config.StorePostgres:
		return postgres.New(postgres.Config{URL: c.URL, Log: log})
	case config.StoreMySQL:
		return mysql.New(mysql.Config{URL: c.URL, Log: log})
	case config.StoreSQLite:
		return sqlite.New(sqlite.Config{Path: c.URL.Reveal(), Log: log})
	case config.StoreMongoDB:
		return mongodb.New(mongodb.Config{URL: c.URL, Log: log})
	case config.StoreNATS:
		return nats.New(nats.Config{URL: c.URL, Cluster: nats.Cluster(c.Cluster), MaxBytes: clusterBytes(c), Log: log})
	}
	return nil, fmt.Errorf("unknown session store %q", c.Store)
}

// clusterBytes bounds the memory that the instances share; a cluster elsewhere
// has bounds of its own.
func clusterBytes(c config.Session) int64 {
	if c.Cluster.Listen == "" {
		return 0
	}
	return c.MaxBytes
}
