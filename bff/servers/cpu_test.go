package servers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cloakroom/bff/servers"
)

// TestAServersTimeIsThatOfItsChildrenToo: PostgreSQL works in children, one for
// each connection, that end with it.
func TestAServersTimeIsThatOfItsChildrenToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	working := filepath.Join(dir, "working")
	if err := os.WriteFile(working, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A child that is busy until told to end, or for some seconds should nobody
	// be left to tell it, and a parent that does nothing.
	p := servers.Launch(t, servers.Command{
		Program: "sh", Package: "dash", Dir: dir,
		Args: []string{"-c", "(i=0; while [ -e working ] && [ $i -lt 10000000 ]; do i=$((i+1)); done); echo ended; kill -STOP $$"},
	})
	const some = 200 * time.Millisecond
	servers.WaitFor(t, "the child's time to be counted", func(context.Context) error {
		if used := p.CPU(); used < some {
			return fmt.Errorf("%v are counted", used)
		}
		return nil
	})
	if p.Log() != "" {
		t.Error("the child has ended before it was told to: what was counted?")
	}
	if err := os.Remove(working); err != nil {
		t.Fatal(err)
	}
	servers.WaitFor(t, "the child to end", func(context.Context) error {
		if p.Log() == "" {
			return errors.New("it goes on")
		}
		return nil
	})
	// Of a child that has ended the kernel tells whole ticks, of its own time and of
	// the system's for it.
	const ticks = 2 * 10 * time.Millisecond
	if used := p.CPU(); used < some-ticks {
		t.Errorf("once the child has ended, %v are counted", used)
	}
}

// TestAServersMemoryIsThatOfItsChildrenToo, and what it prints may go to a file.
func TestAServersMemoryIsThatOfItsChildrenToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	// A child that holds some, and a parent that does not.
	const held = 20 << 20
	p := servers.Launch(t, servers.Command{
		Program: "sh", Package: "dash", Dir: dir, Output: log,
		Args: []string{"-c", fmt.Sprintf("(x=$(head -c %d /dev/zero | tr '\\0' x); echo begun; kill -STOP $(sh -c 'echo $PPID'); echo $x >/dev/null) & wait", held)},
	})
	servers.WaitFor(t, "the child to hold it", func(context.Context) error {
		if has := p.Proportional(); has < held {
			return fmt.Errorf("%d bytes are counted", has)
		}
		return nil
	})
	servers.WaitFor(t, "the child to say so", func(context.Context) error {
		text, err := os.ReadFile(log.Name())
		if err == nil && string(text) != "begun\n" {
			err = fmt.Errorf("the file has %q", text)
		}
		return err
	})
	if p.Log() != "" || p.Resident() > held || p.PID() == os.Getpid() {
		t.Errorf("log %q, resident %d", p.Log(), p.Resident())
	}
	for _, child := range p.Children() {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
}
