package server_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// ringKey is the session.keys that instances share.
const ringKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func sessionSection(store, address, more string) string {
	return fmt.Sprintf("\nsession: {store: %s, url: %q, keys: [{id: k-1, secret: %s}]%s}\n", store, address, ringKey, more)
}

// outage is a server that can be taken away.
type outage interface {
	Kill()
	Restart()
}

// sharedStores are the stores that instances share, each on a server of its own.
func sharedStores(t *testing.T) map[string]func(t *testing.T) (section string, server outage) {
	return map[string]func(t *testing.T) (string, outage){
		"redis": func(t *testing.T) (string, outage) {
			r := servers.Redis(t, "appendonly yes", "appendfsync always")
			return sessionSection("redis", "redis://"+r.Addr(), ""), r
		},
		"redis with a near cache": func(t *testing.T) (string, outage) {
			r := servers.Redis(t, "appendonly yes", "appendfsync always")
			return sessionSection("redis", "redis://"+r.Addr(), ", near_cache: {size: 1MiB, max_age: 1s}"), r
		},
		"memcached": func(t *testing.T) (string, outage) {
			m := servers.Memcached(t)
			return sessionSection("memcached", "memcached://"+m.Addr(), ""), m
		},
		"postgres": func(t *testing.T) (string, outage) {
			p := servers.Postgres(t)
			return sessionSection("postgres", p.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", nil), ""), p
		},
		"postgres with a near cache": func(t *testing.T) (string, outage) {
			p := servers.Postgres(t)
			return sessionSection("postgres", p.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", nil), ", near_cache: {size: 1MiB, max_age: 1s}"), p
		},
		"mysql": func(t *testing.T) (string, outage) {
			m := servers.MariaDB(t)
			db, err := sql.Open("mysql", m.DSN(servers.MariaDBUser, servers.MariaDBPassword, "", ""))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), "CREATE DATABASE cloakroom"); err != nil {
				t.Fatal(err)
			}
			return sessionSection("mysql", m.DSN(servers.MariaDBUser, servers.MariaDBPassword, "cloakroom", ""), ""), m
		},
	}
}

// TestASharedStoreServesEveryInstance: sign in here, go on there, sign out
// there, and be signed out here.
func TestASharedStoreServesEveryInstance(t *testing.T) {
	for name, start := range sharedStores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, _ := start(t)
			here, there := open(t, "http", section), open(t, "http", section)
			v := newVisitor(t, here.origin)
			v.signIn(t)
			elsewhere := func() answer {
				r := callOf(t, http.MethodGet, there.origin, shared.PathUser)
				r.Header.Set("Cookie", shared.CookieName+"="+v.ticket(t))
				return newVisitor(t, there.origin).do(t, r)
			}
			if got := elsewhere(); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "user-alice") {
				t.Fatalf("on the other instance: %d %s", got.StatusCode, got.body)
			}
			replay := callOf(t, http.MethodGet, here.origin, shared.PathUser)
			replay.Header.Set("Cookie", shared.CookieName+"="+v.ticket(t))
			v.visit(t, here.origin+logoutLink(t, v))
			if got := newVisitor(t, here.origin).do(t, replay); got.StatusCode != http.StatusUnauthorized {
				t.Errorf("here, after the sign-out: %d %s", got.StatusCode, got.body)
			}
			servers.WaitFor(t, "the sign-out to be seen there", gone(func() answer {
				r := callOf(t, http.MethodGet, there.origin, shared.PathUser)
				r.Header = replay.Header.Clone()
				return newVisitor(t, there.origin).do(t, r)
			}))
		})
	}
}

// TestAStoreThatGoesAwaySignsNobodyOut: a clean 503 while it is away, the
// cookie kept, readiness that names it, and recovery by itself.
func TestAStoreThatGoesAwaySignsNobodyOut(t *testing.T) {
	for name, start := range sharedStores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, store := start(t)
			s := open(t, "http", section)
			v := newVisitor(t, s.origin)
			v.signIn(t)
			ticket := v.ticket(t)

			store.Kill()
			servers.WaitFor(t, "the outage to be seen", answers(func() answer { return v.call(t, http.MethodGet, shared.PathUser) }, http.StatusServiceUnavailable))
			got := v.call(t, http.MethodGet, shared.PathUser)
			if got.code() != problem.StoreUnavailable || got.Header.Get("Retry-After") == "" || len(got.Cookies()) != 0 {
				t.Errorf("while the store is away: %d %v %s", got.StatusCode, got.Header, got.body)
			}
			ready, err := http.Get("http://" + s.admin + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, ready); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got.body, `"name":"store `) {
				t.Errorf("readiness: %d %s", got.StatusCode, got.body)
			}
			if v.ticket(t) != ticket {
				t.Error("the cookie was taken away")
			}

			store.Restart()
			want := http.StatusOK
			if name == "memcached" {
				want = http.StatusUnauthorized // it forgets; signing in again heals
			}
			servers.WaitFor(t, "the store to be found again", answers(func() answer { return v.call(t, http.MethodGet, shared.PathUser) }, want))
			v.signIn(t)
		})
	}
}

