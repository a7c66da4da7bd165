package mysql_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/storetest"
)

// told is what an error of a store must and must not say.
var told = storetest.Telltale{Prefix: "mysql: ", Secrets: []string{servers.MariaDBPassword}}

func TestTheServerComesAndGoes(t *testing.T) {
	t.Parallel()
	storetest.RunService(t, storetest.Service{Telltale: told, Start: func(t *testing.T) storetest.Home {
		w := start(t)
		dsn := w.dsn(t)
		return storetest.Home{Server: w, Open: func(timeout time.Duration) storetest.Opened {
			return open(t, dsn, func(c *mysql.Config) { c.Timeout = timeout })
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
				return open(t, w.DSN(servers.MariaDBUser, password, "app", ""))
			},
			PingWrites: true,
			ReadOnly: func(t *testing.T, on bool) {
				if on {
					w.admin(t, "SET GLOBAL read_only = 1")
				} else {
					w.admin(t, "SET GLOBAL read_only = 0")
				}
			},
		}
	})
}

// place is an empty database of the superuser.
func (w *world) place(t *testing.T) storetest.Place {
	name, dsn := w.database(t)
	return w.placeAt(t, name, dsn)
}

// placeOf is one of a user without powers.
func (w *world) placeOf(t *testing.T, connections int) storetest.Place {
	name, _ := w.database(t)
	w.admin(t, "CREATE USER "+name+" IDENTIFIED BY 'app' WITH MAX_USER_CONNECTIONS "+strconv.Itoa(connections), "GRANT ALL ON "+name+".* TO "+name)
	return w.placeAt(t, name, w.DSN(name, "app", name, ""))
}

func (w *world) placeAt(t *testing.T, name, dsn string) storetest.Place {
	db := w.connect(t, name)
	exec := func(statement string, arguments ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, arguments...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return storetest.Place{
		Open: func(o storetest.Options) storetest.Sweeping {
			return open(t, dsn, func(c *mysql.Config) {
				if o.Timeout > 0 {
					c.Timeout = o.Timeout
				}
				c.MaxConns, c.SweepEvery, c.Log = o.MaxConns, o.SweepEvery, o.Log
			})
		},
		Exec: func(statement string) { exec(statement) },
		Count: func(ctx context.Context) (n int, err error) {
			err = db.QueryRowContext(ctx, "SELECT count(*) FROM cloakroom_sessions").Scan(&n)
			return n, err
		},
		Fill: func(n int) {
			exec(`INSERT INTO cloakroom_sessions (id, version, expires, data)
				SELECT UNHEX(SHA2(CONCAT(UUID(), seq), 256)), 1, (UNIX_TIMESTAMP() + IF(seq = 0, 3600, -3600)) * 1000, ''
				FROM seq_0_to_9999 WHERE seq <= ?`, n)
		},
		SweptAgo: func(d time.Duration) { exec("UPDATE cloakroom_schema SET swept = swept - ?", d.Milliseconds()) },
		Lock: func() func() {
			lock, err := db.BeginTx(t.Context(), nil)
			if err == nil {
				_, err = lock.ExecContext(t.Context(), "UPDATE cloakroom_sessions SET expires = expires + 1")
			}
			if err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := lock.Rollback(); err != nil {
					t.Fatal(err)
				}
			}
		},
		Waiting: w.runs(t, "%UPDATE cloakroom_sessions SET%"),
		Clients: func() map[int]bool { return w.clients(t, name) },
	}
}

// runs returns nil once the server runs a statement like pattern, which
// something holds up.
func (w *world) runs(t testing.TB, pattern string) func(context.Context) error {
	db := w.connect(t, "")
	return func(ctx context.Context) error {
		var n int
		err := db.QueryRowContext(ctx, `
			SELECT count(*) FROM information_schema.processlist
			WHERE command IN ('Query', 'Execute') AND info LIKE ? AND id <> CONNECTION_ID()`, pattern).Scan(&n)
		if err == nil && n == 0 {
			err = errors.New("it does not")
		}
		return err
	}
}

// clients returns the server's connections with a database.
func (w *world) clients(t testing.TB, database string) map[int]bool {
	t.Helper()
	rows, err := w.connect(t, "").QueryContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE db = ?", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	ids := map[int]bool{}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids[id] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestNothingIsLostWhenTheServerIsKilled under load.
func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.dsn(t), func(c *mysql.Config) { c.Timeout = 2 * time.Second })
	storetest.RunChaos(t, storetest.Chaos{Telltale: told, Stores: storetest.One(s), Hurt: storetest.KillAndRestart(w)})
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	s, err := mysql.New(mysql.Config{URL: secret.New("mysql://localhost/app")})
	if err != nil {
		t.Fatal(err)
	}
	storetest.WantTooLarge(t, s, storetest.WithData(1<<20+1), storetest.WithKeys(session.MaxKeys+1)) // no server needs to say so
}
