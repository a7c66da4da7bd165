// Package playtest is for tests of plays: what every run must show, whatever
// its figures.
//
// It owns what is expected of each kind of store, of sticky and of round robin,
// when something happens. It runs nothing.
package playtest

import (
	"slices"

	"cloakroom/shared/lab"
)

// fact is something that must be seen of a play.
type fact struct {
	name string
	why  string
	// of says whether it is about that play.
	of   func(t lab.Topology, event string) bool
	held func(p lab.Played, servers int) bool
}

func none(p lab.Played, _ int) bool     { return p.Lost == 0 }
func all(p lab.Played, _ int) bool      { return p.Lost == p.Sessions }
func unharmed(p lab.Played, _ int) bool { return p.Lost == 0 && p.Requests.All() == p.Requests.Served }

// own reports whether each server keeps its sessions to itself, in memory.
func own(t lab.Topology) bool { return t.Kind == lab.InMemory }

// durable is a store that has everything on a disk.
func durable(t lab.Topology) bool {
	return slices.Contains([]lab.StoreKind{lab.Redis, lab.RedisSentinel, lab.RedisCluster, lab.SQL, lab.Document, lab.InBrowser}, t.Kind)
}

// lostWay is round robin over servers that do not share: most requests come to
// one that does not know the session.
func lostWay(t lab.Topology) bool { return own(t) && t.Many && t.Balance == lab.RoundRobin }

func is(events ...string) func(lab.Topology, string) bool {
	return func(_ lab.Topology, event string) bool { return slices.Contains(events, event) }
}

func and(a func(lab.Topology) bool, b func(lab.Topology, string) bool) func(lab.Topology, string) bool {
	return func(t lab.Topology, event string) bool { return a(t) && b(t, event) }
}

func not(a func(lab.Topology) bool) func(lab.Topology) bool {
	return func(t lab.Topology) bool { return !a(t) }
}

var facts = []fact{
	{"round robin over private memory refuses (N-1)/N", "only the server that signed a user in knows the session",
		and(lostWay, is(lab.Steady)),
		func(p lab.Played, servers int) bool {
			share, want := float64(p.Requests.Refused)/float64(p.Requests.All()), float64(servers-1)/float64(servers)
			return share > want-.1 && share < want+.1
		}},
	{"with nothing happening nobody notices anything", "sticky holds, one server knows all, and a shared store is shared",
		and(not(lostWay), is(lab.Steady)), unharmed},
	{"sticky holds until its server dies", "its memory dies with it, and nobody else's does",
		func(t lab.Topology, event string) bool { return own(t) && t.Many && event == lab.KillApp },
		func(p lab.Played, _ int) bool { return p.Lost > 0 && p.Lost < p.Sessions }},
	{"one server's memory dies with it", "there is no other",
		func(t lab.Topology, event string) bool {
			return own(t) && !t.Many && (event == lab.KillApp || event == lab.RestartApp)
		}, all},
	{"a deploy ends what is in private memory", "every server restarts",
		and(own, is(lab.Rolling)), all},
	{"what is shared, or in a file, outlives its servers", "the session is elsewhere",
		and(not(own), is(lab.KillApp, lab.RestartApp, lab.Rolling)), none},
	{"a rolling deploy on a shared store fails no request", "a server drains before it goes, and the balancer sees that",
		func(t lab.Topology, event string) bool { return t.Kind.Outside() && event == lab.Rolling }, unharmed},
	{"what is on a disk outlives the store's restart", "it is read again",
		and(durable, is(lab.KillStore, lab.RestartStore)), none},
	{"what is in memcached does not", "it has no disk",
		func(t lab.Topology, event string) bool {
			return t.Kind == lab.Memcached && (event == lab.KillStore || event == lab.RestartStore)
		}, all},
	{"a failover loses no session", "the replica has it before it is confirmed",
		is(lab.Failover), none},
	{"a flush ends what the store has", "it is deleted",
		func(t lab.Topology, event string) bool { return event == lab.FlushStore && t.Kind != lab.InBrowser }, all},
	{"a denylist that is flushed ends nothing, and has forgotten who is on it", "the session is in the browser, and copies of it are good again",
		func(t lab.Topology, event string) bool { return event == lab.FlushStore && t.Kind == lab.InBrowser },
		func(p lab.Played, _ int) bool {
			return p.Lost == 0 && slices.ContainsFunc(p.Wrongs, func(w lab.Wrong) bool { return w.Rule == lab.NotBack })
		}},
	{"a server that is cut from the store loses nothing", "the store has it", is(lab.CutStore), none},
	{"who uses a session keeps it when memory is full", "a store that evicts takes the longest idle, one that does not refuses new ones",
		is(lab.FullStore), none},
	{"keys are rotated unnoticed", "the old one opens still", and(not(lostWay), is(lab.RotateKeys)), unharmed},
	{"a further server is not noticed", "it knows what the others know, or gets new sessions only", and(not(lostWay), is(lab.AddApp)), unharmed},
	{"who is signed in needs no provider", "tokens last, and are renewed later", and(not(lostWay), is(lab.ProviderDown)), unharmed},
}

// T is what Check needs of a *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check holds a play to every fact that is about it, and to what always holds.
// servers is how many there were.
func Check(t T, topology lab.Topology, servers int, p lab.Played) {
	t.Helper()
	if p.Failed != "" || p.Missing != "" {
		t.Errorf("%s, %s: it was not played: %s%s", p.Topology, p.Event, p.Failed, p.Missing)
		return
	}
	if p.Requests.All() == 0 || p.Sessions == 0 {
		t.Errorf("%s, %s: nobody looked: %+v", p.Topology, p.Event, p.Requests)
	}
	for _, f := range facts {
		if f.of(topology, p.Event) && !f.held(p, servers) {
			t.Errorf("%s, %s: not so: %s (%s)\n%d of %d sessions lost, requests %+v, recovery %v, steps %q", p.Topology, p.Event, f.name, f.why, p.Lost, p.Sessions, p.Requests, after(p.Recovery), p.Steps)
		}
	}
	for _, w := range p.Wrongs {
		if w.Rule == lab.NotBack && mayComeBack(topology, p.Event) {
			continue
		}
		t.Errorf("%s, %s: %s, %d times: %s", p.Topology, p.Event, w.Rule, w.Times, w.Saw)
	}
}

// mayComeBack is where who signed out can be served again, and why this is known:
// round robin over private memory signs out at a server that does not know the
// session; and a denylist that is flushed has forgotten who is on it.
func mayComeBack(t lab.Topology, event string) bool {
	return lostWay(t) || t.Kind == lab.InBrowser && event == lab.FlushStore
}

func after(ms *float64) any {
	if ms == nil {
		return "none"
	}
	return *ms
}
