package sqlite_test

import (
	"testing"

	"cloakroom/bff/session"
	"cloakroom/bff/session/sqlite"
)

// BenchmarkStore measures with one caller, and with as many as there are CPUs
// times eight; every write waits for the disk.
func BenchmarkStore(b *testing.B) {
	s := open(b, sqlite.Config{Path: path(b)})
	for _, c := range []struct {
		name      string
		operation func(r *session.Record) error
	}{
		{"Get", func(r *session.Record) error { _, err := s.Get(b.Context(), r.ID); return err }},
		{"Update", func(r *session.Record) (err error) { r.Version, err = s.Update(b.Context(), *r); return err }},
		{"Create", func(*session.Record) error { _, err := s.Create(b.Context(), record()); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := create(b, s, record())
			b.ReportAllocs()
			for b.Loop() {
				if err := c.operation(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				r := create(b, s, record())
				for p.Next() {
					if err := c.operation(&r); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
