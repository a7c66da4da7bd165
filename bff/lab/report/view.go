package report

import (
	"encoding/json"
	"fmt"
	"io"

	"cloakroom/shared/lab"
)

// Formats are the forms of a report.
func Formats() []string { return []string{"json", "md", "html"} }

// Write writes a report in one of Formats.
func Write(w io.Writer, format string, r lab.Report) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case "md":
		return writeMarkdown(w, r)
	case "html":
		return writeHTML(w, r)
	}
	return fmt.Errorf("report: there is no format %q", format)
}

// view is a report by rows and columns, with those columns only that it has.
type view struct {
	Report     lab.Report
	Attacks    []lab.Attack
	Properties []lab.Property
	Rows       []row
	Advice     []string
	Charts     []chart
}

// row is one strategy. A cell or a measure that the report does not have is
// without a verdict or a finding.
type row struct {
	Strategy lab.Strategy
	Cells    []lab.Cell
	Measures []lab.Measure
}

// Broken counts the attacks that succeeded.
func (r row) Broken() (n int) {
	for _, c := range r.Cells {
		if c.Verdict == lab.Broken {
			n++
		}
	}
	return n
}

// chart is a property in numbers.
type chart struct {
	Property lab.Property
	Bars     []bar
}

// bar is a number, and how long it is in percent of the longest.
type bar struct {
	Strategy lab.Strategy
	Finding  string
	Percent  float64
}

// see arranges a report. What the catalogue does not know is shown all the same,
// after what it does.
func see(r lab.Report) view {
	v := view{Report: r}
	cells, measures := map[[2]string]lab.Cell{}, map[[2]string]lab.Measure{}
	var strategies, attacks, properties []string
	for _, c := range r.Cells {
		cells[[2]string{c.Strategy, c.Attack}] = c
		strategies, attacks = add(strategies, c.Strategy), add(attacks, c.Attack)
	}
	for _, m := range r.Measures {
		measures[[2]string{m.Strategy, m.Property}] = m
		strategies, properties = add(strategies, m.Strategy), add(properties, m.Property)
	}
	for _, id := range attacks {
		a, ok := lab.FindAttack(id)
		if !ok {
			a = lab.Attack{ID: id, Name: id}
		}
		v.Attacks = append(v.Attacks, a)
	}
	for _, id := range properties {
		p, ok := lab.FindProperty(id)
		if !ok {
			p = lab.Property{ID: id, Name: id}
		}
		v.Properties = append(v.Properties, p)
	}
	for _, id := range strategies {
		s, ok := lab.FindStrategy(id)
		if !ok {
			s = lab.Strategy{ID: id, Name: id}
		}
		one := row{Strategy: s}
		for _, a := range attacks {
			c, ok := cells[[2]string{id, a}]
			if !ok {
				c = lab.Cell{Strategy: id, Attack: a}
			}
			one.Cells = append(one.Cells, c)
		}
		for _, p := range properties {
			m, ok := measures[[2]string{id, p}]
			if !ok {
				m = lab.Measure{Strategy: id, Property: p}
			}
			one.Measures = append(one.Measures, m)
		}
		v.Rows = append(v.Rows, one)
	}
	v.Charts, v.Advice = charts(v), advise(v)
	return v
}

func charts(v view) []chart {
	var list []chart
	for i, p := range v.Properties {
		if p.Unit == "" {
			continue
		}
		c, most := chart{Property: p}, 0.0
		for _, r := range v.Rows {
			if n := r.Measures[i].Number; n != nil {
				most = max(most, *n)
			}
		}
		for _, r := range v.Rows {
			m := r.Measures[i]
			if m.Number == nil {
				continue
			}
			b := bar{Strategy: r.Strategy, Finding: m.Finding}
			if most > 0 {
				b.Percent = max(0, *m.Number) / most * 100
			}
			c.Bars = append(c.Bars, b)
		}
		if len(c.Bars) > 0 {
			list = append(list, c)
		}
	}
	return list
}
