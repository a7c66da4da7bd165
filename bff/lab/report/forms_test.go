package report_test

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"cloakroom/bff/lab/report"
	"cloakroom/shared/lab"
)

// sample has one of each verdict, and text that is markup in every form.
func sample() lab.Report {
	n := 412.0
	return lab.Report{
		Made: lab.Made{At: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), Took: 83 * time.Second, Cloakroom: "v1", Browser: "Chrome/1", Machine: "a machine"},
		Cells: []lab.Cell{
			{Strategy: "local-storage", Attack: "A1", Verdict: lab.Broken, Evidence: lab.Evidence{
				SignedIn: true, Finished: true, Steps: []string{"read <script>alert(1)</script> | and `more`"},
				Taken:   []lab.Loot{{Kind: lab.KindAccess, From: "localStorage", Fingerprint: "01234567"}},
				Answers: []lab.Answer{{By: lab.Attacker, Request: "GET http://api/orders", With: "01234567", Status: 200, Gave: true}},
			}},
			{Strategy: "local-storage", Attack: "A4", Verdict: lab.Broken, Evidence: lab.Evidence{Changes: []string{"an order"}}},
			{Strategy: "local-storage", Attack: "X10", Verdict: lab.NotApplicable, Evidence: lab.Evidence{Missing: "no cookie"}},
			{Strategy: "bff-memory", Attack: "A1", Verdict: lab.Held, Evidence: lab.Evidence{SignedIn: true, Finished: true, Steps: []string{"nothing there"}}},
			{Strategy: "bff-memory", Attack: "A4", Verdict: lab.Broken, Evidence: lab.Evidence{Changes: []string{"an order"}}},
			{Strategy: "bff-memory", Attack: "X10", Verdict: lab.Inconclusive, Evidence: lab.Evidence{Failed: "no browser"}},
		},
		Measures: []lab.Measure{
			{Strategy: "bff-memory", Property: "server-restart", Finding: "no", Steps: []string{"killed"}},
			{Strategy: "bff-memory", Property: "wire", Finding: "412 B", Number: &n, Steps: []string{"sent"}},
			{Strategy: "local-storage", Property: "server-restart", Missing: "no server", Steps: []string{}},
		},
	}
}

func write(t *testing.T, format string, r lab.Report) string {
	t.Helper()
	var text strings.Builder
	if err := report.Write(&text, format, r); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestEveryFormHasEveryResultAndWhatItRestsOn(t *testing.T) {
	for _, format := range report.Formats() {
		text := write(t, format, sample())
		for _, want := range []string{"local-storage", "bff-memory", "broken", "held", "01234567", "an order", "nothing there", "no cookie", "no browser", "412 B", "killed", "no server"} {
			if format == "md" && want == "no server" {
				continue // says n/a in its table
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing", format, want)
			}
		}
		if format != "json" && strings.Contains(text, "<script>alert") {
			t.Errorf("%s: text became markup", format)
		}
	}
	var back lab.Report
	if err := json.Unmarshal([]byte(write(t, "json", sample())), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), back); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := report.Write(io.Discard, "pdf", sample()); err == nil {
		t.Error("a form nobody knows is written")
	}
}

// A report is one file: it can be mailed, and reading it tells nobody.
func TestThePageNeedsNothingAndItsLinksLeadSomewhere(t *testing.T) {
	t.Run("strategies", func(t *testing.T) { selfContained(t, write(t, "html", sample()), len(sample().Cells)+2) })
	t.Run("topologies", func(t *testing.T) {
		selfContained(t, writeTopologies(t, "html", sampleTopologies()), len(sampleTopologies().Played)+2)
	})
}

// selfContained fails unless a page has that many links at the least, all of them
// to itself, and asks for nothing.
func selfContained(t *testing.T, text string, least int) {
	page, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var ids, links []string
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"script", "link", "img", "iframe", "object", "form"}, n.Data) {
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				if slices.Contains(ids, a.Val) {
					t.Errorf("%q is there twice", a.Val)
				}
				ids = append(ids, a.Val)
			case a.Key == "href":
				links = append(links, a.Val)
			case a.Key == "src" || strings.HasPrefix(a.Key, "on") || a.Key == "style":
				t.Errorf("there is %s=%q", a.Key, a.Val)
			}
		}
		if n.Data == "style" && strings.Contains(n.FirstChild.Data, "url(") {
			t.Error("the style asks for something")
		}
	}
	if len(links) < least {
		t.Errorf("there are %d links only", len(links))
	}
	for _, link := range links {
		if id, ok := strings.CutPrefix(link, "#"); !ok || !slices.Contains(ids, id) {
			t.Errorf("%q leads nowhere", link)
		}
	}
}

// What a report says about a choice turns with its results.
func TestAdviceIsReadOffTheResults(t *testing.T) {
	of := func(change func(*lab.Report)) string {
		r := sample()
		change(&r)
		_, advice, _ := strings.Cut(write(t, "md", r), "## How to choose")
		advice, _, _ = strings.Cut(advice, "## Evidence")
		return advice
	}
	set := func(strategy, attack string, v lab.Verdict) func(*lab.Report) {
		return func(r *lab.Report) {
			for i, c := range r.Cells {
				if c.Strategy == strategy && c.Attack == attack {
					r.Cells[i].Verdict = v
				}
			}
		}
	}
	for _, row := range []struct {
		name       string
		change     func(*lab.Report)
		want, wont string
	}{
		{"as it is", func(*lab.Report) {}, "It got none from bff-memory.", "It got none from local-storage"},
		{"the other way round", func(r *lab.Report) {
			set("local-storage", "A1", lab.Held)(r)
			set("bff-memory", "A1", lab.Broken)(r)
		}, "It got none from local-storage.", "none from bff-memory"},
		{"everything broken", set("bff-memory", "A1", lab.Broken), "There is none that it is known to have got none from.", "choose among these"},
		{"not known", set("bff-memory", "A1", lab.Inconclusive), "Of bff-memory this is not known", "It got none from"},
		{"no use of the page", set("bff-memory", "A4", lab.Held), "could not act for its user (A4) with bff-memory", "nothing here stopped that"},
		{"use of every page", func(*lab.Report) {}, "nothing here stopped that", "could not act"},
		{"a restart that signs nobody out", func(r *lab.Report) { r.Measures[0].Finding = "yes" }, "restart of the server signs nobody out with bff-memory", "\x00"},
		{"a restart that does", func(*lab.Report) {}, "1 of 6 cells are inconclusive", "signs nobody out"},
		{"no attacks at all", func(r *lab.Report) { r.Cells = nil }, "", "attack"},
	} {
		if got := of(row.change); !strings.Contains(got, row.want) || strings.Contains(got, row.wont) {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}
