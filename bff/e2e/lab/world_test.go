package lab_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"cloakroom/bff/lab/chromium"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// openLab opens a world of the lab with a real Cloakroom in front where one
// belongs, a process of its own. The lab knows nothing of it but its address.
func openLab(t *testing.T, cfg strategy.Config) *strategy.World {
	t.Helper()
	m := newMachine(t)
	cfg.Cloakroom, cfg.Store = m.Cloakroom, m.Store
	return openWorld(t, cfg)
}

func newMachine(t *testing.T) *machine.Machine {
	t.Helper()
	m := machine.New(t.Context(), servers.Build(t, "../..", "./bff", "cloakroom"), os.Stderr)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("end what the lab started: %v", err)
		}
	})
	return m
}

func openWorld(t *testing.T, cfg strategy.Config) *strategy.World {
	t.Helper()
	w, err := strategy.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return w
}

// newVictim starts the browser that the lab's payloads run in.
func newVictim(t *testing.T) *chromium.Browser {
	t.Helper()
	b, err := chromium.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the browser: %v", err)
		}
	})
	return b
}

// settled waits until the page has found out whether somebody is signed in, and
// returns what it says.
func settled(t *testing.T, b *chromium.Browser) (state string) {
	t.Helper()
	servers.WaitFor(t, "the page to know who is there", func(ctx context.Context) error {
		err := b.Run(ctx, `document.documentElement.dataset.state ?? "unknown"`, &state)
		if err == nil && state == "unknown" {
			err = errors.New("it does not yet")
		}
		return err
	})
	return state
}

// pick finds strategies and attacks by ID.
func pick[T any](t *testing.T, find func(string) (T, bool), ids ...string) []T {
	t.Helper()
	var list []T
	for _, id := range ids {
		one, ok := find(id)
		if !ok {
			t.Fatalf("there is no %q", id)
		}
		list = append(list, one)
	}
	return list
}

// cell finds one cell of a report.
func cell(t *testing.T, r lab.Report, strategy, attack string) lab.Cell {
	t.Helper()
	for _, c := range r.Cells {
		if c.Strategy == strategy && c.Attack == attack {
			return c
		}
	}
	t.Fatalf("there is no cell %s, %s", strategy, attack)
	return lab.Cell{}
}
