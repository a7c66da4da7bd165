package memcached_test

import (
	"testing"
	"time"

	"cloakroom/bff/session/storetest/servers"
)

// Each with 3.5 KB of data and two keys, as many calls at once as go test -cpu
// says.
func BenchmarkStore(b *testing.B) {
	server := servers.Memcached(b, "-m", "512")
	s := open(b, url(server))
	b.Run("Get", func(b *testing.B) {
		r := record(time.Hour)
		create(b, s, r)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Get(b.Context(), r.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("Update", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			r := record(time.Hour)
			r.Version = create(b, s, r)
			for pb.Next() {
				var err error
				if r.Version, err = s.Update(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("Create", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				create(b, s, record(time.Hour))
			}
		})
	})
}
