package mongodb_test

import (
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/storetest"
)

// BenchmarkStore measures FerretDB, which is not MongoDB.
func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, open(b, "mongodb://"+servers.FerretDB(b, nil).Addr()+"/bench"))
}
