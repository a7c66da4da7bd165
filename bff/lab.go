package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"cloakroom/bff/lab/live"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/strategy"
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

// notInstalled says which store has to be installed for a strategy; "": none.
func notInstalled(s lab.Strategy) string {
	kind := strategy.StoreOf(s)
	if kind == "" {
		return ""
	}
	if err := machine.Installed(kind); err != nil {
		return "It cannot be tried: " + err.Error() + "."
	}
	return ""
}
