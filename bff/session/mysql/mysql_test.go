package mysql_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/storetest"
)

// world is one server and what a test needs to prepare it.
type world struct{ *servers.MariaDBServer }

// start runs a server that waits for no disk: what is killed here is the
// server, not the machine.
func start(t testing.TB, options ...string) *world {
	t.Helper()
	return &world{servers.MariaDB(t, append([]string{
		"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M",
	}, options...)...)}
}

// admin runs statements as the superuser.
func (w *world) admin(t testing.TB, statements ...string) {
	t.Helper()
	db := w.connect(t, "")
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (w *world) connect(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", w.DSN(servers.MariaDBUser, servers.MariaDBPassword, database, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// database makes an empty database and returns its name and its DSN.
func (w *world) database(t testing.TB) (name, dsn string) {
	t.Helper()
	name = "d" + randomHex(6)
	w.admin(t, "CREATE DATABASE "+name)
	return name, w.DSN(servers.MariaDBUser, servers.MariaDBPassword, name, "")
}

// dsn makes an empty database.
func (w *world) dsn(t testing.TB) string {
	t.Helper()
	_, dsn := w.database(t)
	return dsn
}

func open(t testing.TB, dsn string, change ...func(*mysql.Config)) *mysql.Store {
	t.Helper()
	c := mysql.Config{URL: secret.New(dsn), Timeout: 10 * time.Second}
	for _, f := range change {
		f(&c)
	}
	s, err := mysql.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	w := start(t)
	backend := storetest.Backend{Open: func(t *testing.T) session.Store {
		_, dsn := w.database(t)
		return open(t, dsn)
	}}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		change    func(*mysql.Config)
	}{
		{"no URL", "", nil},
		{"the URL of another store", "redis://:hush-hush@cache:6379/app", nil},
		{"no database", "mysql://app:hush-hush@db/", nil},
		{"no database, in the driver's form", "app:hush-hush@tcp(db:3306)/", nil},
		{"a URL that cannot be parsed", "mysql://app:hush-hush@[db/app", nil},
		{"a DSN that cannot be parsed", "app:hush-hush@tcp(db:3306", nil},
		{"a tls setting that nobody made", "mysql://app:hush-hush@db/app?tls=ours", nil},
		{"a CA file that is not there", "mysql://app:hush-hush@db/app?ssl-ca=/nowhere.pem", nil},
		{"a CA file without a certificate", "mysql://app:hush-hush@db/app?ssl-ca=/dev/null", nil},
		{"a CA that nobody is to ask", "mysql://app:hush-hush@db/app?tls=skip-verify&ssl-ca=/dev/null", nil},
		{"a client certificate without its key", "mysql://app:hush-hush@db/app?ssl-cert=/nowhere.pem", nil},
		{"a negative timeout", "mysql://db/app", func(c *mysql.Config) { c.Timeout = -1 }},
		{"a negative number of connections", "mysql://db/app", func(c *mysql.Config) { c.MaxConns = -1 }},
		{"a negative pause between sweeps", "mysql://db/app", func(c *mysql.Config) { c.SweepEvery = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := mysql.Config{URL: secret.New(c.url)}
			if c.change != nil {
				c.change(&config)
			}
			_, err := mysql.New(config)
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
