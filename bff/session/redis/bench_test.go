package redis_test

import (
	"testing"

	"cloakroom/bff/session/storetest"
	"cloakroom/bff/session/storetest/servers"
)

func BenchmarkStore(b *testing.B) { storetest.Bench(b, open(b, "redis://"+servers.Redis(b).Addr())) }
