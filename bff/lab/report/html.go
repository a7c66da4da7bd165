package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"cloakroom/shared/lab"
)

//go:embed report.html
var page string

//go:embed report.css
var style string

// symbols go with the words: no verdict is told by its colour alone.
var symbols = map[lab.Verdict]string{lab.Broken: "✗", lab.Held: "✓", lab.NotApplicable: "–", lab.Inconclusive: "?"}

var htmlPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(style) },
	"symbol":  func(v lab.Verdict) string { return symbols[v] },
	"finding": finding, "facts": facts, "round": round,
	"known": func(m lab.Measure) bool { return m.Finding+m.Missing+m.Failed != "" },
	"width": func(percent float64) string { return fmt.Sprintf("%.1f", max(percent, 0.5)) },
}).Parse(page))

func writeHTML(w io.Writer, r lab.Report) error { return htmlPage.Execute(w, see(r)) }

// round is a duration as one says it.
func round(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
