package ui_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
	"cloakroom/wasm/ui"
)

func running(seq int, hops ...lab.Hop) lab.Play {
	return lab.Play{
		ID: "p", Seq: seq, Phase: lab.PlayRunning, Topology: "memory-n-round-robin",
		Deployed: lab.Deployed{Nodes: []lab.Node{
			{Kind: lab.NodeServer, Name: "a", State: lab.NodeUp}, {Kind: lab.NodeServer, Name: "b", State: lab.NodeUp}, {Kind: lab.NodeServer, Name: "c", State: lab.NodeDown},
			{Kind: lab.NodeProvider, Name: "provider", State: lab.NodeDown},
		}},
		Servers: []lab.Served{{Name: "a", State: lab.NodeUp}, {Name: "b", State: lab.NodeDraining}, {Name: "c", State: lab.NodeDown}},
		Hops:    hops,
	}
}

func hop(n int, server string, status int) lab.Hop {
	return lab.Hop{N: n, Method: "GET", Path: "/api/orders", Server: server, Status: status}
}

func TestOnlyWhatIsNewTravels(t *testing.T) {
	var model ui.Playing
	shell := hop(4, "c", 200)
	shell.Shell, shell.Path = true, "/app.css"
	model.Heard(running(5, hop(1, "a", 200), hop(2, "b", 401)))
	if model.Trip("a").Fresh || model.Trip("b") != (ui.Trip{Fresh: true, Turn: 1, Mark: ui.HopRefused}) {
		t.Errorf("of what was before, more than the last travels: a %+v, b %+v", model.Trip("a"), model.Trip("b"))
	}
	sent := hop(3, "a", 200)
	sent.Tried = []string{"b"}
	model.Heard(running(6, hop(1, "a", 200), hop(2, "b", 401), sent, shell))
	if model.Trip("a").Mark != ui.HopServed || model.Trip("b").Mark != ui.HopFailed || model.Trip("b").Turn != 2 || model.Trip("c").Fresh {
		t.Errorf("a %+v, b %+v, c %+v", model.Trip("a"), model.Trip("b"), model.Trip("c"))
	}
	model.Heard(running(4, hop(9, "c", 200)))
	if model.Trip("c").Fresh || model.Play.Seq != 6 {
		t.Error("what is older than what is known is believed")
	}
	if last, ok := model.LastCall(); !ok || last.N != 3 {
		t.Errorf("the last call is %+v", last)
	}
}

func TestWhereTheSessionIsIsSaid(t *testing.T) {
	for _, row := range []struct {
		topology string
		you      lab.Guest
		says     string
	}{
		{"memory-n-round-robin", lab.Guest{}, "no session yet"},
		{"memory-n-round-robin", lab.Guest{Session: "s", At: []string{"b"}}, "in the memory of instance b, and nowhere else"},
		{"memory-n-round-robin", lab.Guest{Session: "s", Gone: "why"}, "nobody has a coat"},
		{"memory-n-round-robin", lab.Guest{Session: "s"}, "from before this topology"},
		{"file-1", lab.Guest{Session: "s", At: []string{"a"}}, "the file of instance a"},
		{"memory-n-replicated", lab.Guest{Session: "s", At: []string{"a", "b", "c"}}, "the instances a, b and c"},
		{"redis-n-round-robin", lab.Guest{Session: "s", At: []string{lab.AtStore}}, "in Redis. Any instance"},
		{"redis-n-sticky-near-cache", lab.Guest{Session: "s", At: []string{lab.AtStore}}, "a copy"},
		{"cookie-n-round-robin", lab.Guest{Session: "s", At: []string{lab.AtBrowser}}, "in your browser, sealed"},
	} {
		play := running(1)
		play.Topology, play.You = row.topology, row.you
		model := ui.Playing{}
		model.Heard(play)
		if got := model.Where(); !strings.Contains(got, row.says) {
			t.Errorf("%s %+v: %q", row.topology, row.you, got)
		}
	}
}

// Whatever a topology has, it is on the paper and nothing is over something else.
func TestEveryTopologyCanBeDrawn(t *testing.T) {
	for _, topology := range lab.Topologies() {
		for _, servers := range []int{1, 3, 9} {
			p := ui.Sketch(topology, servers)
			coats := 0
			for i, b := range p.Boxes {
				if b.X < 0 || b.X+b.W > 480 || b.Y < 0 || b.Y+b.H > p.Height || b.W < 30 {
					t.Errorf("%s with %d: %+v is not on the paper of 480 by %d", topology.ID, servers, b, p.Height)
				}
				if b.Coat == "session" {
					coats++
				}
				for _, other := range p.Boxes[:i] {
					if b.Class != "frame" && other.Class != "frame" && b.X < other.X+other.W && other.X < b.X+b.W && b.Y < other.Y+other.H && other.Y < b.Y+b.H {
						t.Errorf("%s with %d: %+v is over %+v", topology.ID, servers, b, other)
					}
				}
			}
			if coats == 0 {
				t.Errorf("%s with %d: the session is nowhere", topology.ID, servers)
			}
		}
	}
}

