package servers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	counts := func(context.Context) error {
		if used := p.CPU(); used < some {
			return fmt.Errorf("%v are counted", used)
		}
		return nil
	}
	servers.WaitFor(t, "the child's time to be counted", counts)
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
	if err := counts(t.Context()); err != nil {
		t.Errorf("once the child has ended, %v", err)
	}
}
