package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest/servers"
)

// fill adds n records that expired an hour ago, and one that lives.
func fill(t testing.TB, db *sql.DB, n int) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), `
		INSERT INTO cloakroom_sessions (id, version, expires, data)
		WITH RECURSIVE seq (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM seq WHERE i < ?)
		SELECT randomblob(32), 1, (unixepoch() + iif(i = 0, 3600, -3600)) * 1000, x'' FROM seq`, n)
	if err != nil {
		t.Fatal(err)
	}
}

func count(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM cloakroom_sessions").Scan(&n)
	return n, err
}

func TestOneProcessSweepsForAll(t *testing.T) {
	t.Parallel()
	file := path(t)
	var stores []*sqlite.Store
	for range 4 {
		s := open(t, sqlite.Config{Path: file})
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	db := other(t, file)
	fill(t, db, 1234)

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
		t.Errorf("%d processes swept %d records, want one and 1234", sweepers.Load(), swept.Load())
	}
	if n, err := count(t.Context(), db); n != 1 || err != nil {
		t.Errorf("%d records are left, %v; want the one that lives", n, err)
	}

	// It is nobody's turn before the time is up.
	fill(t, db, 10)
	for _, s := range stores {
		if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("Sweep = %d, %v, out of turn", n, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE cloakroom_schema SET swept = swept - 46000"); err != nil {
		t.Fatal(err)
	}
	if n, err := stores[1].Sweep(t.Context()); n != 10 || err != nil {
		t.Errorf("Sweep = %d, %v; want 10", n, err)
	}
}

func TestRunSweepsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	file := path(t)
	s := open(t, sqlite.Config{Path: file, SweepEvery: 20 * time.Millisecond, Log: debugLog(t)})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := other(t, file)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	for range 2 {
		fill(t, db, 600)
		servers.WaitFor(t, "the expired to be gone", func(ctx context.Context) error {
			n, err := count(ctx, db)
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
	s := open(t, sqlite.Config{Path: path(t)})
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
