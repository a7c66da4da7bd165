package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"cloakroom/bff/lab/live"
	"cloakroom/bff/lab/machine"
	"cloakroom/shared/lab"
)

// openLab starts the live lab beside the demo. What its worlds need, this very
// program and stores, it starts at the first run that needs it.
func openLab(ctx context.Context, log *slog.Logger, stderr io.Writer) (opened *live.Lab, end func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	needs := machine.New(ctx, program, stderr)
	opened, err = live.Open(live.Config{Cloakroom: needs.Cloakroom, Store: needs.Store, Missing: notInstalled, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, needs.Close())
	}
	return opened, func() error { return errors.Join(opened.Close(), needs.Close()) }, nil
}

// notInstalled names the package of a store that is not on this machine.
func notInstalled(s lab.Strategy) string {
	needed, ok := map[string]struct{ program, debian string }{
		"bff-redis": {"redis-server", "redis-server"}, "bff-sql": {"/usr/lib/postgresql/*/bin/postgres", "postgresql"},
	}[s.ID]
	if !ok {
		return ""
	}
	if _, err := exec.LookPath(needed.program); err == nil {
		return ""
	}
	if found, _ := filepath.Glob(needed.program); len(found) > 0 {
		return ""
	}
	return "This needs a store that is not installed: apt-get install " + needed.debian + "."
}
