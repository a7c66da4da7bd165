package ui_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
	"cloakroom/wasm/ui"
)

func report() lab.Report {
	got := lab.Answer{By: lab.Attacker, Request: "GET http://api/orders", With: "aaaa", Status: 200, Gave: true}
	return lab.Report{
		Cells: []lab.Cell{
			{Strategy: "new-idea", Attack: "A1", Verdict: lab.Inconclusive, Evidence: lab.Evidence{Failed: "no browser"}},
			{Strategy: "bff-memory", Attack: "A1", Verdict: lab.Held, Evidence: lab.Evidence{SignedIn: true, Finished: true, Steps: []string{"ran"}}},
			{Strategy: "bff-memory", Attack: "X10", Verdict: lab.Broken, Evidence: lab.Evidence{
				SignedIn: true, Taken: []lab.Loot{{Kind: lab.KindCookie, From: "cookie jar", Fingerprint: "aaaa"}}, Answers: []lab.Answer{got}}},
			{Strategy: "local-storage", Attack: "X10", Verdict: lab.NotApplicable, Evidence: lab.Evidence{Missing: "the application has no cookie"}},
			{Strategy: "local-storage", Attack: "A1", Verdict: lab.Broken, Evidence: lab.Evidence{
				SignedIn: true, Taken: []lab.Loot{{Kind: lab.KindAccess, From: "localStorage", Fingerprint: "aaaa"}}, Answers: []lab.Answer{got}}},
			{Strategy: "readable-cookie", Attack: "A1", Verdict: lab.Broken, Evidence: lab.Evidence{Changes: []string{"the victim ordered a gift"}}},
		},
		Measures: []lab.Measure{
			{Strategy: "local-storage", Property: "wire", Finding: "812 B", Steps: []string{"one call was recorded"}},
			{Strategy: "local-storage", Property: "reload", Finding: "yes"},
			{Strategy: "bff-memory", Property: "largest", Missing: "nothing grows"},
		},
	}
}

func matrix(f ui.Filter) *ui.Matrix {
	m := &ui.Matrix{}
	m.Loaded(report())
	m.Filter = f
	return m
}

// drawn is a grid in letters: a row to a strategy.
func drawn(g ui.Grid) []string {
	head := []string{}
	for _, c := range g.Columns {
		head = append(head, c.ID)
	}
	rows := []string{strings.Join(head, " ")}
	for _, line := range g.Lines {
		row := []string{line.Strategy.ID}
		for _, box := range line.Boxes {
			word := box.Mark.Word
			if box.Muted {
				word = "(" + word + ")"
			}
			row = append(row, word)
		}
		rows = append(rows, strings.Join(row, " "))
	}
	return rows
}

