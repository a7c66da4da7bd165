package file_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/file"
)

// The test's own program, started again with one of these in its environment,
// is the process that dies.
const (
	writerOf = "FILE_TEST_WRITER_OF"
	fullOf   = "FILE_TEST_FULL_OF"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(writerOf) != "":
		writeForEver(os.Getenv(writerOf))
	case os.Getenv(fullOf) != "":
		os.Exit(fillUp(os.Getenv(fullOf)))
	}
	os.Exit(m.Run())
}

// What was acknowledged before a kill -9 is there after it, and what was
// deleted is not.
func TestAKilledProcess(t *testing.T) {
	name := path(t)
	live, gone := map[session.ID]session.Version{}, map[session.ID]bool{}
	for range 3 { // the second and third find what the first left
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), writerOf+"="+name)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 300 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			var what, text string
			var version session.Version
			if _, err := fmt.Sscan(lines.Text(), &what, &text, &version); err != nil {
				continue // the last line may be half a line
			}
			id := parseID(t, text)
			delete(live, id)
			switch what {
			case "live":
				live[id] = version
			case "gone":
				gone[id] = true
			}
		}
		_ = child.Wait()

		s := open(t, name)
		for id, version := range live {
			if r, err := s.Get(t.Context(), id); err != nil || r.Version < version {
				t.Errorf("Get of an acknowledged session = version %d, %v, want %d", r.Version, err, version)
			} else if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
				t.Errorf("Find of an acknowledged session = %d records, %v", len(found), err)
			}
		}
		for id := range gone {
			if _, err := s.Get(t.Context(), id); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Get of a deleted session = %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(live) == 0 || len(gone) == 0 {
		t.Errorf("%d live and %d deleted: too little to tell", len(live), len(gone))
	}
}

func parseID(t *testing.T, text string) session.ID {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(session.ID{}) {
		t.Fatalf("a line with %q", text)
	}
	return session.ID(b)
}

// writeForEver is the process that is killed: it says what it is about to put
// at risk ("maybe"), and what was acknowledged.
func writeForEver(name string) {
	s, err := file.New(file.Config{Path: name})
	if err != nil {
		fatal(err)
	}
	var mu sync.Mutex
	say := func(what string, id session.ID, v session.Version) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := fmt.Fprintf(os.Stdout, "%s %x %d\n", what, id[:], v); err != nil {
			os.Exit(0)
		}
	}
	ctx := context.Background()
	for range 8 {
		go func() {
			for n := 0; ; n++ {
				r := record(time.Hour)
				if r.Version, err = s.Create(ctx, r); err != nil {
					fatal(err)
				}
				say("live", r.ID, r.Version)
				if r.Version, err = s.Update(ctx, r); err != nil {
					fatal(err)
				}
				say("live", r.ID, r.Version)
				if n%2 == 0 {
					say("maybe", r.ID, r.Version)
					if err := s.Delete(ctx, r.ID); err != nil {
						fatal(err)
					}
					say("gone", r.ID, r.Version)
				}
			}
		}()
	}
	select {}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A disk that is full fails writes; reads go on, and when there is room again
// so do the writes.
func TestAFullDisk(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), fullOf+"="+path(t))
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// fillUp meets the limit on the size of a file, which is the process's own.
func fillUp(name string) int {
	signal.Ignore(syscall.SIGXFSZ)
	setLimit(4 << 20)
	s, err := file.New(file.Config{Path: name})
	if err != nil {
		fatal(err)
	}
	ctx := context.Background()
	var kept []session.Record
	for len(kept) < 10000 {
		r := record(time.Hour)
		if r.Version, err = s.Create(ctx, r); err != nil {
			break
		}
		kept = append(kept, r)
	}
	if err == nil || errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrExists) || len(kept) == 0 {
		fatal(fmt.Errorf("after %d sessions: %w", len(kept), err))
	}
	for _, r := range kept {
		if _, err := s.Get(ctx, r.ID); err != nil {
			fatal(fmt.Errorf("get on a full disk: %w", err))
		}
	}
	setLimit(64 << 20)
	for _, r := range kept {
		if err := s.Delete(ctx, r.ID); err != nil {
			fatal(fmt.Errorf("delete with room again: %w", err))
		}
	}
	if _, err := s.Create(ctx, kept[0]); err != nil {
		fatal(fmt.Errorf("create with room again: %w", err))
	}
	return 0
}

func setLimit(bytes uint64) {
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fatal(err)
	}
	limit.Cur = bytes
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fatal(err)
	}
}
