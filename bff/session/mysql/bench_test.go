package mysql_test

import (
	"testing"

	"cloakroom/bff/session"
)

// BenchmarkStore measures against a server on this machine that waits for its
// disk, as in life: one caller, and as many as there are CPUs times eight.
func BenchmarkStore(b *testing.B) {
	w := start(b, "--innodb-flush-log-at-trx-commit=1")
	_, dsn := w.database(b)
	s := open(b, dsn)
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
