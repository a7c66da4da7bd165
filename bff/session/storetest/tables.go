package storetest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
)

// Sweeping is a store in tables, which sweeps out what has expired. Sweep is
// what Run does when it is time, and returns how many records went.
type Sweeping interface {
	Opened
	session.Runner
	Sweep(ctx context.Context) (int64, error)
}

// Options are what the suites set of a store's Config; zero is its default.
type Options struct {
	Timeout, SweepEvery time.Duration
	MaxConns            int
	Log                 *slog.Logger
}

// Place is where one deployment has its tables: cloakroom_sessions and
// cloakroom_schema. All it does besides Open it does as another client.
type Place struct {
	Open func(Options) Sweeping
	// Exec runs a statement.
	Exec func(statement string)
	// Count returns how many records there are, expired or not.
	Count func(ctx context.Context) (int, error)
	// Fill adds n records that expired an hour ago, and one that lives.
	Fill func(n int)
	// SweptAgo makes the last sweep one that was d ago.
	SweptAgo func(d time.Duration)
	// Lock keeps everybody else from writing to the records there are.
	Lock func() (release func())
	// Waiting returns nil once a store waits for such a lock. Clients are the
	// connections of stores, by what the server calls them. Neither is needed to
	// sweep.
	Waiting func(ctx context.Context) error
	Clients func() map[int]bool
}

// Database is a kind of server with places for tables.
type Database struct {
	Telltale
	// Place makes an empty place of the superuser.
	Place func(t *testing.T) Place
	// PlaceOf makes one of a user without powers, who may have so many
	// connections at once; 0 means any number.
	PlaceOf func(t *testing.T, connections int) Place
	// Password opens a store of the superuser that tries another password.
	Password func(t *testing.T, password string) Opened
	// ReadOnly makes the server refuse all users' writes, or take them again.
	// PingWrites says that Ping notices.
	ReadOnly   func(t *testing.T, on bool)
	PingWrites bool
}

// RunTables checks what a store in a database must do about its tables and
// connections. start is called once; the rules share its server.
func RunTables(t *testing.T, start func(t *testing.T) Database) {
	d := start(t)
	for _, check := range tables {
		t.Run(check.name, func(t *testing.T) {
			explain(t, check.name, check.why)
			check.run(t, d)
		})
	}
}

var tables = []check[Database]{
	{"a server without a free connection is down and is found again", "the limit is shared with others", func(t *testing.T, d Database) {
		place := d.PlaceOf(t, 1)
		first, second := place.Open(Options{}), place.Open(Options{Timeout: hasty})
		r := NewRecord(time.Hour)
		r.Version = mustCreate(t, first, r)
		d.WantDown(t, second, r)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		Recovers(t, second)
		same(t, mustGet(t, second, r.ID), r)
	}},
	{"a busy pool makes calls wait for each other", "a burst is no outage", func(t *testing.T, d Database) {
		s := d.Place(t).Open(Options{MaxConns: 2, Timeout: hasty})
		r := NewRecord(time.Hour)
		mustCreate(t, s, r)
		together(20, func(int) {
			if _, err := s.Get(t.Context(), r.ID); err != nil {
				t.Errorf("Get in a queue = %v", err)
			}
		})
	}},
	{"who hangs up costs no connection", "an attacker who drops requests would make the server start a process for each", func(t *testing.T, d Database) {
		place := d.Place(t)
		s := place.Open(Options{MaxConns: 1, Timeout: time.Minute})
		r := NewRecord(time.Hour)
		r.Version = mustCreate(t, s, r)
		release := place.Lock()
		before := place.Clients()
		if len(before) == 0 {
			t.Fatal("the store has no connection: this test looks in the wrong place")
		}
		ctx, hangUp := context.WithCancel(t.Context())
		updated := make(chan error)
		go func() {
			_, err := s.Update(ctx, r)
			updated <- err
		}()
		servers.WaitFor(t, "the update to wait", place.Waiting)
		hangUp()
		release()
		if err := <-updated; err != nil {
			t.Errorf("Update = %v, want what was begun to be finished", err)
		}
		mustGet(t, s, r.ID)
		after := place.Clients()
		for client := range before {
			if !after[client] {
				t.Error("the connection was given up")
			}
		}
	}},
	{"a wrong password is not shown", "errors are logged", func(t *testing.T, d Database) {
		const wrong = "hush-hush"
		told := Telltale{d.Prefix, append([]string{wrong}, d.Secrets...)}
		told.WantDown(t, d.Password(t, wrong), NewRecord(time.Hour))
	}},
	{"instances that start at once make the tables once", "a deploy starts them at once", func(t *testing.T, d Database) {
		for range 5 { // so that some do meet
			place := d.Place(t)
			together(8, func(int) {
				s := place.Open(Options{MaxConns: 1})
				Works(t, s)
				_ = s.Close()
			})
		}
	}},
	{"dropped tables are made anew", "nobody should have to restart us", func(t *testing.T, d Database) {
		place := d.Place(t)
		s := place.Open(Options{})
		r := NewRecord(time.Hour)
		mustCreate(t, s, r)
		place.Exec("DROP TABLE cloakroom_sessions, cloakroom_schema")
		_, err := s.Get(t.Context(), r.ID)
		d.WantFailure(t, "Get", err, r)
		mustCreate(t, s, r)
	}},
	{"tables of a newer program are left alone", "a rollback would damage them", func(t *testing.T, d Database) {
		place := d.Place(t)
		mustCreate(t, place.Open(Options{}), NewRecord(time.Hour))
		place.Exec("UPDATE cloakroom_schema SET version = 99")
		d.WantDown(t, place.Open(Options{}), NewRecord(time.Hour))
	}},
	{"a server turned read-only is down and is found again", "a failover leaves one behind", func(t *testing.T, d Database) {
		s := d.PlaceOf(t, 0).Open(Options{})
		r := NewRecord(time.Hour)
		r.Version = mustCreate(t, s, r)
		d.ReadOnly(t, true)
		servers.WaitFor(t, "writes to be refused", func(ctx context.Context) error {
			version, err := s.Update(ctx, r)
			if err == nil {
				r.Version = version
				return errors.New("a write still succeeds")
			}
			return nil
		})
		_, err := s.Update(t.Context(), r)
		d.WantFailure(t, "Update", err, r)
		if d.PingWrites {
			d.WantFailure(t, "Ping", s.Ping(t.Context()), r)
		}
		d.ReadOnly(t, false)
		Recovers(t, s)
	}},
}

