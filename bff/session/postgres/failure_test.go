package postgres_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/storetest/servers"
)

func short(c *postgres.Config) { c.Timeout = 500 * time.Millisecond }

func TestAStoreStartsBeforeItsServer(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	w.Kill()
	s, r := open(t, dsn, short), record()
	wantAllDown(t, s, r)
	w.Restart()
	servers.WaitFor(t, "the store to find its server", works(s))
}

// wantAllDown checks what every operation says of a server that is not there.
func wantAllDown(t *testing.T, s *postgres.Store, r session.Record) {
	t.Helper()
	secrets := []string{
		servers.PostgresPassword, hex.EncodeToString(r.ID[:4]), hex.EncodeToString(r.Keys[0][:4]), hex.EncodeToString(r.Data[:4]),
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
	s := open(t, w.schema(t), func(c *postgres.Config) { c.Timeout = 2 * time.Second })
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
	s := open(t, w.schema(t), short)
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
	w.admin(t, "CREATE USER app PASSWORD 'app' CONNECTION LIMIT 1", "CREATE SCHEMA app AUTHORIZATION app")
	dsn := w.URL("app", "app", "postgres", url.Values{"search_path": {"app"}, "sslmode": {"disable"}})
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
	s := open(t, w.schema(t), short, func(c *postgres.Config) { c.MaxConns = 2 })
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
	dsn := w.schema(t)
	s := open(t, dsn, func(c *postgres.Config) { c.MaxConns, c.Timeout = 1, time.Minute })
	r := create(t, s, record())

	conn := w.connect(t, searchPath(t, dsn))
	lock, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "SELECT FROM cloakroom_sessions FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	before := w.clients(t)
	ctx, hangUp := context.WithCancel(t.Context())
	updated := make(chan error)
	go func() {
		_, err := s.Update(ctx, r)
		updated <- err
	}()
	watch := w.connect(t, nil)
	servers.WaitFor(t, "the update to wait for the lock", func(ctx context.Context) error {
		var waiting int
		err := watch.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("nobody waits")
		}
		return err
	})
	hangUp()
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-updated; err != nil {
		t.Errorf("Update = %v, want what was begun to be finished", err)
	}
	if _, err := s.Get(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	after := w.clients(t)
	for pid := range before {
		if !after[pid] {
			t.Error("the connection was given up")
		}
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

func TestAWrongPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.URL(servers.PostgresUser, "hush-hush", "postgres", nil))
	_, err := s.Get(t.Context(), record().ID)
	wantDown(t, "Get", err, "hush-hush", servers.PostgresPassword)
}

func TestAServerTurnedReadOnlyIsDownAndRecovers(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.schema(t))
	r := create(t, s, record())
	w.admin(t, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	servers.WaitFor(t, "writes to be refused", func(ctx context.Context) error {
		version, err := s.Update(ctx, r)
		if err == nil {
			r.Version = version
			return errors.New("a write still succeeds")
		}
		return nil
	})
	_, err := s.Update(t.Context(), r)
	wantDown(t, "Update", err)
	w.admin(t, "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
	servers.WaitFor(t, "writes to succeed again", works(s))
}

func TestManyInstancesMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	for range 5 { // so that some do meet
		dsn := w.schema(t)
		var all sync.WaitGroup
		for range 8 {
			s := open(t, dsn, func(c *postgres.Config) { c.MaxConns = 1 })
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
	dsn := w.schema(t)
	s := open(t, dsn)
	r := create(t, s, record())
	if _, err := w.connect(t, searchPath(t, dsn)).Exec(t.Context(), "DROP TABLE cloakroom_sessions, cloakroom_schema"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), r.ID)
	wantDown(t, "Get", err)
	create(t, s, r)
}

func TestTablesOfANewerProgramAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	create(t, open(t, dsn), record())
	if _, err := w.connect(t, searchPath(t, dsn)).Exec(t.Context(), "UPDATE cloakroom_schema SET version = 99"); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, dsn).Get(t.Context(), record().ID)
	wantDown(t, "Get", err)
}

func TestAClosedStoreFails(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.schema(t))
	r := create(t, s, record())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantAllDown(t, s, r)
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	s, err := postgres.New(postgres.Config{URL: secret.New(fmt.Sprintf("postgres://%s/app", servers.Address(servers.FreePort(t))))})
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
}
