package postgres_test

import (
	"testing"

	"cloakroom/bff/session/storetest"
)

// BenchmarkStore measures against a server that waits for its disk, as in life.
func BenchmarkStore(b *testing.B) { storetest.Bench(b, open(b, start(b, "fsync=on").schema(b))) }
