package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is what was measured, and on what.
type report struct {
	Began    time.Time `json:"began"`
	Machine  host      `json:"machine"`
	Settings settings  `json:"settings"`
	Stores   []row     `json:"stores"`
}

type host struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	System string `json:"system"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	// Load is the load average over the minute before: what else ran.
	Load string `json:"load_average_before"`
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
			fmt.Fprintf(&b, " %s | %s + %s | %s |", count(f.PerSecond), short(f.CPUOurs), short(f.CPUServer), short(f.P99/1000))
		}
		fmt.Fprintf(&b, " %s", count(row.BytesPerSession))
		if row.Sessions != r.Settings.Sessions {
			fmt.Fprintf(&b, " (at %s)", count(float64(row.Sessions)))
		}
		b.WriteString(" |\n")
		if !slices.Contains(versions, row.Version) && !strings.HasPrefix(row.Version, "go") {
			versions = append(versions, row.Version)
		}
	}
	m := r.Machine
	fmt.Fprintf(&b, "\n%s: %s sessions, %d callers at once, on %d cores (%s) of a %s machine, Linux %s, %s;\nload average before it began: %s.\n%s.\n",
		r.Began.Format(time.DateOnly), count(float64(r.Settings.Sessions)), r.Settings.Callers,
		m.Cores, m.CPU, m.System, m.Kernel, strings.Replace(m.Go, "go", "Go ", 1), m.Load, strings.Join(versions, ", "))
	return b.String()
}

// count rounds to three digits and groups them.
func count(f float64) string {
	digits := strconv.FormatFloat(f, 'f', 0, 64)
	if keep := len(digits) - 3; keep > 0 {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'e', 2, 64), 64)
		digits = strconv.FormatFloat(f, 'f', 0, 64)
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// short has two digits, or what count gives.
func short(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 0.1:
		return strconv.FormatFloat(f, 'f', 3, 64)
	case f < 1:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return count(f)
}

// The marks between which the README has the table.
const begin, end = "<!-- bench-stores -->\n", "<!-- /bench-stores -->"

// insert puts table between the marks of text.
func insert(text, table string) (string, error) {
	before, rest, begun := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return "", errors.New("it has no place for the table: " + strings.TrimSpace(begin) + " and " + end + ", each on a line of its own")
	}
	return before + begin + table + end + after, nil
}

// machine tells what this runs on.
func machine() host {
	field := func(file, name string) string {
		text, _ := os.ReadFile(file) // a line of the table less
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				return strings.Trim(strings.TrimSpace(rest), `:=" `+"\t")
			}
		}
		return "unknown"
	}
	load, _, _ := strings.Cut(field("/proc/loadavg", ""), " ")
	return host{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), System: field("/etc/os-release", "PRETTY_NAME"),
		Kernel: field("/proc/sys/kernel/osrelease", ""), Go: runtime.Version(), Load: load,
	}
}
