package file_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/file"
	"cloakroom/bff/session/storetest"
)

func TestStore(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	backend := storetest.Backend{
		Open: func(t *testing.T) session.Store {
			return openConfig(t, file.Config{Path: path(t), Now: now})
		},
		Now:  now,
		Pass: func(d time.Duration) { passed.Add(int64(d)) },
	}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestTheConfigIsChecked(t *testing.T) {
	for name, c := range map[string]file.Config{
		"no path":            {},
		"a negative timeout": {Path: "x", Timeout: -1},
		"a negative sweep":   {Path: "x", SweepEvery: -1},
	} {
		if _, err := file.New(c); err == nil || !strings.HasPrefix(err.Error(), "file: ") {
			t.Errorf("%s: New = %v", name, err)
		}
	}
}

func TestSessionsOutliveTheStore(t *testing.T) {
	name := path(t)
	s := open(t, name)
	r := record(time.Hour)
	r.Version = create(t, s, r)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil || errors.Is(err, session.ErrNotFound) {
		t.Errorf("Ping of a closed store = %v", err)
	}
	s = open(t, name)
	got, err := s.Get(t.Context(), r.ID)
	if err != nil || got.Version != r.Version || !bytes.Equal(got.Data, r.Data) {
		t.Errorf("Get = version %d, %v, want version %d and the data", got.Version, err, r.Version)
	}
	next := record(time.Hour)
	if v := create(t, s, next); v <= r.Version {
		t.Errorf("version %d comes after %d", v, r.Version)
	}
}

func TestTheFileIsForItsOwnerOnly(t *testing.T) {
	name := path(t)
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
	for _, name := range []string{name, path(t)} {
		create(t, open(t, name), record(time.Hour))
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
		}
	}
}

func TestAFileInUseIsAnErrorUntilItIsFree(t *testing.T) {
	name := path(t)
	first := open(t, name)
	create(t, first, record(time.Hour))
	second := openConfig(t, file.Config{Path: name, Timeout: 200 * time.Millisecond})
	err := second.Ping(t.Context())
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("Ping = %v", err)
	}
	_, err = second.Get(t.Context(), record(0).ID)
	if err == nil || errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want a failure of the store", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	servers.WaitFor(t, "the second store to have the file", second.Ping)
	create(t, second, record(time.Hour))
}

func TestAFolderThatIsNotThere(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "missing", "sessions"))
	for range 2 {
		if _, err := s.Get(t.Context(), record(0).ID); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Get = %v, want an error that says what is missing", err)
		}
	}
}

func TestRunSweepsOutTheExpired(t *testing.T) {
	var passed atomic.Int64
	s := openConfig(t, file.Config{Path: path(t), SweepEvery: time.Millisecond, Now: func() time.Time {
		return time.Now().Add(time.Duration(passed.Load()))
	}})
	const sessions = 1300 // several batches
	kept := record(2 * time.Hour)
	create(t, s, kept)
	fill(t, s, sessions, time.Hour)
	moved := record(time.Hour)
	moved.Version = create(t, s, moved)
	moved.Expires = kept.Expires
	if _, err := s.Update(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	passed.Store(int64(90 * time.Minute))

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	servers.WaitFor(t, "the sweep", func(context.Context) error {
		if n := s.Count(t, "records"); n != 2 {
			return errors.New("not yet")
		}
		return nil
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	for bucket, want := range map[string]int{"records": 2, "expiry": 2, "index": 4} {
		if n := s.Count(t, bucket); n != want {
			t.Errorf("%d entries are left in %s, want %d", n, bucket, want)
		}
	}
	for _, r := range []session.Record{kept, moved} {
		if _, err := s.Get(t.Context(), r.ID); err != nil {
			t.Errorf("Get of one that has time left = %v", err)
		}
	}
}

func TestDeletingLeavesNothingBehind(t *testing.T) {
	s := open(t, path(t))
	for range 10 {
		r := record(time.Hour)
		r.Version = create(t, s, r)
		r.Keys = record(0).Keys
		if _, err := s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, bucket := range []string{"records", "expiry", "index"} {
		if n := s.Count(t, bucket); n != 0 {
			t.Errorf("%d entries are left in %s", n, bucket)
		}
	}
}

func TestARecordTooLargeIsRefused(t *testing.T) {
	s := open(t, path(t))
	r := record(time.Hour)
	r.Version = create(t, s, r)
	r.Data = make([]byte, 17<<20)
	if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Update = %v, want ErrTooLarge", err)
	}
	r.ID = record(0).ID
	if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create = %v, want ErrTooLarge", err)
	}
}

// TestTheFileTellsNothing looks for a real session in the file, whole and as
// it was before the last write.
func TestTheFileTellsNothing(t *testing.T) {
	name := path(t)
	storetest.RunDump(t, open(t, name), map[string]storetest.Remains{
		"file": func(t *testing.T) iter.Seq[[]byte] { return servers.Files(t, filepath.Dir(name)) },
	})
}

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "sessions") }

func open(t testing.TB, path string) *file.Store {
	t.Helper()
	return openConfig(t, file.Config{Path: path})
}

func openConfig(t testing.TB, c file.Config) *file.Store {
	t.Helper()
	s, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t testing.TB, s session.Store, r session.Record) session.Version {
	t.Helper()
	v, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatalf("Create = %v", err)
	}
	return v
}

// fill creates n sessions, many at once so that they share an fsync.
func fill(t testing.TB, s session.Store, n int, d time.Duration) {
	t.Helper()
	failed := make(chan error, n)
	for range n {
		go func() {
			r := record(d)
			r.Data = r.Data[:10]
			_, err := s.Create(t.Context(), r)
			failed <- err
		}()
	}
	for range n {
		if err := <-failed; err != nil {
			t.Fatalf("Create = %v", err)
		}
	}
}

func record(d time.Duration) session.Record { return storetest.NewRecord(d) }
