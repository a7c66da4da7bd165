package file_test

import (
	"testing"
	"time"
)

// Each with 3.5 KB of data and two keys. Writes wait for the disk: with -cpu 1
// one at a time, else 64 times as many at once, which share an fsync.
func BenchmarkStore(b *testing.B) {
	s := open(b, path(b))
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
	for name, parallelism := range map[string]int{"alone": 1, "many": 64} {
		b.Run("Update/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(parallelism)
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
		b.Run("Create/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(parallelism)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					create(b, s, record(time.Hour))
				}
			})
		})
	}
}
