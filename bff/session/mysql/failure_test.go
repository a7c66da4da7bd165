package mysql_test

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/storetest/servers"
)

func short(c *mysql.Config) { c.Timeout = 500 * time.Millisecond }

func TestAStoreStartsBeforeItsServer(t *testing.T) {
	t.Parallel()
	w := start(t)
	_, dsn := w.database(t)
	w.Kill()
	s, r := open(t, dsn, short), record()
	wantAllDown(t, s, r)
	w.Restart()
	servers.WaitFor(t, "the store to find its server", works(s))
}

// wantAllDown checks what every operation says of a server that is not there.
func wantAllDown(t *testing.T, s *mysql.Store, r session.Record) {
	t.Helper()
	secrets := []string{
		servers.MariaDBPassword, hex.EncodeToString(r.ID[:4]), hex.EncodeToString(r.Keys[0][:4]), hex.EncodeToString(r.Data[:4]),
	}
	_, err := s.Create(t.Context(), r)
	wantDown(t, "Create", err, secrets...)
	_, err = s.Get(t.Context(), r.ID)
	wantDown(t, "Get", err, secrets...)
	_, err = s.Update(t.Context(), r)
	wantDown(t, "Update", err, secrets...)
	wantDown(t, "Delete", s.Delete(t.Context(), r.ID), secrets...)
	_, err = s.Find(t.Context(), r.Keys[0])
	wantDown(t, "Find", err, secrets...)
	wantDown(t, "Ping", s.Ping(t.Context()), secrets...)
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.dsn(t), func(c *mysql.Config) { c.Timeout = 2 * time.Second })
	kept := create(t, s, record())

	var mu sync.Mutex
	acknowledged := map[session.ID]session.Version{}
	var all sync.WaitGroup
	enough := make(chan struct{})
	for range 8 {
		all.Go(func() {
			for {
				r := record()
				version, err := s.Create(t.Context(), r)
				if err != nil {
					wantDown(t, "Create", err)
					return
				}
				mu.Lock()
				acknowledged[r.ID] = version
				if len(acknowledged) == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	w.Kill()
	all.Wait()
	wantAllDown(t, s, kept)
	w.Restart()
	servers.WaitFor(t, "the store to recover", works(s))

	acknowledged[kept.ID] = kept.Version
	for id, version := range acknowledged {
		if r, err := s.Get(t.Context(), id); err != nil || r.Version != version {
			t.Fatalf("an acknowledged record: version %d, %v; want %d", r.Version, err, version)
		}
	}
}

func TestAFrozenServerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.dsn(t), short)
	r := create(t, s, record())
	w.Stop()
	began := time.Now()
	wantAllDown(t, s, r)
	// Six operations of half a second each; the bound leaves room for a slow machine.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("six operations took %v", took)
	}
	w.Cont()
	servers.WaitFor(t, "the store to recover", works(s))
	if _, err := s.Get(t.Context(), r.ID); err != nil {
		t.Errorf("Get = %v", err)
	}
}

func TestAFullServerIsDownAndRecovers(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.admin(t, "CREATE DATABASE app", "GRANT ALL ON app.* TO app IDENTIFIED BY 'app' WITH MAX_USER_CONNECTIONS 1")
	dsn := w.DSN("app", "app", "app", "")
	first, second := open(t, dsn), open(t, dsn, short)
	r := create(t, first, record())
	wantAllDown(t, second, r)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	servers.WaitFor(t, "a place to get free", works(second))
	if _, err := second.Get(t.Context(), r.ID); err != nil {
		t.Errorf("Get = %v", err)
	}
}

func TestABusyPoolMakesWaitAndThenFails(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.dsn(t), short, func(c *mysql.Config) { c.MaxConns = 2 })
	r := create(t, s, record())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.Get(t.Context(), r.ID); err != nil {
				t.Errorf("Get in a queue = %v", err)
			}
		})
	}
	all.Wait()
}

