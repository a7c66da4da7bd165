package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/file"
	"cloakroom/bff/session/storetest"
)

// fullOf makes the test's own program, started again, one whose disk is full.
const fullOf = "FILE_TEST_FULL_OF"

func TestMain(m *testing.M) {
	if name := os.Getenv(fullOf); name != "" {
		os.Exit(fillUp(name))
	}
	storetest.Main(m, func(dir string) (storetest.Served, error) {
		return file.New(file.Config{Path: filepath.Join(dir, "sessions")})
	}, nil)
}

// TestNothingIsLostWhenTheProcessIsKilled under load, in the middle of its
// writes: what was acknowledged before a kill -9 is there after it, and what was
// deleted is not.
func TestNothingIsLostWhenTheProcessIsKilled(t *testing.T) {
	i := storetest.StartInstance(t, servers.Dir(t, nil))
	i.WaitReady()
	storetest.RunChaos(t, storetest.Chaos{Stores: storetest.One(i), Hurt: storetest.KillAndRestart(i)})
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