func TestEveryTopologyIsInTheCatalogueOnce(t *testing.T) {
	all := slices.Concat(ui.Parts()...)
	if len(all) != len(lab.Topologies()) {
		t.Errorf("%d of %d: %v", len(all), len(lab.Topologies()), all)
	}
	for _, topology := range lab.Topologies() {
		if n := strings.Count(" "+strings.Join(all, " ")+" ", " "+topology.ID+" "); n != 1 {
			t.Errorf("%s is there %d times", topology.ID, n)
		}
	}
}

// The picture says in words what it shows, and states are never by colour alone.
func TestATopologyIsShownInWords(t *testing.T) {
	play := running(3, hop(1, "b", 401))
	play.You = lab.Guest{Session: "s", MadeBy: "a", At: []string{"a"}, Gone: "The balancer sent you to instance b."}
	play.Told = []lab.Told{{N: 1, Text: "It <b>stands</b>."}, {N: 2, Text: "Then it fell.", Mood: lab.Bad}}
	model := ui.Playing{Phase: ui.Ready}
	model.Heard(play)
	words := model.Draw().Words
	for _, want := range []string{"instance a is up, with your session", "instance b is leaving", "instance c is down"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in %q", want, words)
		}
	}
	page := ui.RenderPlay(model, ui.Session{State: ui.Expired})
	live, events, text := 0, 0, ""
	walk(parse(t, page), func(n *html.Node) {
		if attr(n, "role") == "log" && attr(n, "aria-live") == "polite" {
			live++
		}
		if strings.HasPrefix(attr(n, "id"), "event-") {
			events++
		}
		if n.Data == "b" {
			t.Error("what was told is markup")
		}
		if n.FirstChild != nil && n.FirstChild.Type == html.TextNode {
			text += n.FirstChild.Data + "\n"
		}
	})
	topology, _ := lab.FindTopology(play.Topology)
	if want := len(topology.Events()) - 1; live != 1 || events != want { // all but that nothing happens
		t.Errorf("%d logs, %d of %d events", live, events, want)
	}
	for _, want := range []string{"Kill instance a", "Sign in again", "instance b, 401", "The balancer sent you to instance b.", "down"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

func TestWhatAnEventHappensTo(t *testing.T) {
	model := ui.Playing{}
	play := running(1)
	model.Heard(play)
	if model.Target() != "a" {
		t.Errorf("with no session: %s", model.Target())
	}
	play.Seq, play.You = 2, lab.Guest{Session: "s", At: []string{"b"}}
	model.Heard(play)
	if model.Target() != "b" {
		t.Errorf("not who has the session: %s", model.Target())
	}
	model.Chosen = "c"
	kill, _ := lab.FindEvent(lab.KillApp)
	keys, _ := lab.FindEvent(lab.RotateKeys)
	if model.EventName(kill) != "kill instance c" || model.EventName(keys) != keys.Name {
		t.Errorf("%q, %q", model.EventName(kill), model.EventName(keys))
	}
	if model.Chosen = "gone"; model.Target() != "b" {
		t.Errorf("an instance that is not there: %s", model.Target())
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	model := ui.Playing{}
	if !model.Begin() || model.Begin() {
		t.Error("a double click does it twice, or not at all")
	}
	model.Did(ui.Failure{Fault: ui.FaultRefused, Code: problem.LabBusy})
	if model.Busy || !model.Notice.Bad || !strings.Contains(model.Notice.Text, "one at a time") {
		t.Errorf("%+v", model.Notice)
	}
	if !model.Begin() || model.Notice.Text != "" {
		t.Errorf("what was said stays: %+v", model.Notice)
	}
	model.Did(ui.Failure{})
	if !model.Calling() || model.Calling() {
		t.Error("two calls at once, or none")
	}
	if model.Called(0, ui.Failure{Fault: ui.FaultSignedOut, Title: "Nobody is signed in"}); !model.Call.Bad || !strings.Contains(model.Call.Text, "Call 1 was not: Nobody is signed in.") {
		t.Errorf("%+v", model.Call)
	}
}

func TestTheAddressSaysWhetherThePageCalls(t *testing.T) {
	for _, auto := range []bool{true, false} {
		if ui.CallsByItself(ui.PlayURL(auto)) != auto {
			t.Errorf("%s does not say %v", ui.PlayURL(auto), auto)
		}
	}
	if ui.CallsByItself("/lab/topologies?calls=0") || ui.CallsByItself("%") {
		t.Error("something else says so")
	}
}
