package redis_test

import (
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/storetest"
)

func BenchmarkStore(b *testing.B) { storetest.Bench(b, open(b, "redis://"+servers.Redis(b).Addr())) }
