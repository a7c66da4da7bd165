package main

import (
	"encoding/json"
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
	Rows     []row       `json:"rows"`
	Measures []measure   `json:"measures"`
	Missing  []missing   `json:"missing"`
	With     []string    `json:"with"` // versions of what else took part
}

type settings struct {
	Rounds      int     `json:"rounds"`
	Seconds     float64 `json:"seconds_a_slice"`
	Connections int     `json:"connections"`
	BodyBytes   int     `json:"body_bytes"`
	TokenBytes  int     `json:"token_bytes_a_session"`
	Small       bool    `json:"small"`
}

// add takes a measure in, whose values join those of an earlier turn.
func (r *report) add(m measure) {
	if i := slices.IndexFunc(r.Measures, func(one measure) bool { return one.ID == m.ID }); i >= 0 {
		r.Measures[i].Values = append(r.Measures[i].Values, m.Values...)
		return
	}
	r.Measures = append(r.Measures, m)
}

// table is the report in Markdown.
func (r *report) table() string {
	var b strings.Builder
	if len(r.Rows) > 0 {
		b.WriteString("| before the API | x, by CPU | CPU µs | requests/s | p50 ms | p99 ms | alone, + µs | RSS MB |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	}
	var versions []string
	for _, row := range r.ordered() {
		median := func(c column) float64 { return spreadOf(row.of(c.of)).median }
		cpu := record.Short(median(columnCPU))
		if store := median(columnStore); store > 0 {
			cpu += " + " + record.Short(store)
		}
		x, added := "1", "0"
		if row.Name != bareName {
			x = spreadOf(row.of(round.x)).text(number3)
			added = record.Short(median(columnAdded))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", row.Label, x, cpu, record.Count(median(columnRate)),
			record.Short(median(columnP50)/1000), record.Short(median(columnP99)/1000), added, record.Count(median(columnRSS)/1e6))
		if !slices.Contains(versions, row.Version) {
			versions = append(versions, row.Version)
		}
	}
	if len(r.Measures) > 0 {
		b.WriteString("\n| what else | median (least to most) |\n|---|--:|\n")
		for _, m := range r.Measures {
			fmt.Fprintf(&b, "| %s | %s %s |\n", m.Label, spreadOf(m.Values).text(unitOf(m.Unit).number), unitOf(m.Unit).name)
		}
	}
	fmt.Fprintf(&b, "\n%s: %d rounds of %g s, %d connections, %s\n", r.Began.Format(time.DateOnly), r.Settings.Rounds, r.Settings.Seconds, r.Settings.Connections, r.Machine)
	versions = append(versions, r.With...)
	switch {
	case len(r.Rows) == 0 && len(versions) > 0:
		fmt.Fprintf(&b, "%s.\n", strings.Join(versions, "; "))
	case len(r.Rows) > 0:
		fmt.Fprintf(&b, "%s; tokens of %s bytes a session.\n", strings.Join(versions, "; "), record.Count(float64(r.Settings.TokenBytes)))
	}
	if r.Settings.Small {
		b.WriteString("Small crowds and short storms: these figures say nothing.\n")
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "Not measured: %s: %s.\n", m.Name, m.Why)
	}
	return b.String()
}

// ordered puts the yardstick before the plain proxies that are its like.
func (r *report) ordered() []row {
	rest := slices.DeleteFunc(slices.Clone(r.Rows), func(one row) bool { return one.Name == bareName })
	at := slices.IndexFunc(rest, func(one row) bool { return strings.HasSuffix(one.Label, plainLabel) })
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, slices.DeleteFunc(slices.Clone(r.Rows), func(one row) bool { return one.Name != bareName })...)
}

// unit is how a measure is written for people.
type unit struct {
	name   string
	number func(float64) string
}

func unitOf(name string) unit {
	switch name {
	case "ratio":
		return unit{"times", number3}
	case "us":
		return unit{"µs", record.Short}
	case "B":
		return unit{"bytes", record.Count}
	case "n":
		return unit{"", record.Count}
	}
	return unit{name, record.Short}
}

func (r *report) json() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}
