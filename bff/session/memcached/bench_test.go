package memcached_test

import (
	"testing"

	"cloakroom/bff/session/storetest"
	"cloakroom/bff/session/storetest/servers"
)

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, open(b, url(servers.Memcached(b, "-m", "512"))))
}
