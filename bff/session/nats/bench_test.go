package nats_test

import (
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest/servers"
)

// Benchmark measures one call at a time, of 3.5 KB of data.
func Benchmark(b *testing.B) {
	b.Run("outside", func(b *testing.B) {
		operations(b, open(b, "nats://"+servers.NATS(b).Addr()+"?storage=memory"))
	})
	b.Run("alone", func(b *testing.B) {
		n := startNode(b, nats.Config{MaxBytes: 4 << 30, Cluster: nats.Cluster{Listen: listen(b)}})
		n.waitReady()
		operations(b, n.store)
	})
	b.Run("cluster", func(b *testing.B) {
		c := startCluster(b, 3, func(c *nats.Config) { c.MaxBytes = 4 << 30 })
		operations(b, c.nodes[0].store)
	})
}

func operations(b *testing.B, s session.Store) {
	r := record(time.Hour)
	r.Version = create(b, s, r)
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Get(b.Context(), r.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Update", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if r.Version, err = s.Update(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			create(b, s, record(time.Hour))
		}
	})
}
