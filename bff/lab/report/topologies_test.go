package report_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/lab/report"
	"cloakroom/shared/lab"
)

// sampleTopologies has one play of each kind, and text that is markup in every
// form.
func sampleTopologies() lab.TopologyReport {
	n, rate, late := 3159.0, 0.875, 3448.0
	none := 0.0
	timeline := []lab.Outcomes{{Served: 30}, {Served: 20, Refused: 10}, {Declared: 30}, {Failed: 5}, {}, {Served: 30}}
	return lab.TopologyReport{
		Made:      lab.Made{At: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), Took: 8 * time.Minute, Cloakroom: "v1", Machine: "a machine"},
		Instances: 3, Balancer: "haproxy", TLS: true, Visitors: 24,
		Topologies: []lab.Costs{
			{Topology: "memory-1", Instances: 1, SessionBytes: &n, SessionFrom: "what it says", Logout: &lab.Spread{P50: 1.3, P99: 11.6, N: 5}},
			{Topology: "redis-n-round-robin", Instances: 3, Notes: []string{"a note"}},
			{Topology: "document-n", Missing: "no FerretDB"},
		},
		Played: []lab.Played{
			{Topology: "memory-1", Event: lab.Steady, Sessions: 24, Requests: lab.Outcomes{Served: 900}, Recovery: &none, Times: lab.Spread{P50: .6, P99: 8.6, N: 900}, Steps: []string{}, Timeline: timeline, Tick: 100 * time.Millisecond},
			{Topology: "memory-1", Event: lab.KillApp, Sessions: 24, Lost: 24, Requests: lab.Outcomes{Refused: 300, Declared: 700}, Recovery: &late, Steps: []string{"killed <script>alert(1)</script> | and `more`"}, Timeline: timeline, Tick: 100 * time.Millisecond, Begins: 2, Ends: 4},
			{Topology: "memory-1", Event: lab.RotateKeys, Sessions: 24, Requests: lab.Outcomes{Served: 2, Refused: 1}, Recovery: &none, Steps: []string{}},
			{Topology: "redis-n-round-robin", Event: lab.Steady, Failed: "no port", Steps: []string{}},
			{Topology: "redis-n-round-robin", Event: lab.KillApp, Sessions: 24, Requests: lab.Outcomes{Served: 99}, Recovery: &none, RoundTrips: &none, HitRate: &rate, Steps: []string{}},
			{Topology: "redis-n-round-robin", Event: lab.KillStore, Sessions: 24, Requests: lab.Outcomes{Served: 99, Declared: 1}, Recovery: &late, Steps: []string{}},
			{Topology: "redis-n-round-robin", Event: lab.FlushStore, Sessions: 24, Requests: lab.Outcomes{Served: 1}, Steps: []string{}, Wrongs: []lab.Wrong{{Rule: lab.NotBack, Saw: "a ghost", Times: 7}}},
			{Topology: "redis-n-round-robin", Event: lab.CutStore, Sessions: 24, Lost: 2, Requests: lab.Outcomes{Served: 1}, Steps: []string{}, Wrongs: []lab.Wrong{{Rule: lab.NotAnother, Saw: "it", Times: 1}}},
			{Topology: "redis-n-round-robin", Event: lab.AddApp, Missing: "the file names them", Steps: []string{}},
		},
	}
}

func writeTopologies(t *testing.T, format string, r lab.TopologyReport) string {
	t.Helper()
	var text strings.Builder
	if err := report.WriteTopologies(&text, format, r); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestEveryFormHasEveryPlayAndWhatItRestsOn(t *testing.T) {
	for _, format := range report.Formats() {
		text := writeTopologies(t, format, sampleTopologies())
		for _, want := range []string{"memory-1", "redis-n-round-robin", "haproxy", "killed ", "a ghost", "no port", "the file names them", "a note", "no FerretDB", "3159", "what it says"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing", format, want)
			}
		}
		if format == "json" {
			continue
		}
		if strings.Contains(text, "<script>alert") {
			t.Errorf("%s: text became markup", format)
		}
		for _, want := range []string{"24 of 24 lost", "33 % refused", "away 3.4 s", "unharmed", "87.5 %", "signed-out", "2 of 24 lost, another-user"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing", format, want)
			}
		}
	}
	var back lab.TopologyReport
	if err := json.Unmarshal([]byte(writeTopologies(t, "json", sampleTopologies())), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleTopologies(), back); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := report.WriteTopologies(io.Discard, "pdf", sampleTopologies()); err == nil {
		t.Error("a form nobody knows is written")
	}
}

// What a report says about a choice turns with its results.
func TestWhatIsSaidOfTopologiesIsReadOffTheResults(t *testing.T) {
	said := func(change func(*lab.TopologyReport)) string {
		r := sampleTopologies()
		change(&r)
		_, advice, _ := strings.Cut(writeTopologies(t, "md", r), "## How to choose")
		advice, _, _ = strings.Cut(advice, "\n## ")
		return advice
	}
	for _, row := range []struct {
		name       string
		change     func(*lab.TopologyReport)
		want, wont string
	}{
		{"as it is", func(*lab.TopologyReport) {}, "When an app server dies sessions were lost with memory-1 (24 of 24).", "When an app server dies sessions were lost with redis"},
		{"the other way round", func(r *lab.TopologyReport) { r.Played[1].Lost, r.Played[4].Lost = 0, 8 }, "sessions were lost with redis-n-round-robin (8 of 24).", "sessions were lost with memory-1"},
		{"a store that came back", func(*lab.TopologyReport) {}, "no session was lost, but requests had to come again, with redis-n-round-robin.", "an undeclared"},
		{"a ghost", func(*lab.TopologyReport) {}, "A session that had signed out was served all the same with redis-n-round-robin.", "an undeclared"},
		{"no ghost", func(r *lab.TopologyReport) { r.Played[6].Wrongs = nil }, "", "signed out was served"},
	} {
		if got := said(row.change); !strings.Contains(got, row.want) || strings.Contains(got, row.wont) {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

// The areas of a plot are as large as what they stand for.
func TestAPlotShowsWhatWasSeen(t *testing.T) {
	text := writeTopologies(t, "html", sampleTopologies())
	_, article, _ := strings.Cut(text, `id="memory-1.kill-app"`)
	article, _, _ = strings.Cut(article, "</article>")
	for _, want := range []string{
		`<path class="served" d="M0.0,100.0V0.0H100.0V33.3H200.0V100.0H100.0V100.0H0.0ZM500.0,100.0V0.0H600.0V100.0H500.0Z"/>`,
		`<path class="refused" d="M100.0,33.3V0.0H200.0V33.3H100.0Z"/>`,
		`<path class="declared" d="M200.0,100.0V0.0H300.0V100.0H200.0Z"/>`,
		`<path class="failed" d="M300.0,100.0V83.3H400.0V100.0H300.0Z"/>`,
		`x1="200"`, `class="ends" x1="400"`, "full height: 300/s",
	} {
		if !strings.Contains(article, want) {
			t.Errorf("there is no %s in %s", want, article)
		}
	}
}
