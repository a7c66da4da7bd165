package memory_test

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/storetest"
)

func BenchmarkStore(b *testing.B) {
	s, err := memory.New(memory.Config{})
	if err != nil {
		b.Fatal(err)
	}
	storetest.Bench(b, s)
}

// BenchmarkMany keeps b.N sessions: -benchtime 1000000x for a million, which take
// 4 GB. It tells what the process grew by for each, above its data and above its
// tokens, what a cycle of the collector costs in CPU, and what is still held once
// all have gone.
func BenchmarkMany(b *testing.B) {
	crowd, err := storetest.NewCrowd()
	if err != nil {
		b.Fatal(err)
	}
	s, err := memory.New(memory.Config{MaxBytes: 64 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var data, n int
	before := resident(b)
	ids := make([][32]byte, 0, 1024)
	for b.Loop() {
		r := crowd.Record()
		if _, err := s.Create(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		data += len(r.Data)
		if n++; len(ids) < cap(ids) {
			ids = append(ids, r.ID)
		}
	}
	grown := resident(b) - before
	b.ReportMetric(float64(grown)/float64(n), "B/session")
	b.ReportMetric(float64(grown-data)/float64(n), "B/session-above-data")
	b.ReportMetric(float64(grown)/float64(n)-storetest.CrowdTokens, "B/session-above-tokens")
	start := collecting()
	for range 5 {
		runtime.GC()
	}
	b.ReportMetric((collecting()-start)/5*1e3, "ms-GC-CPU/cycle")
	for _, id := range ids {
		if _, err := s.Get(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad is what a Manager takes for a session: of anybody, when nothing of
// it is known that was opened within the last minute, and of one that asks again.
func BenchmarkLoad(b *testing.B) {
	store, err := memory.New(memory.Config{})
	if err != nil {
		b.Fatal(err)
	}
	sessions, err := session.New(store, session.Config{
		Keys: session.EphemeralKeyRing(), Lifetimes: session.Lifetimes{Idle: 12 * time.Hour, Absolute: 12 * time.Hour},
	})
	if err != nil {
		b.Fatal(err)
	}
	tickets := make([]session.Ticket, 50_000)
	for i := range tickets {
		if tickets[i], err = sessions.Create(b.Context(), storetest.Someone(i)); err != nil {
			b.Fatal(err)
		}
	}
	for name, among := range map[string][]session.Ticket{"of anybody": tickets, "again": tickets[:1]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if _, err := sessions.Load(b.Context(), among[n%len(among)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// resident is the process's memory in bytes, after a collection.
func resident(b *testing.B) int {
	runtime.GC()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here")
	}
	var held runtime.MemStats
	runtime.ReadMemStats(&held)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	// What the collector has set free and not yet given back is nobody's.
	return pages*os.Getpagesize() - int(held.HeapIdle-held.HeapReleased)
}

// collecting is the CPU that the collector has used, in seconds.
func collecting() float64 {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64() - sample[1].Value.Float64()
}
