package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/sqlite"
)

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
	wantAllDown(t, s, r)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	create(t, s, r)
}

// wantAllDown checks what every operation says when there is no file.
func wantAllDown(t *testing.T, s *sqlite.Store, r session.Record) {
	t.Helper()
	secrets := []string{hex.EncodeToString(r.ID[:4]), hex.EncodeToString(r.Keys[0][:4]), hex.EncodeToString(r.Data[:4])}
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

func TestAFileThatIsNoDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	file := path(t)
	const text = "these are somebody's notes, and long enough to have a header of a hundred bytes, which is what SQLite reads"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wantAllDown(t, open(t, sqlite.Config{Path: file}), record())
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
	wantAllDown(t, open(t, sqlite.Config{Path: file}), record())
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
			wantDown(t, "Update", err)
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
	wantDown(t, "Ping", s.Ping(t.Context()))
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
	wantAllDown(t, s, r)
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite.Config{Path: path(t)})
	large, many := record(), record()
	large.Data = make([]byte, 1<<20+1)
	many.Keys = make([]session.Key, session.MaxKeys+1)
	for _, r := range []session.Record{large, many} {
		if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Create = %v, want ErrTooLarge", err)
		}
		if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Update = %v, want ErrTooLarge", err)
		}
	}
}

// writerEnv makes this test's program a writer on the file it names.
const writerEnv = "CLOAKROOM_TEST_WRITER"

func TestMain(m *testing.M) {
	if file := os.Getenv(writerEnv); file != "" {
		write(file)
		return
	}
	os.Exit(m.Run())
}

// write creates records for as long as it lives, and prints the ID of each that
// was acknowledged.
func write(file string) {
	s, err := sqlite.New(sqlite.Config{Path: file, Timeout: time.Minute})
	for err == nil {
		r := record()
		if _, err = s.Create(context.Background(), r); err == nil {
			_, err = fmt.Println(hex.EncodeToString(r.ID[:]))
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	file := path(t)
	var acknowledged []session.ID
	for range 3 {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), writerEnv+"="+file)
		writer.Stderr = t.Output()
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		for lines, n := bufio.NewScanner(out), 0; lines.Scan(); n++ {
			if n == 50 {
				if err := writer.Process.Kill(); err != nil { // SIGKILL
					t.Fatal(err)
				}
			}
			var id session.ID
			if _, err := hex.Decode(id[:], lines.Bytes()); err != nil || len(lines.Bytes()) != 64 {
				break // cut off by the kill
			}
			acknowledged = append(acknowledged, id)
		}
		_ = writer.Wait() // it was killed
	}
	if len(acknowledged) < 150 {
		t.Fatalf("only %d records were acknowledged", len(acknowledged))
	}
	s := open(t, sqlite.Config{Path: file})
	for _, id := range acknowledged {
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Fatalf("an acknowledged record: %v", err)
		}
	}
	var verdict string
	if err := other(t, file).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the file is %q, %v", verdict, err)
	}
}
