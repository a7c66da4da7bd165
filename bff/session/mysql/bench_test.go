package mysql_test

import (
	"testing"

	"cloakroom/bff/session/storetest"
)

// BenchmarkStore measures against a server that waits for its disk, as in life.
func BenchmarkStore(b *testing.B) {
	_, dsn := start(b, "--innodb-flush-log-at-trx-commit=1").database(b)
	storetest.Bench(b, open(b, dsn))
}
