package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"cloakroom/shared/lab"
)

// WriteTopologies writes a report of topologies in one of Formats.
func WriteTopologies(w io.Writer, format string, r lab.TopologyReport) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", " ")
		return encoder.Encode(r)
	case "md":
		return writeTopologiesMarkdown(w, r)
	case "html":
		return topologiesPage.Execute(w, seeTopologies(r))
	}
	return fmt.Errorf("report: there is no format %q", format)
}

// plays is a report by rows and columns, with those columns only that it has.
type plays struct {
	Report lab.TopologyReport
	Events []lab.Event
	Rows   []playRow
	Advice []string
	Charts []playChart
}

// playRow is one topology. What was not played on it has no Event, unless it
// cannot happen there.
type playRow struct {
	Topology lab.Topology
	Costs    lab.Costs
	Played   []lab.Played
}

// playChart is a figure by topologies.
type playChart struct {
	Name string
	Bars []playBar
}

type playBar struct {
	Name, Text string
	Percent    float64
}

// seeTopologies arranges a report, in the catalogue's order of columns.
func seeTopologies(r lab.TopologyReport) plays {
	v := plays{Report: r}
	played := map[[2]string]lab.Played{}
	var topologies, events []string
	costs := map[string]lab.Costs{}
	for _, c := range r.Topologies {
		topologies, costs[c.Topology] = add(topologies, c.Topology), c
	}
	for _, p := range r.Played {
		played[[2]string{p.Topology, p.Event}] = p
		topologies, events = add(topologies, p.Topology), add(events, p.Event)
	}
	for _, e := range lab.Events() {
		for _, id := range events {
			if id == e.ID {
				v.Events = append(v.Events, e)
			}
		}
	}
	for _, id := range events {
		if _, ok := lab.FindEvent(id); !ok {
			v.Events = append(v.Events, lab.Event{ID: id, Name: id})
		}
	}
	for _, id := range topologies {
		t, ok := lab.FindTopology(id)
		if !ok {
			t = lab.Topology{ID: id, Name: id}
		}
		row := playRow{Topology: t, Costs: costs[id]}
		for _, e := range v.Events {
			p := played[[2]string{id, e.ID}]
			if why := t.Spared(e.ID); p.Event == "" && ok && why != "" {
				p = lab.Played{Topology: id, Event: e.ID, Missing: why}
			}
			row.Played = append(row.Played, p)
		}
		v.Rows = append(v.Rows, row)
	}
	v.Charts, v.Advice = playCharts(v), advisePlays(v)
	return v
}

// of is what was played on a topology; nil: it was not, or failed.
func (v plays) of(r playRow, event string) *lab.Played {
	for i, e := range v.Events {
		if p := r.Played[i]; e.ID == event && p.Event != "" && p.Failed == "" && p.Missing == "" {
			return &p
		}
	}
	return nil
}

// class is how a play came out, the worst first.
func class(p lab.Played) string {
	switch {
	case p.Event == "":
		return ""
	case p.Missing != "":
		return "not-applicable"
	case p.Failed != "":
		return "inconclusive"
	case len(p.Wrongs) > 0:
		return "wrong"
	}
	return harm(p)
}

// harm is how a play came out for those who are signed in, the worst first.
func harm(p lab.Played) string {
	switch {
	case p.Lost > 0:
		return "lost"
	case p.Requests.Refused > 0:
		return "refused"
	case p.Requests.Declared+p.Requests.Failed > 0:
		return "away"
	}
	return "unharmed"
}

// outcome is how a play came out, in a word or two.
func outcome(p lab.Played) string {
	switch class(p) {
	case "not-applicable":
		return "n/a"
	case "inconclusive":
		return "?"
	case "":
		return ""
	case "wrong":
		if harm(p) == "unharmed" {
			return string(p.Wrongs[0].Rule)
		}
		return harmInWords(p) + ", " + string(p.Wrongs[0].Rule)
	}
	return harmInWords(p)
}

func harmInWords(p lab.Played) string {
	switch harm(p) {
	case "lost":
		return fmt.Sprintf("%d of %d lost", p.Lost, p.Sessions)
	case "refused":
		return percent(p.Requests.Refused, p.Requests.All()) + " refused"
	case "away":
		if p.Recovery == nil {
			return "away, not back"
		}
		return "away " + inTime(*p.Recovery)
	}
	return "unharmed"
}

func percent(n, of int) string {
	if of == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
}

