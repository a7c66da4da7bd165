package storetest

import (
	"testing"

	"cloakroom/bff/session"
)

// Bench measures what s does, with one caller and with eight for each CPU. It
// is for who changes a store: what stores cost, servers included, is told by
// storebench.
func Bench(b *testing.B, s session.Store) {
	crowd, err := NewCrowd()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		operation func(r *session.Record) error
	}{
		{"Get", func(r *session.Record) error { _, err := s.Get(b.Context(), r.ID); return err }},
		{"Update", func(r *session.Record) (err error) { r.Version, err = s.Update(b.Context(), *r); return err }},
		{"Create", func(*session.Record) error { _, err := s.Create(b.Context(), crowd.Record()); return err }},
	} {
		b.Run(c.name+"/one", func(b *testing.B) {
			r := benchRecord(b, s, crowd)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.operation(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/many", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				r := benchRecord(b, s, crowd)
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

// benchRecord creates a record for one caller alone, so that nobody's update
// is in another's way.
func benchRecord(b *testing.B, s session.Store, crowd *Crowd) session.Record {
	r := crowd.Record()
	var err error
	if r.Version, err = s.Create(b.Context(), r); err != nil {
		b.Error(err)
	}
	return r
}
