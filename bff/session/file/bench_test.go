package file_test

import (
	"testing"

	"cloakroom/bff/session/storetest"
)

// BenchmarkStore waits for the disk with every write; many at once share an
// fsync.
func BenchmarkStore(b *testing.B) { storetest.Bench(b, open(b, path(b))) }