// inTime is milliseconds as one says them.
func inTime(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// playFacts is all of a play in words.
func playFacts(p lab.Played) []string {
	if p.Missing != "" {
		return []string{"cannot happen here: " + p.Missing}
	}
	list := append([]string(nil), p.Steps...)
	if p.Failed != "" {
		return append(list, "the lab could not play it: "+p.Failed)
	}
	r := p.Requests
	list = append(list,
		fmt.Sprintf("sessions: %d before, %d of them lost", p.Sessions, p.Lost),
		fmt.Sprintf("requests from the event on: %d served, %d refused (401), %d declared (503), %d failed", r.Served, r.Refused, r.Declared, r.Failed))
	switch {
	case p.Recovery == nil:
		list = append(list, "it had not recovered when the lab stopped looking")
	case *p.Recovery > 0:
		list = append(list, "recovered after "+inTime(*p.Recovery))
	}
	if p.Times.N > 0 {
		list = append(list, fmt.Sprintf("served in %s (median), %s (99th of 100)", inTime(p.Times.P50), inTime(p.Times.P99)))
	}
	if p.RoundTrips != nil {
		list = append(list, fmt.Sprintf("%.2f calls of the store for each request", *p.RoundTrips))
	}
	if p.HitRate != nil {
		list = append(list, fmt.Sprintf("%.1f %% of sessions answered from a copy near", 100**p.HitRate))
	}
	for _, w := range p.Wrongs {
		list = append(list, fmt.Sprintf("WRONG, %s, %d times: %s", w.Rule, w.Times, w.Saw))
	}
	return list
}

// costFacts are a topology's costs in words, by name.
func costFacts(c lab.Costs) []string {
	var list []string
	if c.SessionBytes != nil {
		list = append(list, fmt.Sprintf("a session takes %.0f B: %s", *c.SessionBytes, c.SessionFrom))
	}
	if c.Logout != nil {
		list = append(list, fmt.Sprintf("a sign-out is seen by every server after %s (median), %s (the slowest of %d)", inTime(c.Logout.P50), inTime(c.Logout.P99), c.Logout.N))
	}
	list = append(list, c.Notes...)
	if c.Missing != "" {
		list = append(list, "it could not be run here: "+c.Missing)
	}
	if c.Failed != "" {
		list = append(list, "the lab could not run it: "+c.Failed)
	}
	return list
}

// playCharts are the figures that topologies can be compared by.
func playCharts(v plays) []playChart {
	var list []playChart
	chart := func(name string, number func(playRow) (float64, string, bool)) {
		c, most := playChart{Name: name}, 0.0
		for _, r := range v.Rows {
			if n, text, ok := number(r); ok {
				c.Bars, most = append(c.Bars, playBar{r.Topology.ID, text, n}), max(most, n)
			}
		}
		for i := range c.Bars {
			if most > 0 {
				c.Bars[i].Percent *= 100 / most
			}
		}
		if len(c.Bars) > 0 {
			list = append(list, c)
		}
	}
	chart("Sessions lost, of all events", func(r playRow) (float64, string, bool) {
		lost, of := 0, 0
		for _, p := range r.Played {
			lost, of = lost+p.Lost, of+p.Sessions
		}
		return float64(lost), fmt.Sprintf("%d of %d", lost, of), of > 0
	})
	steady := func(read func(*lab.Played) (float64, string, bool)) func(playRow) (float64, string, bool) {
		return func(r playRow) (float64, string, bool) {
			if p := v.of(r, lab.Steady); p != nil {
				return read(p)
			}
			return 0, "", false
		}
	}
	chart("Time of a request, median", steady(func(p *lab.Played) (float64, string, bool) { return p.Times.P50, inTime(p.Times.P50), p.Times.N > 0 }))
	chart("Time of a request, 99th of 100", steady(func(p *lab.Played) (float64, string, bool) { return p.Times.P99, inTime(p.Times.P99), p.Times.N > 0 }))
	chart("Calls of the store for each request", steady(func(p *lab.Played) (float64, string, bool) {
		if p.RoundTrips == nil {
			return 0, "", false
		}
		return *p.RoundTrips, fmt.Sprintf("%.2f", *p.RoundTrips), true
	}))
	chart("Server bytes per session", func(r playRow) (float64, string, bool) {
		if r.Costs.SessionBytes == nil {
			return 0, "", false
		}
		return *r.Costs.SessionBytes, fmt.Sprintf("%.0f B", *r.Costs.SessionBytes), true
	})
	chart("Until every server sees a sign-out, median", func(r playRow) (float64, string, bool) {
		if r.Costs.Logout == nil {
			return 0, "", false
		}
		return r.Costs.Logout.P50, inTime(r.Costs.Logout.P50), true
	})
	return list
}

// advisePlays says what a report means for a choice. Each sentence is a reading
// of the report's own results, and is left out where it has none to read.
func advisePlays(v plays) []string {
	var said []string
	for _, about := range []struct{ event, what string }{
		{lab.Steady, "With nothing happening"},
		{lab.KillApp, "When an app server dies"},
		{lab.Rolling, "In a rolling deploy"},
		{lab.KillStore, "When the store dies and comes back"},
		{lab.Failover, "When the store's primary dies"},
		{lab.FullStore, "When memory runs out"},
	} {
		var by = map[string][]string{}
		for _, r := range v.Rows {
			p := v.of(r, about.event)
			if p == nil {
				continue
			}
			switch {
			case p.Lost > 0:
				by["lost"] = append(by["lost"], fmt.Sprintf("%s (%d of %d)", r.Topology.ID, p.Lost, p.Sessions))
			case p.Requests.Refused > 0:
				by["refused"] = append(by["refused"], fmt.Sprintf("%s (%s of requests)", r.Topology.ID, percent(p.Requests.Refused, p.Requests.All())))
			case p.Requests.Declared+p.Requests.Failed > 0:
				by["away"] = append(by["away"], r.Topology.ID)
			default:
				by["unharmed"] = append(by["unharmed"], r.Topology.ID)
			}
		}
		for _, part := range []struct{ key, says string }{
			{"unharmed", "nobody noticed with"}, {"away", "no session was lost, but requests had to come again, with"},
			{"refused", "people who are signed in were refused with"}, {"lost", "sessions were lost with"},
		} {
			if names := by[part.key]; len(names) > 0 {
				said = append(said, fmt.Sprintf("%s %s %s.", about.what, part.says, strings.Join(names, ", ")))
			}
		}
	}
	wrong := map[lab.Rule][]string{}
	for _, r := range v.Rows {
		for _, p := range r.Played {
			for _, w := range p.Wrongs {
				wrong[w.Rule] = add(wrong[w.Rule], r.Topology.ID)
			}
		}
	}
	for _, about := range []struct {
		rule lab.Rule
		says string
	}{
		{lab.NotAnother, "A request was answered as another user with"},
		{lab.NotBack, "A session that had signed out was served all the same with"},
		{lab.Not5xx, "An error was answered that is no declared 503 with"},
	} {
		if names := wrong[about.rule]; len(names) > 0 {
			said = append(said, about.says+" "+strings.Join(names, ", ")+".")
		}
	}
	return said
}

func writeTopologiesMarkdown(w io.Writer, r lab.TopologyReport) error {
	v := seeTopologies(r)
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	cells := func(list []string) { line("| %s |", strings.Join(list, " | ")) }

	line("# One server, many servers, sticky or not: topologies compared\n")
	line("Made %s in %s, with Cloakroom %s, on %s; %d visitors, %d servers where there are many, behind %s%s.\n", r.Made.At.Format("2006-01-02 15:04 MST"), round(r.Made.Took),
		inTable.Replace(r.Made.Cloakroom), inTable.Replace(r.Made.Machine), r.Visitors, r.Instances, front(r), map[bool]string{true: ", which ends TLS"}[r.TLS])
	if len(v.Events) > 0 {
		line("## What happened\n")
		head := []string{"topology"}
		for _, e := range v.Events {
			head = append(head, e.Name)
		}
		cells(head)
		line("|%s", strings.Repeat("---|", len(head)))
		for _, one := range v.Rows {
			columns := []string{one.Topology.ID}
			for _, p := range one.Played {
				columns = append(columns, inTable.Replace(outcome(p)))
			}
			cells(columns)
		}
		line("\nlost: sessions that nobody serves any more. refused: requests of people who are signed in, answered 401. away: requests answered 503 or not at all, until so long after the event. unharmed: every request was served.\n")
		for _, e := range v.Events {
			line("- %s: %s", e.Name, inTable.Replace(e.Does))
		}
		line("")
	}
	if len(v.Advice) > 0 {
		line("## How to choose\n")
		for _, advice := range v.Advice {
			line("%s", inTable.Replace(advice))
		}
		line("")
	}
	for _, c := range v.Charts {
		line("## %s\n", c.Name)
		cells([]string{"topology", "figure"})
		line("|---|---|")
		for _, b := range c.Bars {
			cells([]string{b.Name, b.Text})
		}
		line("")
	}
	line("## Evidence\n")
	for _, one := range v.Rows {
		line("### %s: %s\n", one.Topology.ID, inTable.Replace(one.Topology.Keeps))
		for _, fact := range costFacts(one.Costs) {
			line("- %s", inTable.Replace(fact))
		}
		line("")
		for _, p := range one.Played {
			if p.Event == "" {
				continue
			}
			line("%s: %s", p.Event, outcome(p))
			for _, fact := range playFacts(p) {
				line("- %s", inTable.Replace(fact))
			}
			line("")
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func front(r lab.TopologyReport) string {
	if r.Balancer == lab.Embedded {
		return "the lab's own balancer"
	}
	return r.Balancer
}
