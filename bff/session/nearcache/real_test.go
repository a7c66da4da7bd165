package nearcache_test

import (
	"context"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nearcache"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest"
)

// closer is a real store.
type closer interface {
	nearcache.Backend
	Close() error
}

// realStores open a store on a server of its own.
func realStores(t *testing.T) map[string]func(t *testing.T) closer {
	return map[string]func(t *testing.T) closer{
		"redis": func(t *testing.T) closer {
			s, err := redis.New(redis.Config{URL: secret.New("redis://" + servers.Redis(t).Addr())})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"postgres": func(t *testing.T) closer {
			p := servers.Postgres(t)
			s, err := postgres.New(postgres.Config{
				URL: secret.New(p.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
}

// TestStoreOverRealStores runs the suite with the copies in front of what they
// are for. MaxAge is so long that nothing passes by growing old.
func TestStoreOverRealStores(t *testing.T) {
	for name, open := range realStores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := open(t)
			t.Cleanup(func() { _ = shared.Close() })
			backend := storetest.Backend{Open: func(t *testing.T) session.Store {
				s := newCache(t, shared, nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Hour})
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan struct{})
				go func() { _ = s.Run(ctx); close(done) }()
				t.Cleanup(func() { cancel(); <-done })
				return s
			}}
			storetest.Run(t, backend)
			storetest.RunConcurrent(t, backend)
		})
	}
}
