package playground

import (
	"strings"
	"testing"

	"cloakroom/bff/lab/balancer"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// TestWhyARequestIsWorthAWord: the cause, from what was seen and nothing else.
func TestWhyARequestIsWorthAWord(t *testing.T) {
	const yours = "0123456789abcdef"
	call := balancer.Request{Method: "GET", Path: "/api/orders", Session: yours, MadeBy: "a"}
	with := func(instance string, status int, stuck balancer.Stuck, tried ...string) balancer.Request {
		r := call
		r.Instance, r.Status, r.Stuck, r.Tried = instance, status, stuck, tried
		return r
	}
	page := with("b", 200, balancer.Moved)
	page.Path = "/app.css"
	for _, row := range []struct {
		name, topology string
		request        balancer.Request
		gone           string
		down, full     bool
		says           string // "": nothing
		lost           bool   // for good
	}{
		{"served", "memory-n-round-robin", with("a", 200, ""), "", false, false, "", false},
		{"sent to another one", "memory-n-round-robin", with("b", 401, ""), "", false, false, "sent you to instance b, which has never seen your session: it is in the memory of instance a", false},
		{"sent to another one, with its own away", "memory-n-sticky-app-cookie", with("b", 401, balancer.Moved), "", true, false, "Instance a, which has your session, is down", false},
		{"gone before", "memory-n-sticky-app-cookie", with("b", 401, balancer.Moved), "It died.", true, false, "It died.", true},
		{"crowded out of memory", "memory-1", with("a", 401, ""), "", false, true, "longest unused", true},
		{"crowded out of the store", "memcached-n-round-robin", with("b", 401, ""), "", false, true, "made room", true},
		{"not passed on to the replica", "redis-sentinel-n", with("b", 401, ""), "", false, false, "not yet passed on", true},
		{"ended otherwise", "redis-n-round-robin", with("b", 401, ""), "", false, false, "found nothing", true},
		{"the store does not answer", "redis-n-round-robin", with("b", 503, ""), "", false, false, "not there is something else than down", false},
		{"nobody is there", "memory-1", with("", 503, ""), "", true, false, "No instance can take requests", false},
		{"it broke off", "memory-1", with("", 502, "", "a"), "", false, false, "Instance a broke off", false},
		{"sent on", "redis-n-round-robin", with("b", 200, "", "a"), "", true, false, "sent it on to b", false},
		{"moved and found", "redis-n-sticky-near-cache", with("b", 200, balancer.Moved), "", true, false, "found your session in one Redis", false},
		{"a part of the page, moved", "redis-n-sticky-near-cache", page, "", true, false, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			topology, ok := lab.FindTopology(row.topology)
			if !ok {
				t.Fatal("there is no such topology")
			}
			state := lab.NodeUp
			if row.down {
				state = lab.NodeDown
			}
			g := &game{
				ground: New(Config{}), topology: topology, full: row.full, sessions: map[string]*held{yours: {by: "a", gone: row.gone}},
				play: lab.Play{Deployed: lab.Deployed{Nodes: []lab.Node{{Kind: lab.NodeServer, Name: "a", State: state}, {Kind: lab.NodeServer, Name: "b", State: lab.NodeUp}}}},
			}
			g.follow(row.request)
			got := g.wordsFor(row.request)
			if row.says == "" && got != "" || !strings.Contains(got, row.says) {
				t.Errorf("%q", got)
			}
			you := g.guest(yours)
			if lost := len(you.At) == 0; lost != row.lost || lost && you.Gone == "" {
				t.Errorf("it is said to be at %q, gone: %q", you.At, you.Gone)
			}
		})
	}
}

// A session that is served is there, whatever was thought of it.
func TestWhoIsServedHasASession(t *testing.T) {
	g := &game{ground: New(Config{}), sessions: map[string]*held{"s": {by: "a", gone: "It died.", missed: "It died."}}}
	g.follow(balancer.Request{Path: shared.PathUser, Session: "s", Instance: "b", Status: 200})
	if you := g.guest("s"); you.Gone != "" || len(you.At) == 0 {
		t.Errorf("%+v", you)
	}
	g.follow(balancer.Request{Path: shared.PathLogout, Session: "s", Instance: "b", Status: 303})
	if you := g.guest("s"); you.Gone != "You signed out." {
		t.Errorf("%+v", you)
	}
}

// What happens over and over is told once in a while, and not for ever.
func TestTheLogIsBounded(t *testing.T) {
	g := &game{ground: New(Config{})}
	for range 50 {
		g.tellOnce(lab.Bad, "again")
	}
	if len(g.play.Told) != 1 {
		t.Errorf("told %d times", len(g.play.Told))
	}
	for n := range 3 * maxTold {
		g.tell(lab.Plain, strings.Repeat("x", n%7))
	}
	if last := g.play.Told[len(g.play.Told)-1]; len(g.play.Told) > maxTold || last.N != g.told {
		t.Errorf("%d entries, the last %+v of %d", len(g.play.Told), last, g.told)
	}
}
