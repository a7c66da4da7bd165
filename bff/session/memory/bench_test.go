package memory_test

import (
	"testing"

	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/storetest"
)

func BenchmarkStore(b *testing.B) {
	s, err := memory.New(memory.Config{})
	if err != nil {
		b.Fatal(err)
	}
	storetest.Bench(b, s)
}
