package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/storetest/servers"
)

// fill adds n records that expired an hour ago, and one that lives.
func fill(t testing.TB, conn *pgx.Conn, n int) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
		INSERT INTO cloakroom_sessions (id, version, expires, keys, data)
		SELECT sha256(random()::text::bytea), 1, now() + CASE i WHEN 0 THEN 1 ELSE -1 END * interval '1 hour', '{}', ''
		FROM generate_series(0, $1) i`, n)
	if err != nil {
		t.Fatal(err)
	}
}

func count(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, "SELECT count(*) FROM cloakroom_sessions").Scan(&n)
	return n, err
}

func TestOneInstanceSweepsForAll(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	var stores []*postgres.Store
	for range 4 {
		s := open(t, dsn)
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	conn := w.connect(t, searchPath(t, dsn))
	fill(t, conn, 1234)

	var sweepers, swept atomic.Int64
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() {
			n, err := s.Sweep(t.Context())
			if err != nil {
				t.Errorf("Sweep = %v", err)
			}
			if n > 0 {
				sweepers.Add(1)
				swept.Add(n)
			}
		})
	}
	all.Wait()
	if sweepers.Load() != 1 || swept.Load() != 1234 {
		t.Errorf("%d instances swept %d records, want one and 1234", sweepers.Load(), swept.Load())
	}
	if n, err := count(t.Context(), conn); n != 1 || err != nil {
		t.Errorf("%d records are left, %v; want the one that lives", n, err)
	}

	// It is nobody's turn before the time is up.
	fill(t, conn, 10)
	for _, s := range stores {
		if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("Sweep = %d, %v, out of turn", n, err)
		}
	}
	if _, err := conn.Exec(t.Context(), "UPDATE cloakroom_schema SET swept = now() - interval '46 seconds'"); err != nil {
		t.Fatal(err)
	}
	if n, err := stores[1].Sweep(t.Context()); n != 10 || err != nil {
		t.Errorf("Sweep = %d, %v; want 10", n, err)
	}
}

func TestASweepWaitsForNobody(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	s := open(t, dsn)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn := w.connect(t, searchPath(t, dsn))
	fill(t, conn, 20)
	lock, err := w.connect(t, searchPath(t, dsn)).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "SELECT FROM cloakroom_sessions WHERE expires < now() LIMIT 3 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context()); n != 17 || err != nil {
		t.Errorf("Sweep = %d, %v; want the 17 that nobody holds", n, err)
	}
}

func TestRunSweepsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	s := open(t, dsn, func(c *postgres.Config) { c.SweepEvery, c.Log = 20*time.Millisecond, debugLog(t) })
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn := w.connect(t, searchPath(t, dsn))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	for range 2 {
		fill(t, conn, 600)
		servers.WaitFor(t, "the expired to be gone", func(ctx context.Context) error {
			n, err := count(ctx, conn)
			if err == nil && n > 2 {
				err = fmt.Errorf("%d records", n)
			}
			return err
		})
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

// TestALeftoverBlocksNobody: what has expired and was not swept yet counts as
// not there, and nothing of it stays.
func TestALeftoverBlocksNobody(t *testing.T) {
	t.Parallel()
	s := open(t, start(t).schema(t))
	old := record()
	old.Expires = time.Now().Add(-time.Hour)
	create(t, s, old)
	r := record()
	r.ID = old.ID
	r = create(t, s, r)
	got, err := s.Get(t.Context(), r.ID)
	if err != nil || got.Version != r.Version {
		t.Errorf("Get = version %d, %v; want %d", got.Version, err, r.Version)
	}
	if found, err := s.Find(t.Context(), old.Keys[0]); len(found) != 0 || err != nil {
		t.Errorf("Find by the old key = %d records, %v", len(found), err)
	}
	if found, err := s.Find(t.Context(), r.Keys[0]); len(found) != 1 || err != nil {
		t.Errorf("Find by the new key = %d records, %v", len(found), err)
	}
}
