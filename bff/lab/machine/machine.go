package machine

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
)

// Machine starts processes for a world. Use it from one goroutine at a time.
type Machine struct {
	stage   *servers.Stage
	program string
}

// New makes a machine whose Cloakroom is the given program. What the processes
// printed goes to progress if they fail, unless ctx has ended.
func New(ctx context.Context, program string, progress io.Writer) *Machine {
	return &Machine{servers.NewStage(ctx, progress), program}
}

// Close ends every process, and returns what failed that nobody was told.
func (m *Machine) Close() error {
	if err := m.stage.Clear(); err != nil {
		return fmt.Errorf("machine: %w", err)
	}
	return nil
}

var stores = map[string]struct {
	program, debian string
	start           func(*servers.Stage) strategy.Store
}{
	"redis":    {"redis-server", "redis-server", startRedis},
	"postgres": {"postgres", "postgresql", startPostgres},
}

// Installed returns nil if a store of that kind can be started here, and what to
// install if not.
func Installed(kind string) error {
	store, ok := stores[kind]
	if !ok {
		return fmt.Errorf("machine: there is no store %q, but %v", kind, slices.Sorted(maps.Keys(stores)))
	}
	if !servers.Installed(store.program) {
		return fmt.Errorf("machine: %s is not installed: apt-get install %s", store.program, store.debian)
	}
	return nil
}

// Store starts a session store of a kind.
func (m *Machine) Store(kind string) (started strategy.Store, err error) {
	store, ok := stores[kind]
	if !ok {
		return nil, fmt.Errorf("machine: there is no store %q, but %v", kind, slices.Sorted(maps.Keys(stores)))
	}
	if err := m.stage.Try(func() { started = store.start(m.stage) }); err != nil {
		return nil, fmt.Errorf("machine: start %s: %w", kind, err)
	}
	return started, nil
}
