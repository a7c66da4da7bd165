package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/bench/record"
)

// report is what was measured, and on what.
type report struct {
	Began    time.Time   `json:"began"`
	Machine  record.Host `json:"machine"`
	Settings settings    `json:"settings"`
	Stores   []row       `json:"stores"`
}

type settings struct {
	Sessions    int     `json:"sessions"`
	WorkingSet  int     `json:"working_set"`
	Callers     int     `json:"callers"`
	Seconds     float64 `json:"seconds"`
	FillSeconds float64 `json:"fill_seconds_at_most"`
}

type row struct {
	Name    string  `json:"name"`
	Label   string  `json:"label"`
	Version string  `json:"version"`
	Get     figures `json:"get"`
	Update  figures `json:"update"`
	Create  figures `json:"create"`
	// Sessions is how many there were when their bytes were counted.
	Sessions        int     `json:"sessions"`
	BytesPerSession float64 `json:"bytes_per_session"`
}

// figures are of one operation; processor times are per call.
type figures struct {
	Calls     int     `json:"calls"`
	PerSecond float64 `json:"per_second"`
	CPUOurs   float64 `json:"cpu_ours_us"`
	CPUServer float64 `json:"cpu_server_us"`
	P99       float64 `json:"p99_us"`
}

// table is the report in Markdown.
func (r *report) table() string {
	var b strings.Builder
	b.WriteString("| store | Get /s | CPU µs | p99 ms | Update /s | CPU µs | p99 ms | Create /s | CPU µs | p99 ms | bytes |\n")
	b.WriteString("|---|" + strings.Repeat("--:|", 10) + "\n")
	var versions []string
	for _, row := range r.Stores {
		fmt.Fprintf(&b, "| %s |", row.Label)
		for _, f := range []figures{row.Get, row.Update, row.Create} {
			fmt.Fprintf(&b, " %s | %s + %s | %s |", record.Count(f.PerSecond), record.Short(f.CPUOurs), record.Short(f.CPUServer), record.Short(f.P99/1000))
		}
		fmt.Fprintf(&b, " %s", record.Count(row.BytesPerSession))
		if row.Sessions != r.Settings.Sessions {
			fmt.Fprintf(&b, " (at %s)", record.Count(float64(row.Sessions)))
		}
		b.WriteString(" |\n")
		if !slices.Contains(versions, row.Version) && !strings.HasPrefix(row.Version, "go") {
			versions = append(versions, row.Version)
		}
	}
	fmt.Fprintf(&b, "\n%s: %s sessions, %d callers at once, %s\n%s.\n",
		r.Began.Format(time.DateOnly), record.Count(float64(r.Settings.Sessions)), r.Settings.Callers, r.Machine, strings.Join(versions, ", "))
	return b.String()
}