// TestAFileKeepsTheSessionsOverARestart is for the stores of one machine.
func TestAFileKeepsTheSessionsOverARestart(t *testing.T) {
	for _, store := range []string{"file", "sqlite"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			section := sessionSection(store, filepath.Join(t.TempDir(), "sessions"), "")
			first := open(t, "http", section)
			v := newVisitor(t, first.origin)
			v.signIn(t)
			first.stop()
			if err := <-first.stopped; err != nil {
				t.Fatalf("the first run ended with %v", err)
			}
			second := open(t, "http", section)
			r := callOf(t, http.MethodGet, second.origin, shared.PathUser)
			r.Header.Set("Cookie", shared.CookieName+"="+v.ticket(t))
			if got := newVisitor(t, second.origin).do(t, r); got.StatusCode != http.StatusOK {
				t.Errorf("after the restart: %d %s", got.StatusCode, got.body)
			}
		})
	}
}

func answers(ask func() answer, status int) func(context.Context) error {
	return func(context.Context) error {
		if got := ask(); got.StatusCode != status {
			return fmt.Errorf("%d %s", got.StatusCode, got.body)
		}
		return nil
	}
}

func gone(ask func() answer) func(context.Context) error {
	return answers(ask, http.StatusUnauthorized)
}

// logoutLink is the visitor's own way out.
func logoutLink(t *testing.T, v *visitor) string {
	t.Helper()
	var claims []shared.Claim
	if err := json.Unmarshal([]byte(v.call(t, http.MethodGet, shared.PathUser).body), &claims); err != nil {
		t.Fatal(err)
	}
	for _, claim := range claims {
		if claim.Type == shared.ClaimLogoutURL {
			return claim.Value.(string)
		}
	}
	t.Fatal("no way to sign out")
	return ""
}

// TestInstancesShareTheirMemory: three instances and nothing else. One of them
// may go; the sessions stay.
func TestInstancesShareTheirMemory(t *testing.T) {
	var addresses []string
	for range 3 {
		addresses = append(addresses, servers.Address(servers.FreePort(t)))
	}
	var instances []*stage
	for _, address := range addresses {
		instances = append(instances, open(t, "http", fmt.Sprintf(
			"\nsession: {store: nats, max_bytes: 16MiB, keys: [{id: k-1, secret: %s}], cluster: {listen: %q, peers: [%q, %q, %q], secret: not-a-secret-of-anybody}}\n",
			ringKey, address, addresses[0], addresses[1], addresses[2])))
	}
	for _, s := range instances {
		servers.WaitFor(t, "the instances to find each other", func(context.Context) error {
			response, err := http.Get("http://" + s.admin + "/readyz")
			if err != nil {
				return err
			}
			if got := read(t, response); got.StatusCode != http.StatusOK {
				return fmt.Errorf("%d %s", got.StatusCode, got.body)
			}
			return nil
		})
	}
	v := newVisitor(t, instances[0].origin)
	v.signIn(t)
	on := func(s *stage) func() answer {
		return func() answer {
			r := callOf(t, http.MethodGet, s.origin, shared.PathUser)
			r.Header.Set("Cookie", shared.CookieName+"="+v.ticket(t))
			return newVisitor(t, s.origin).do(t, r)
		}
	}
	if got := on(instances[1])(); got.StatusCode != http.StatusOK {
		t.Fatalf("on the second instance: %d %s", got.StatusCode, got.body)
	}
	instances[0].stop()
	if err := <-instances[0].stopped; err != nil {
		t.Errorf("the first instance ended with %v", err)
	}
	for _, s := range instances[1:] {
		servers.WaitFor(t, "the session on those that are left", answers(on(s), http.StatusOK))
	}
}
