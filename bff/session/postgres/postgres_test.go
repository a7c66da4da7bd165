package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/storetest"
)

// world is one server and what a test needs to prepare it.
type world struct {
	*servers.PostgresServer
	t testing.TB
}

// start runs a server that waits for no disk: what is killed here is the
// server, not the machine.
func start(t testing.TB, settings ...string) *world {
	t.Helper()
	return &world{servers.Postgres(t, append([]string{"fsync=off"}, settings...)...), t}
}

// admin runs statements as the superuser.
func (w *world) admin(t testing.TB, statements ...string) {
	t.Helper()
	conn := w.connect(t, nil)
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (w *world) connect(t testing.TB, query url.Values) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", query))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// schema makes an empty schema and returns the URL whose tables are there.
func (w *world) schema(t testing.TB) string {
	t.Helper()
	name := "s" + randomHex(6)
	w.admin(t, "CREATE SCHEMA "+name)
	return w.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", url.Values{"search_path": {name}, "sslmode": {"disable"}})
}

func open(t testing.TB, dsn string, change ...func(*postgres.Config)) *postgres.Store {
	t.Helper()
	c := postgres.Config{URL: secret.New(dsn), Timeout: 10 * time.Second}
	for _, f := range change {
		f(&c)
	}
	s, err := postgres.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	w := start(t)
	backend := storetest.Backend{Open: func(t *testing.T) session.Store { return open(t, w.schema(t)) }}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		change    func(*postgres.Config)
	}{
		{"no URL", "", nil},
		{"the URL of another store", "redis://:hush-hush@cache:6379", nil},
		{"a port that is none", "postgres://app:hush-hush@db:none/app", nil},
		{"a URL that cannot be parsed", "postgres://app:hush-hush@[db/app", nil},
		{"an unknown sslmode", "postgres://app:hush-hush@db/app?sslmode=maybe", nil},
		{"a CA file that is not there", "postgres://app:hush-hush@db/app?sslmode=verify-full&sslrootcert=/nowhere.pem", nil},
		{"a setting of the pool that is none", "postgres://app:hush-hush@db/app?pool_max_conns=many", nil},
		{"a negative timeout", "postgres://db/app", func(c *postgres.Config) { c.Timeout = -1 }},
		{"a negative number of connections", "postgres://db/app", func(c *postgres.Config) { c.MaxConns = -1 }},
		{"a negative pause between sweeps", "postgres://db/app", func(c *postgres.Config) { c.SweepEvery = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := postgres.Config{URL: secret.New(c.url)}
			if c.change != nil {
				c.change(&config)
			}
			_, err := postgres.New(config)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("the error gives a secret away: %v", err)
			}
		})
	}
}

func record() session.Record { return storetest.NewRecord(time.Hour) }

func create(t testing.TB, s session.Store, r session.Record) session.Record {
	t.Helper()
	version, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatalf("Create = %v", err)
	}
	r.Version = version
	return r
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
