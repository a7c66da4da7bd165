package main

import (
	"fmt"
	"slices"
	"strings"

	"cloakroom/bff/bench/record"
)

// measure is a figure that was taken several times.
type measure struct {
	ID     string    `json:"id"` // as a Go benchmark is called: Start, Client/cold
	Label  string    `json:"label"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
}

// spread is a median with the least and the most.
type spread struct{ median, min, max float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (middle + sorted[len(sorted)/2-1]) / 2
	}
	return spread{middle, sorted[0], sorted[len(sorted)-1]}
}

func (s spread) text(number func(float64) string) string {
	middle, least, most := number(s.median), number(s.min), number(s.max)
	if least == middle && most == middle {
		return middle
	}
	return fmt.Sprintf("%s (%s to %s)", middle, least, most)
}

// of takes a figure out of every round.
func (r row) of(f func(round) float64) []float64 {
	values := make([]float64, len(r.Rounds))
	for i, one := range r.Rounds {
		values[i] = f(one)
	}
	return values
}

// column is a figure of a row.
type column struct {
	unit string
	of   func(round) float64
}

var (
	columnX     = column{"x", round.x}
	columnCPU   = column{"cpu-us/op", func(r round) float64 { return r.CPU }}
	columnStore = column{"store-us/op", func(r round) float64 { return r.StoreCPU }}
	columnRate  = column{"req/s", func(r round) float64 { return r.PerSecond }}
	columnP50   = column{"p50-us", func(r round) float64 { return r.P50 }}
	columnP99   = column{"p99-us", func(r round) float64 { return r.P99 }}
	columnAdded = column{"added-us", round.added}
	columnRSS   = column{"rss-B", func(r round) float64 { return r.RSS }}

	columns = []column{columnX, columnCPU, columnStore, columnRate, columnP50, columnP99, columnAdded, columnRSS}
)

// benchmarks is the report in the format of Go's benchmarks, which benchstat
// compares: https://go.dev/design/14313-benchmark-format
func (r *report) benchmarks() string {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: linux\ncpu: %s\npkg: cloakroom/bff/bench\n", r.Machine.CPU)
	for _, row := range r.Rows {
		for _, one := range row.Rounds {
			fmt.Fprintf(&b, "BenchmarkCall/%s %d", row.Name, one.Calls)
			for _, c := range columns {
				fmt.Fprintf(&b, " %.5g %s", c.of(one), c.unit)
			}
			b.WriteByte('\n')
		}
	}
	for _, m := range r.Measures {
		for _, value := range m.Values {
			fmt.Fprintf(&b, "Benchmark%s 1 %.6g %s\n", m.ID, value, m.Unit)
		}
	}
	return b.String()
}

// number3 is a value with as many digits as it is worth.
func number3(f float64) string {
	if f > -10 && f < 10 {
		return fmt.Sprintf("%.2f", f)
	}
	return record.Count(f)
}
