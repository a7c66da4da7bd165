package events_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloakroom/bff/events"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nearcache"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/redis"
)

// pusher is a store that instances share and that tells of changes.
type pusher interface {
	nearcache.Backend
	nearcache.Watcher
	Close() error
}

// pushers open the same store as often as they are asked.
func pushers(t *testing.T) map[string]func(t *testing.T) func() pusher {
	return map[string]func(t *testing.T) func() pusher{
		"redis": func(t *testing.T) func() pusher {
			url := secret.New("redis://" + servers.Redis(t).Addr())
			return func() pusher {
				s, err := redis.New(redis.Config{URL: url})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
		},
		"postgres": func(t *testing.T) func() pusher {
			url := secret.New(servers.Postgres(t).URL(servers.PostgresUser, servers.PostgresPassword, "postgres", nil))
			return func() pusher {
				s, err := postgres.New(postgres.Config{URL: url})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
		},
	}
}

// feed runs a hub that only pushes tell: it polls so rarely that nothing is
// found that way.
func feed(t *testing.T, s pusher, near bool) (*events.Hub, session.Store) {
	t.Helper()
	t.Cleanup(func() { _ = s.Close() })
	var store session.Store = s
	var watcher nearcache.Watcher = s
	var work []func(context.Context) error
	if near {
		cached, err := nearcache.New(s, nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		store, watcher = cached, cached
		work = append(work, cached.Run)
	}
	h := run(t, store)
	connected := make(chan bool, 100)
	watch := func(ctx context.Context) error {
		return watcher.Watch(ctx, func(id session.ID, all bool) {
			h.Changed(id, all)
			if all {
				connected <- true
			}
		})
	}
	for _, work := range append([]func(context.Context) error{watch}, work...) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- work(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
		<-connected // the store; or the cache, and then the store by way of it
	}
	return h, store
}

// TestASessionThatEndsElsewhere: one hub's instance ends it, the other's tabs
// are told, over a real server.
func TestASessionThatEndsElsewhere(t *testing.T) {
	for name, start := range pushers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := start(t)
			here, hereStore := feed(t, open(), false)
			_, thereStore := feed(t, open(), false)
			cached, cachedStore := feed(t, open(), true)

			r := create(t, hereStore, 1, time.Hour)
			if _, err := cachedStore.Get(t.Context(), r.ID); err != nil { // a copy
				t.Fatal(err)
			}
			w, c := here.Watch(r.ID), cached.Watch(r.ID)
			bystander := here.Watch(create(t, hereStore, 2, time.Hour).ID)

			watches := []*events.Watch{w, c}
			if name == "postgres" { // which tells of endings alone
				watches = nil
			}
			prolong(t, thereStore, r, 30*time.Second) // shorter, in fact
			for _, watch := range watches {
				select {
				case got := <-watch.Events():
					if got.Ended || got.ExpiresIn > 30*time.Second || got.ExpiresIn < time.Second {
						t.Errorf("told %+v of a session that was cut to 30s", got)
					}
				case <-time.After(time.Minute):
					t.Fatal("nothing was told of a session that was cut short")
				}
			}
			remove(t, thereStore, r.ID)
			wantEvent(t, w, ended)
			wantEvent(t, c, ended)
			wantClosed(t, w)
			if len(bystander.Events()) > 0 {
				t.Errorf("another session was told %+v", <-bystander.Events())
			}
		})
	}
}
