package sqlite_test

import (
	"path/filepath"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest"
)

// TestNothingIsLostWhenTheProcessIsKilled under load, in the middle of its
// writes.
func TestNothingIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	dir := servers.Dir(t, nil)
	i := storetest.StartInstance(t, dir)
	i.WaitReady()
	storetest.RunChaos(t, storetest.Chaos{Stores: storetest.One(i), Hurt: storetest.KillAndRestart(i)})
	i.Kill()
	var verdict string
	if err := other(t, fileIn(dir)).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the file is %q, %v", verdict, err)
	}
}

// TestMain makes this test's program the process that is killed.
func TestMain(m *testing.M) {
	storetest.Main(m, func(dir string) (storetest.Served, error) {
		return sqlite.New(sqlite.Config{Path: fileIn(dir)})
	}, nil)
}

func fileIn(dir string) string { return filepath.Join(dir, "sessions.db") }
