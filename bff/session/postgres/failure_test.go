package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/storetest"
)

// told is what an error of a store must and must not say.
var told = storetest.Telltale{Prefix: "postgres: ", Secrets: []string{servers.PostgresPassword}}

func short(c *postgres.Config) { c.Timeout = 500 * time.Millisecond }

func TestTheServerComesAndGoes(t *testing.T) {
	t.Parallel()
	storetest.RunService(t, storetest.Service{Telltale: told, Start: func(t *testing.T) storetest.Home {
		w := start(t)
		dsn := w.schema(t)
		return storetest.Home{Server: w, Open: func(timeout time.Duration) storetest.Opened {
			return open(t, dsn, func(c *postgres.Config) { c.Timeout = timeout })
		}}
	}})
}

func TestTheTablesAndTheConnections(t *testing.T) {
	t.Parallel()
	storetest.RunTables(t, func(t *testing.T) storetest.Database {
		w := start(t)
		return storetest.Database{
			Telltale: told,
			Place:    w.place,
			PlaceOf:  w.placeOf,
			Password: func(t *testing.T, password string) storetest.Opened {
				return open(t, w.URL(servers.PostgresUser, password, "postgres", nil))
			},
			ReadOnly: func(t *testing.T, on bool) {
				change := "ALTER SYSTEM RESET default_transaction_read_only"
				if on {
					change = "ALTER SYSTEM SET default_transaction_read_only = on"
				}
				w.admin(t, "SET default_transaction_read_only = off", change, "SELECT pg_reload_conf()")
			},
		}
	})
}

// place is an empty schema of the superuser.
func (w *world) place(t *testing.T) storetest.Place { return w.placeAt(t, w.schema(t)) }

// placeOf is one of a user without powers.
func (w *world) placeOf(t *testing.T, connections int) storetest.Place {
	name := "s" + randomHex(6)
	if connections == 0 {
		connections = -1
	}
	w.admin(t, fmt.Sprintf("CREATE USER %s PASSWORD 'app' CONNECTION LIMIT %d", name, connections), "CREATE SCHEMA "+name+" AUTHORIZATION "+name)
	return w.placeAt(t, w.URL(name, "app", "postgres", url.Values{"search_path": {name}, "sslmode": {"disable"}}))
}

func (w *world) placeAt(t *testing.T, dsn string) storetest.Place {
	conn, watch := w.connect(t, searchPath(t, dsn)), w.connect(t, nil)
	exec := func(statement string, arguments ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement, arguments...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return storetest.Place{
		Open: func(o storetest.Options) storetest.Sweeping {
			return open(t, dsn, func(c *postgres.Config) {
				if o.Timeout > 0 {
					c.Timeout = o.Timeout
				}
				c.MaxConns, c.SweepEvery, c.Log = o.MaxConns, o.SweepEvery, o.Log
			})
		},
		Exec: func(statement string) { exec(statement) },
		Count: func(ctx context.Context) (n int, err error) {
			err = conn.QueryRow(ctx, "SELECT count(*) FROM cloakroom_sessions").Scan(&n)
			return n, err
		},
		Fill: func(n int) {
			exec(`INSERT INTO cloakroom_sessions (id, version, expires, keys, data)
				SELECT sha256(random()::text::bytea), 1, now() + CASE i WHEN 0 THEN 1 ELSE -1 END * interval '1 hour', '{}', ''
				FROM generate_series(0, $1) i`, n)
		},
		SweptAgo: func(d time.Duration) { exec("UPDATE cloakroom_schema SET swept = now() - $1::interval", d) },
		Lock: func() func() {
			lock, err := conn.Begin(t.Context())
			if err == nil {
				_, err = lock.Exec(t.Context(), "SELECT FROM cloakroom_sessions FOR UPDATE")
			}
			if err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := lock.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		},
		Waiting: func(ctx context.Context) error {
			var waiting int
			err := watch.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&waiting)
			if err == nil && waiting == 0 {
				err = errors.New("nobody waits")
			}
			return err
		},
		Clients: func() map[int]bool { return w.clients(t) },
	}
}

// clients returns the server's processes for stores.
func (w *world) clients(t testing.TB) map[int]bool {
	t.Helper()
	rows, err := w.connect(t, nil).Query(t.Context(), "SELECT pid FROM pg_stat_activity WHERE query LIKE '%cloakroom_sessions%' AND pid <> pg_backend_pid() AND state = 'idle'")
	if err != nil {
		t.Fatal(err)
	}
	pids := map[int]bool{}
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			t.Fatal(err)
		}
		pids[pid] = true
	}
	return pids
}

func searchPath(t testing.TB, dsn string) url.Values {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"search_path": u.Query()["search_path"]}
}

// TestNothingIsLostWhenTheServerIsKilled under load.
func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.schema(t), func(c *postgres.Config) { c.Timeout = 2 * time.Second })
	storetest.RunChaos(t, storetest.Chaos{Telltale: told, Stores: storetest.One(s), Hurt: storetest.KillAndRestart(w)})
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	s, err := postgres.New(postgres.Config{URL: secret.New(fmt.Sprintf("postgres://%s/app", servers.Address(servers.FreePort(t))))})
	if err != nil {
		t.Fatal(err)
	}
	storetest.WantTooLarge(t, s, storetest.WithData(1<<20+1)) // no server needs to say so
}
