package sqlite_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest"
)

func open(t testing.TB, c sqlite.Config) *sqlite.Store {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	s, err := sqlite.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func path(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "sessions.db")
}

func TestStore(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	backend := storetest.Backend{
		Open: func(t *testing.T) session.Store { return open(t, sqlite.Config{Path: path(t), Now: now}) },
		Now:  now,
		Pass: func(d time.Duration) { passed.Add(int64(d)) },
	}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config sqlite.Config
	}{
		{"no path", sqlite.Config{}},
		{"a database in memory, which no two connections share", sqlite.Config{Path: ":memory:"}},
		{"a URI, whose parameters could undo what is promised here", sqlite.Config{Path: "file:sessions.db?synchronous=off"}},
		{"a path that ends in its middle", sqlite.Config{Path: "sessions\x00.db"}},
		{"a negative timeout", sqlite.Config{Path: "sessions.db", Timeout: -1}},
		{"a negative pause between sweeps", sqlite.Config{Path: "sessions.db", SweepEvery: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := sqlite.New(c.config); err == nil {
				t.Error("it was accepted")
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