func TestTheFilterLeavesWhatIsAskedFor(t *testing.T) {
	for _, row := range []struct {
		name   string
		filter ui.Filter
		table  ui.Table
		want   []string
	}{
		{"nothing is left out, in the catalogue's order, strangers last", ui.Filter{}, ui.Attacks, []string{
			"A1 X10", "local-storage broken n/a", "readable-cookie broken not run", "bff-memory held broken", "new-idea unclear not run"}},
		{"a strategy by its name", ui.Filter{Text: " LocalStorage "}, ui.Attacks, []string{"A1 X10", "local-storage broken n/a"}},
		{"a word of strategies is not looked for in attacks", ui.Filter{Text: "cookie"}, ui.Attacks, []string{
			"A1 X10", "readable-cookie broken not run", "bff-memory held broken"}},
		{"an attack by its name", ui.Filter{Text: "token theft"}, ui.Attacks, []string{
			"A1", "local-storage broken", "readable-cookie broken", "bff-memory held", "new-idea unclear"}},
		{"a word that is nowhere", ui.Filter{Text: "zebra"}, ui.Attacks, []string{""}},
		{"what held", ui.Filter{Verdict: lab.Held}, ui.Attacks, []string{"A1 X10", "bff-memory held (broken)"}},
		{"what was broken", ui.Filter{Verdict: lab.Broken}, ui.Attacks, []string{
			"A1 X10", "local-storage broken (n/a)", "readable-cookie broken (not run)", "bff-memory (held) broken"}},
		{"a family", ui.Filter{Family: lab.AtServer}, ui.Attacks, []string{"A1 X10", "bff-memory held broken", "new-idea unclear not run"}},
		{"properties", ui.Filter{Verdict: lab.Held}, ui.Properties, []string{
			"reload wire largest", "local-storage yes 812 B not run", "bff-memory not run not run n/a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, drawn(matrix(row.filter).Grid(row.table))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheReasonIsFromTheEvidence(t *testing.T) {
	refused := lab.Answer{By: lab.Attacker, Status: 401, With: "aaaa"}
	loot := []lab.Loot{{Kind: lab.KindID, From: "globals", Fingerprint: "aaaa"}}
	issued := lab.Answer{By: lab.Attacker, With: "bbbb", Status: 200, Gave: true}
	for _, row := range []struct {
		name string
		cell lab.Cell
		want string
	}{
		{"taken and used", report().Cells[4], "The attacker's own client was given the victim's data for the access token from localStorage."},
		{"with tokens of the attacker's own", lab.Cell{Verdict: lab.Broken, Evidence: lab.Evidence{Taken: loot, Answers: []lab.Answer{refused, issued}}}, "The attacker's own client was given the victim's data for tokens it had itself issued."},
		{"changed", report().Cells[5], "The victim ordered a gift."},
		{"taken for nothing", lab.Cell{Verdict: lab.Held, Evidence: lab.Evidence{Taken: loot, Answers: []lab.Answer{refused, refused}}}, "What was taken, 1 piece, was of no use: the servers answered 401."},
		{"refused", lab.Cell{Verdict: lab.Held, Evidence: lab.Evidence{Answers: []lab.Answer{{Status: 403}, {Status: 405}}}}, "It changed and gave nothing: the servers answered 403 and 405."},
		{"nothing found", report().Cells[1], "It ran to its end and found nothing of use."},
		{"nothing there", report().Cells[3], "The application has no cookie."},
		{"not run", report().Cells[0], "The lab could not run it: no browser"},
		{"not finished", lab.Cell{Verdict: lab.Inconclusive, Evidence: lab.Evidence{SignedIn: true}}, "It did not run to its end, so nothing is known."},
	} {
		if got := ui.Why(row.cell); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestEveryVerdictHasASymbolAndAWord(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range []lab.Verdict{lab.Broken, lab.Held, lab.NotApplicable, lab.Inconclusive, ""} {
		mark := ui.MarkOf(v)
		if mark.Symbol == "" || mark.Word == "" || seen[mark.Symbol] || seen[mark.Word] {
			t.Errorf("%q is %+v", v, mark)
		}
		seen[mark.Symbol], seen[mark.Word] = true, true
	}
}

func TestACellHasAnAddress(t *testing.T) {
	k := ui.Key{Table: ui.Attacks, Row: "local-storage", Column: "A1"}
	if k.Address() != "/lab?cell=local-storage,A1" {
		t.Error(k.Address())
	}
	for address, want := range map[string]bool{
		k.Address(): true, "/lab?measure=bff-memory,wire": true, "/lab": false, "/lab?cell=A1": false, "/lab?cell=,A1": false, "/orders?cell=a,b": false,
	} {
		if got, ok := ui.KeyOf(address); ok != want || want && got.Address() != address {
			t.Errorf("%s: %+v, %t", address, got, ok)
		}
	}
}

func TestTheArrowsWalkTheGrid(t *testing.T) {
	m := matrix(ui.Filter{})
	at := m.Cursor(m.Grid(ui.Attacks))
	if at.ID() != "cell-local-storage-A1" {
		t.Fatalf("it begins at %s", at.ID())
	}
	for _, step := range []struct{ key, want string }{
		{"ArrowUp", "cell-local-storage-A1"}, {"ArrowRight", "cell-local-storage-X10"}, {"ArrowRight", "cell-local-storage-X10"},
		{"ArrowDown", "cell-readable-cookie-X10"}, {"Home", "cell-readable-cookie-A1"}, {"End", "cell-readable-cookie-X10"}, {"ArrowLeft", "cell-readable-cookie-A1"},
	} {
		to, moved := m.Move(at, step.key)
		if !moved || to.ID() != step.want {
			t.Errorf("%s leads from %s to %s, want %s", step.key, at.ID(), to.ID(), step.want)
		}
		at = to
	}
	if _, moved := m.Move(at, "Enter"); moved {
		t.Error("Enter moves")
	}
	if m.Cursor(m.Grid(ui.Attacks)) != at {
		t.Error("the table forgot where the keyboard was")
	}
	if m.Filter.Text = "bff"; m.Cursor(m.Grid(ui.Attacks)).Row != "bff-memory" {
		t.Error("the keyboard comes to a row that is not shown")
	}
}

func TestAReportThatIsNotThereIsNoFailure(t *testing.T) {
	m := &ui.Matrix{}
	m.LoadFailed(ui.Failure{Fault: ui.FaultRefused, Code: problem.NotFound})
	if !m.Absent || m.Phase != ui.Failed {
		t.Errorf("%+v", m)
	}
	m.LoadFailed(ui.Failure{Fault: ui.FaultOffline})
	if m.Absent {
		t.Error("a silent server is taken for a build without a report")
	}
	if got := matrix(ui.Filter{}).Grid(ui.Attacks).Summary(); got != "4 strategies, 2 attacks: 3 broken, 1 held." {
		t.Error(got)
	}
}

func TestWhereThereIsALiveLab(t *testing.T) {
	for name, row := range map[string]struct {
		failure ui.Failure
		absent  bool
	}{
		"nothing there":            {ui.Failure{Fault: ui.FaultRefused, Code: problem.NotFound}, true},
		"an API that is another's": {ui.Failure{Fault: ui.FaultSignedOut, Code: problem.SessionRequired}, true},
		"a page instead":           {ui.Failure{Fault: ui.FaultDown}, true},
		"the lab is gone":          {ui.Failure{Fault: ui.FaultDown, Code: problem.UpstreamUnavailable}, false},
		"no answer":                {ui.Failure{Fault: ui.FaultOffline}, false},
	} {
		model := ui.Try{}
		if model.LoadFailed(row.failure); model.Absent != row.absent || model.Phase != ui.Failed {
			t.Errorf("%s: absent %t", name, model.Absent)
		}
	}
}

func bench() lab.Bench {
	return lab.Bench{User: "alice", Password: "wonderland",
		Strategies: []lab.Offer{{ID: "local-storage"}, {ID: "bff-memory", Missing: "There is no Cloakroom."}},
		Attacks:    []lab.Offer{{ID: "A1", Payloads: []lab.Payload{{Name: "theft.js", Code: "take()"}}}, {ID: "X10"}}}
}

func TestARunFromStartToVerdict(t *testing.T) {
	model := ui.Try{Order: ui.OrderOf("/lab/try?strategy=local-storage&attack=A1")}
	if model.Start() {
		t.Error("it starts before the lab was heard of")
	}
	model.Loaded(bench())
	if len(model.Payloads()) != 1 || model.Missing() != "" {
		t.Fatalf("%+v %q", model.Payloads(), model.Missing())
	}
	if !model.Start() || model.Start() {
		t.Error("a double click starts twice, or not at all")
	}
	cell := lab.Cell{Strategy: "local-storage", Attack: "A1"}
	model.Started(lab.Run{ID: "r", Seq: 1, Phase: lab.Waiting, Open: "http://x/", Cell: cell}, false)
	turn := func(want string, yours bool) {
		t.Helper()
		if what, mine := model.Turn(); !strings.Contains(what, want) || mine != yours {
			t.Errorf("%q, %t", what, mine)
		}
	}
	turn("opened no window", true)
	model.Heard(lab.Run{ID: "r", Seq: 4, Phase: lab.Running, Away: true, Cell: cell})
	turn("sign in as alice with the password wonderland", true)
	model.Heard(lab.Run{ID: "r", Seq: 3, Phase: lab.Waiting, Cell: cell})
	turn("sign in as alice", true) // what is older changes nothing
	if model.Start() || !model.Going() {
		t.Error("a second run starts beside the first")
	}
	cell.Evidence.SignedIn = true
	model.Heard(lab.Run{ID: "r", Seq: 5, Phase: lab.Running, Away: true, Cell: cell})
	turn("under way", false)
	model.Heard(lab.Run{ID: "r", Seq: 6, Phase: lab.Done, Cell: report().Cells[4]})
	turn("access token from localStorage", false)
	if model.Going() || !model.Start() {
		t.Error("no other run can follow")
	}
	model.StartFailed(ui.Failure{Fault: ui.FaultRefused, Code: problem.LabBusy})
	if !model.Notice.Bad || !strings.Contains(model.Notice.Text, "one at a time") || model.Busy {
		t.Errorf("%+v", model.Notice)
	}
}

func TestARunThatGoesOnIsGoneOnWith(t *testing.T) {
	b := bench()
	b.Run = &lab.Run{ID: "r", Seq: 9, Phase: lab.Running, Cell: lab.Cell{Strategy: "bff-memory", Attack: "X10"}}
	model := ui.Try{Order: ui.OrderOf("/lab/try?strategy=nowhere")}
	if model.Order.Strategy != "local-storage" || model.Order.Attack != "A1" {
		t.Errorf("%+v", model.Order)
	}
	model.Loaded(b)
	if !model.Going() || model.Order != (lab.Order{Strategy: "bff-memory", Attack: "X10"}) {
		t.Errorf("%+v", model)
	}
	b.Run.Phase = lab.Done
	old := ui.Try{Order: ui.OrderOf("/lab/try")}
	if old.Loaded(b); old.Run != nil {
		t.Error("what was over before is shown as if it were asked for")
	}
}