// TestWhoHangsUpCostsNoConnection: an attacker who drops requests must not make
// the server start a process for each.
func TestWhoHangsUpCostsNoConnection(t *testing.T) {
	t.Parallel()
	w := start(t)
	name, dsn := w.database(t)
	s := open(t, dsn, func(c *mysql.Config) { c.MaxConns, c.Timeout = 1, time.Minute })
	r := create(t, s, record())

	lock, err := w.connect(t, name).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), "UPDATE cloakroom_sessions SET expires = expires + 1"); err != nil {
		t.Fatal(err)
	}
	before := w.clients(t, name)
	ctx, hangUp := context.WithCancel(t.Context())
	updated := make(chan error)
	go func() {
		_, err := s.Update(ctx, r)
		updated <- err
	}()
	w.waitForStatement(t, "%UPDATE cloakroom_sessions SET%")
	hangUp()
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-updated; err != nil {
		t.Errorf("Update = %v, want what was begun to be finished", err)
	}
	if _, err := s.Get(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	after := w.clients(t, name)
	for id := range before {
		if !after[id] {
			t.Error("a connection was given up")
		}
	}
}

// waitForStatement returns once the server runs a statement like pattern, which
// something holds up.
func (w *world) waitForStatement(t testing.TB, pattern string) {
	t.Helper()
	db := w.connect(t, "")
	servers.WaitFor(t, "the statement to run", func(ctx context.Context) error {
		var n int
		err := db.QueryRowContext(ctx, `
			SELECT count(*) FROM information_schema.processlist
			WHERE command IN ('Query', 'Execute') AND info LIKE ? AND id <> CONNECTION_ID()`, pattern).Scan(&n)
		if err == nil && n == 0 {
			err = errors.New("it does not")
		}
		return err
	})
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
	if rows.Err() != nil || len(ids) == 0 {
		t.Fatalf("%d connections, %v", len(ids), rows.Err())
	}
	return ids
}

func TestAWrongPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.DSN(servers.MariaDBUser, "hush-hush", "app", ""))
	_, err := s.Get(t.Context(), record().ID)
	wantDown(t, "Get", err, "hush-hush", servers.MariaDBPassword)
}

func TestAServerTurnedReadOnlyIsDownAndRecovers(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.admin(t, "CREATE DATABASE app", "GRANT ALL ON app.* TO app IDENTIFIED BY 'app'")
	s := open(t, w.DSN("app", "app", "app", "")) // a superuser may write all the same
	r := create(t, s, record())
	w.admin(t, "SET GLOBAL read_only = 1")
	_, err := s.Update(t.Context(), r)
	wantDown(t, "Update", err)
	wantDown(t, "Ping", s.Ping(t.Context()))
	w.admin(t, "SET GLOBAL read_only = 0")
	servers.WaitFor(t, "writes to succeed again", works(s))
}

func TestManyInstancesMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	for range 5 { // so that some do meet
		_, dsn := w.database(t)
		var all sync.WaitGroup
		for range 8 {
			s := open(t, dsn, func(c *mysql.Config) { c.MaxConns = 1 })
			all.Go(func() {
				if err := works(s)(t.Context()); err != nil {
					t.Error(err)
				}
				_ = s.Close()
			})
		}
		all.Wait()
	}
}

func TestDroppedTablesAreMadeAnew(t *testing.T) {
	t.Parallel()
	w := start(t)
	name, dsn := w.database(t)
	s := open(t, dsn)
	r := create(t, s, record())
	w.admin(t, "DROP TABLE "+name+".cloakroom_sessions, "+name+".cloakroom_schema")
	_, err := s.Get(t.Context(), r.ID)
	wantDown(t, "Get", err)
	create(t, s, r)
}

func TestTablesOfANewerProgramAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := start(t)
	name, dsn := w.database(t)
	create(t, open(t, dsn), record())
	w.admin(t, "UPDATE "+name+".cloakroom_schema SET version = 99")
	_, err := open(t, dsn).Get(t.Context(), record().ID)
	wantDown(t, "Get", err)
}

func TestAClosedStoreFails(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.dsn(t))
	r := create(t, s, record())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantAllDown(t, s, r)
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	s, err := mysql.New(mysql.Config{URL: secret.New("mysql://localhost/app")})
	if err != nil {
		t.Fatal(err)
	}
	r := record()
	r.Data = make([]byte, 1<<20+1)
	if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create = %v, want ErrTooLarge", err)
	}
	if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Update = %v, want ErrTooLarge", err)
	}
	r = record()
	r.Keys = make([]session.Key, session.MaxKeys+1)
	if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create with too many keys = %v, want ErrTooLarge", err)
	}
}
