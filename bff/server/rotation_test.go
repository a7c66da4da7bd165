package server_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"cloakroom/bff/config"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/redis"
	"cloakroom/shared"
)

// TestKeysAreRotatedUnderLoad: three instances get three new keys, each instance
// at its time and in the two steps of serve, while visitors go on calling all of
// them, sign in and sign out. Nobody is taken for signed out, and every old key
// is gone in the end.
func TestKeysAreRotatedUnderLoad(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (section string, store session.Store){
		"redis": func(t *testing.T) (string, session.Store) {
			address := "redis://" + servers.Redis(t).Addr()
			s, err := redis.New(redis.Config{URL: secret.New(address)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return sessionSection("redis", address, shortIdle), s
		},
		"mysql": func(t *testing.T) (string, session.Store) {
			m := servers.MariaDB(t)
			db, err := sql.Open("mysql", m.DSN(servers.MariaDBUser, servers.MariaDBPassword, "", ""))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), "CREATE DATABASE cloakroom"); err != nil {
				t.Fatal(err)
			}
			address := m.DSN(servers.MariaDBUser, servers.MariaDBPassword, "cloakroom", "")
			s, err := mysql.New(mysql.Config{URL: secret.New(address)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return sessionSection("mysql", address, shortIdle), s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, store := start(t)
			var instances []*stage
			for range 3 {
				instances = append(instances, open(t, "http", section))
			}
			rotateUnderLoad(t, instances, store)
		})
	}
}

// shortIdle makes a session that is used be sealed anew every second or so.
const shortIdle = ", idle_timeout: 20s"

func rotateUnderLoad(t *testing.T, instances []*stage, store session.Store) {
	c := gather(t, 6, instances...)
	c.start(t)
	ring := []config.Key{{ID: "k-1", Secret: secret.New("0123456789abcdef0123456789abcdef")}}
	for n := 2; n <= 4; n++ {
		c.wait(t, "calls to be served", &c.served, 10)
		// Two who are no part of the load: one ends their session while its key is
		// on its way out, one is in the middle of a sign-in.
		leaves, late := newVisitor(t, instances[0].origin), newVisitor(t, instances[1].origin)
		leaves.signIn(t)
		callback := late.begin(t)

		fresh := config.Key{ID: fmt.Sprintf("k-%d", n), Secret: secret.New(fmt.Sprintf("secret of key %d, at least 32 bytes", n))}
		// Each instance opens what the new key sealed before any seals with it.
		replaceKeys(t, c, instances, slices.Insert(slices.Clone(ring), 1, fresh))
		ring = slices.Insert(ring, 0, fresh)
		replaceKeys(t, c, instances, ring)

		if got := late.visit(t, callback); got.StatusCode != http.StatusSeeOther {
			t.Errorf("a sign-in begun before the rotation ended with %d", got.StatusCode)
		}
		late.mustBe(t, http.StatusOK)
		leaves.mustBe(t, http.StatusOK)
		leaves.visit(t, leaves.origin+logoutLink(t, leaves))

		oldest := ring[len(ring)-1].ID
		awaitSealed(t, store, append(c.tickets(t), late.ticket(t)), oldest)
		replaceKeys(t, c, instances, ring[:len(ring)-1])
		ring = ring[:len(ring)-1]
		late.mustBe(t, http.StatusOK)
		late.visit(t, late.origin+logoutLink(t, late))
	}
	c.wait(t, "calls to be served", &c.served, 10)
	c.end()
	t.Log(c.tally())
	if n := c.signedOut.Load() + c.refused.Load(); n > 0 {
		t.Errorf("%d calls were not served", n)
	}
	for _, v := range c.visitors {
		v.mustBe(t, http.StatusOK)
	}
}

// replaceKeys gives every instance the keys, one after the other. Whoever signs
// in at one that has them already is served by all.
func replaceKeys(t *testing.T, c *crowd, instances []*stage, keys []config.Key) {
	t.Helper()
	for _, s := range instances {
		if err := s.ReplaceKeys(keys); err != nil {
			t.Fatal(err)
		}
		v := newVisitor(t, s.origin)
		v.signIn(t)
		for _, other := range instances {
			if got := v.do(t, callOf(t, http.MethodGet, other.origin, shared.PathUser)); got.StatusCode != http.StatusOK {
				t.Errorf("who signed in at an instance with other keys gets %d at another: %s", got.StatusCode, got.body)
			}
		}
		v.visit(t, v.origin+logoutLink(t, v))
		c.wait(t, "calls to be served", &c.served, 10)
	}
}

// tickets are those of the visitors.
func (c *crowd) tickets(t *testing.T) []string {
	var all []string
	for _, v := range c.visitors {
		all = append(all, v.ticket(t))
	}
	return all
}

// awaitSealed returns once no session of the tickets is sealed under key.
func awaitSealed(t *testing.T, store session.Store, tickets []string, key string) {
	t.Helper()
	servers.WaitFor(t, "every session under "+key+" to be sealed anew", func(ctx context.Context) error {
		for _, text := range tickets {
			ticket, err := session.ParseTicket(text)
			if err != nil {
				return err
			}
			r, err := store.Get(ctx, ticket.ID())
			if err != nil {
				return err
			}
			if sealedUnder(r) == key {
				return errors.New("one is not")
			}
		}
		return nil
	})
}

// sealedUnder is the ID of the key that sealed a record: its format, the length
// of the ID and the ID come first.
func sealedUnder(r session.Record) string { return string(r.Data[2 : 2+r.Data[1]]) }
