package mysql_test

import (
	"iter"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/storetest"
)

// TestTheServerCanReadNothing looks for a real session in all the server has:
// tables, indexes and the redo log, and its memory.
func TestTheServerCanReadNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	storetest.RunDump(t, open(t, w.dsn(t)), map[string]storetest.Remains{
		"memory": func(t *testing.T) iter.Seq[[]byte] { return w.Memory(t) },
		"files": func(t *testing.T) iter.Seq[[]byte] {
			w.admin(t, "FLUSH TABLES")
			return servers.Files(t, w.Data)
		},
	})
}
