package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"cloakroom/shared/lab"
)

//go:embed topologies.html
var topologiesHTML string

//go:embed topologies.css
var topologiesStyle string

// playSymbols go with the words: nothing is told by its colour alone.
var playSymbols = map[string]string{
	"unharmed": "✓", "away": "~", "refused": "✗", "lost": "✗", "wrong": "!", "not-applicable": "–", "inconclusive": "?",
}

var topologiesPage = template.Must(template.New("topologies").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(style + topologiesStyle) },
	"class":   class,
	"symbol":  func(p lab.Played) string { return playSymbols[class(p)] },
	"outcome": outcome, "facts": playFacts, "costs": costFacts, "round": round, "front": front, "plot": plotOf,
	"width": func(percent float64) string { return fmt.Sprintf("%.1f", max(percent, 0.5)) },
}).Parse(topologiesHTML))

// plot is the requests of a play over time, one area for each outcome, stacked.
type plot struct {
	Areas  []area
	Begins float64 // where the event is, of plotWidth
	Ends   float64 // where it was mended; 0: it was not
	Long   string  // how long the whole is
	Most   string  // how many requests a second its full height is
	Says   string  // it all, for who cannot see it
}

type area struct{ Class, Path string }

const plotWidth, plotHeight, plotBins = 600, 100, 150

// plotOf draws a timeline; nil: there is none.
func plotOf(p lab.Played) *plot {
	if len(p.Timeline) == 0 || p.Tick <= 0 {
		return nil
	}
	each := (len(p.Timeline) + plotBins - 1) / plotBins // ticks of a bin
	var bins []lab.Outcomes
	for n, o := range p.Timeline {
		if n%each == 0 {
			bins = append(bins, lab.Outcomes{})
		}
		b := &bins[len(bins)-1]
		b.Served, b.Refused, b.Declared, b.Failed = b.Served+o.Served, b.Refused+o.Refused, b.Declared+o.Declared, b.Failed+o.Failed
	}
	most := 1
	for _, b := range bins {
		most = max(most, b.All())
	}
	x := func(n int) float64 { return float64(n) * plotWidth / float64(len(bins)) }
	y := func(n int) float64 { return plotHeight - float64(n)*plotHeight/float64(most) }
	made := &plot{
		Begins: float64(p.Begins) * plotWidth / float64(len(p.Timeline)), Ends: float64(p.Ends) * plotWidth / float64(len(p.Timeline)),
		Long: inTime(float64(len(p.Timeline)) * p.Tick.Seconds() * 1000),
		Most: fmt.Sprintf("%.0f/s", float64(most)/(float64(each)*p.Tick.Seconds())),
		Says: fmt.Sprintf("Requests over time: %s", strings.Join(playFacts(p), "; ")),
	}
	below := make([]int, len(bins))
	for _, kind := range []struct {
		class string
		of    func(lab.Outcomes) int
	}{
		{"served", func(o lab.Outcomes) int { return o.Served }}, {"refused", func(o lab.Outcomes) int { return o.Refused }},
		{"declared", func(o lab.Outcomes) int { return o.Declared }}, {"failed", func(o lab.Outcomes) int { return o.Failed }},
	} {
		if path := stack(bins, below, kind.of, x, y); path != "" {
			made.Areas = append(made.Areas, area{kind.class, path})
		}
	}
	return made
}

// stack is the path of one outcome on top of what is below, which it adds itself
// to; empty: there is none.
func stack(bins []lab.Outcomes, below []int, of func(lab.Outcomes) int, x func(int) float64, y func(int) float64) string {
	var path strings.Builder
	for n := 0; n < len(bins); n++ {
		if of(bins[n]) == 0 {
			continue
		}
		// A run of bins that have some: along its top, and back along its bottom.
		last := n
		for last+1 < len(bins) && of(bins[last+1]) > 0 {
			last++
		}
		fmt.Fprintf(&path, "M%.1f,%.1f", x(n), y(below[n]))
		for i := n; i <= last; i++ {
			fmt.Fprintf(&path, "V%.1fH%.1f", y(below[i]+of(bins[i])), x(i+1))
		}
		for i := last; i >= n; i-- {
			fmt.Fprintf(&path, "V%.1fH%.1f", y(below[i]), x(i))
		}
		path.WriteString("Z")
		n = last
	}
	for n := range bins {
		below[n] += of(bins[n])
	}
	return path.String()
}
