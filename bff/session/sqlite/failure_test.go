package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest"
)

// told is what an error of a store must say.
var told = storetest.Telltale{Prefix: "sqlite: "}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create(t, open(t, sqlite.Config{Path: filepath.Join(dir, "sessions.db")}), record())
	for _, name := range []string{"sessions.db", "sessions.db-wal", "sessions.db-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
}

// TestTheCharactersOfAPathAreTaken: a path goes into a URI, where some
// characters mean something.
func TestTheCharactersOfAPathAreTaken(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "100% Ümlaut & co?mode=memory#1")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a;b+c.db")
	create(t, open(t, sqlite.Config{Path: file}), record())
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

func TestAStoreStartsBeforeItsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mounted later")
	s, r := open(t, sqlite.Config{Path: filepath.Join(dir, "sessions.db")}), record()
	told.WantDown(t, s, r)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	create(t, s, r)
}

func TestAFileThatIsNoDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	file := path(t)
	const text = "these are somebody's notes, and long enough to have a header of a hundred bytes, which is what SQLite reads"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	told.WantDown(t, open(t, sqlite.Config{Path: file}), record())
	if content, err := os.ReadFile(file); string(content) != text || err != nil {
		t.Errorf("the file is now %q, %v", content, err)
	}
}

func TestTablesOfANewerProgramAreLeftAlone(t *testing.T) {
	t.Parallel()
	file := path(t)
	create(t, open(t, sqlite.Config{Path: file}), record())
	if _, err := other(t, file).ExecContext(t.Context(), "UPDATE cloakroom_schema SET version = 99"); err != nil {
		t.Fatal(err)
	}
	told.WantDown(t, open(t, sqlite.Config{Path: file}), record())
}

// other opens the file as another process would.
func other(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestAWriterThatHangsHoldsNoReaderUp, and writers no longer than Timeout.
func TestAWriterThatHangsHoldsNoReaderUp(t *testing.T) {
	t.Parallel()
	file := path(t)
	s := open(t, sqlite.Config{Path: file, Timeout: 500 * time.Millisecond})
	r := create(t, s, record())
	lock, err := other(t, file).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := s.Update(t.Context(), r)
			told.WantFailure(t, "Update", err, r)
		})
	}
	all.Wait()
	// Half a second and what a slow machine needs.
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the writers waited for %v", took)
	}
	if _, err := s.Get(t.Context(), r.ID); err != nil {
		t.Errorf("Get = %v", err)
	}
	told.WantFailure(t, "Ping", s.Ping(t.Context()), r)
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), r); err != nil {
		t.Errorf("Update = %v", err)
	}
}

func TestSeveralStoresShareOneFile(t *testing.T) {
	t.Parallel()
	file := path(t)
	var all sync.WaitGroup
	for range 6 { // all of them make the tables, if they are not there
		s := open(t, sqlite.Config{Path: file})
		all.Go(func() {
			for range 20 {
				r := create(t, s, record())
				if _, err := s.Update(t.Context(), r); err != nil {
					t.Errorf("Update = %v", err)
				}
			}
		})
	}
	all.Wait()
	var n int
	if err := other(t, file).QueryRowContext(t.Context(), "SELECT count(*) FROM cloakroom_sessions").Scan(&n); err != nil || n != 120 {
		t.Errorf("%d records, %v; want 120", n, err)
	}
}

func TestAClosedStoreFails(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{Path: path(t)})
	r := create(t, s, record())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	told.WantDown(t, s, r)
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	storetest.WantTooLarge(t, open(t, sqlite.Config{Path: path(t)}), storetest.WithData(1<<20+1), storetest.WithKeys(session.MaxKeys+1))
}
