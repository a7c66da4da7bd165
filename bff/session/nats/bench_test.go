package nats_test

import (
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest"
)

func BenchmarkStore(b *testing.B) {
	b.Run("outside", func(b *testing.B) {
		storetest.Bench(b, open(b, "nats://"+servers.NATS(b).Addr()+"?storage=memory"))
	})
	b.Run("alone", func(b *testing.B) {
		n := startNode(b, nats.Config{MaxBytes: 4 << 30, Cluster: nats.Cluster{Listen: listen(b)}})
		n.waitReady()
		storetest.Bench(b, n.store)
	})
	b.Run("cluster", func(b *testing.B) {
		c := startCluster(b, 3, func(c *nats.Config) { c.MaxBytes = 4 << 30 })
		storetest.Bench(b, c.nodes[0].store)
	})
}
