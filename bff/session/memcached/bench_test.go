package memcached_test

import (
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/storetest"
)

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, open(b, url(servers.Memcached(b, "-m", "512"))))
}
