package sqlite_test

import (
	"iter"
	"path/filepath"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest"
)

// TestTheFilesTellNothing looks for a real session in the file and its log,
// and in the file once the log has gone into it.
func TestTheFilesTellNothing(t *testing.T) {
	t.Parallel()
	file := path(t)
	dir := filepath.Dir(file)
	storetest.RunDump(t, open(t, sqlite.Config{Path: file}), map[string]storetest.Remains{
		"file and log": func(t *testing.T) iter.Seq[[]byte] { return servers.Files(t, dir) },
		"file": func(t *testing.T) iter.Seq[[]byte] {
			if _, err := other(t, file).ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
			return servers.Files(t, file)
		},
	})
}
