package postgres_test

import (
	"iter"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/storetest"
)

// TestTheServerCanReadNothing looks for a real session in all the server has:
// tables, indexes and the write-ahead log, and the memory of its processes.
func TestTheServerCanReadNothing(t *testing.T) {
	t.Parallel()
	w := start(t, "shared_buffers=4MB") // which every process shows again
	storetest.RunDump(t, open(t, w.schema(t)), map[string]storetest.Remains{
		"memory": func(t *testing.T) iter.Seq[[]byte] { return w.Memory(t) },
		"files": func(t *testing.T) iter.Seq[[]byte] {
			w.admin(t, "CHECKPOINT")
			return servers.Files(t, w.Data)
		},
	})
}
