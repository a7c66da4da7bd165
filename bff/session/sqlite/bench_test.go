package sqlite_test

import (
	"testing"

	"cloakroom/bff/session/sqlite"
	"cloakroom/bff/session/storetest"
)

// BenchmarkStore waits for the disk with every write.
func BenchmarkStore(b *testing.B) { storetest.Bench(b, open(b, sqlite.Config{Path: path(b)})) }