// RunSweep checks how what has expired is swept out of tables; place makes an
// empty one.
func RunSweep(t *testing.T, place func(t *testing.T) Place) { runChecks(t, place, sweep) }

var sweep = []check[func(t *testing.T) Place]{
	{"one instance sweeps for all", "many at once would do the work many times, and in each other's way", func(t *testing.T, empty func(t *testing.T) Place) {
		place := empty(t)
		var stores []Sweeping
		for range 4 {
			s := place.Open(Options{})
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			stores = append(stores, s)
		}
		place.Fill(1234)
		var sweepers, swept atomic.Int64
		together(len(stores), func(i int) {
			n, err := stores[i].Sweep(t.Context())
			if err != nil {
				t.Errorf("Sweep = %v", err)
			}
			if n > 0 {
				sweepers.Add(1)
				swept.Add(n)
			}
		})
		if sweepers.Load() != 1 || swept.Load() != 1234 {
			t.Errorf("%d instances swept %d records, want one and 1234", sweepers.Load(), swept.Load())
		}
		if n, err := place.Count(t.Context()); n != 1 || err != nil {
			t.Errorf("%d records are left, %v; want the one that lives", n, err)
		}

		// It is nobody's turn before the time is up.
		place.Fill(10)
		for _, s := range stores {
			if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
				t.Errorf("Sweep = %d, %v, out of turn", n, err)
			}
		}
		place.SweptAgo(46 * time.Second)
		if n, err := stores[1].Sweep(t.Context()); n != 10 || err != nil {
			t.Errorf("Sweep = %d, %v; want 10", n, err)
		}
	}},
	{"Run sweeps until its context ends", "a table of the dead grows without end", func(t *testing.T, empty func(t *testing.T) Place) {
		place := empty(t)
		s := place.Open(Options{
			SweepEvery: 20 * time.Millisecond,
			Log:        slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		for range 2 {
			place.Fill(600)
			servers.WaitFor(t, "the expired to be gone", func(ctx context.Context) error {
				n, err := place.Count(ctx)
				if err == nil && n > 2 {
					err = errors.New("some are left")
				}
				return err
			})
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	}},
	{"a leftover blocks nobody", "what has expired and was not swept yet counts as not there, and nothing of it stays", func(t *testing.T, empty func(t *testing.T) Place) {
		s := empty(t).Open(Options{})
		old := NewRecord(-time.Hour)
		mustCreate(t, s, old)
		r := NewRecord(time.Hour)
		r.ID = old.ID
		r.Version = mustCreate(t, s, r)
		same(t, mustGet(t, s, r.ID), r)
		if found := find(t, s, old.Keys[0]); len(found) != 0 {
			t.Errorf("Find by the old key = %d records", len(found))
		}
		if found := find(t, s, r.Keys[0]); len(found) != 1 {
			t.Errorf("Find by the new key = %d records", len(found))
		}
	}},
}
