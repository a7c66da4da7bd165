package ui

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Playing is a topology that runs, or the choice of one.
type Playing struct {
	Phase   Phase
	Failure Failure
	Absent  bool // no live lab is here
	Ground  lab.Playground
	Play    *lab.Play
	Busy    bool // a start, an event or an end is under way
	Silent  bool // nothing is heard of the play
	Notice  Notice
	Call    Call
	Chosen  string // the instance that events of one instance are to happen to

	trips map[string]Trip
	ticks map[string]Tick
	calls map[string]int64 // of the store, by server, as last heard
	seen  int              // the last Hop
}

// Trip is how the way to a server is drawn.
type Trip struct {
	Fresh bool // a request has just gone there
	Turn  int  // counts them, so that each is seen to begin
	Mark  HopMark
}

// Tick is how the way from a server to its store is drawn.
type Tick struct {
	Fresh bool
	Turn  int
}

// HopMark is how a request ended.
type HopMark string

// How a request ends.
const (
	HopServed  HopMark = "served"
	HopRefused HopMark = "refused" // 401
	HopFailed  HopMark = "failed"  // 5xx, or no answer
)

func markOfStatus(status int) HopMark {
	switch {
	case status == 401:
		return HopRefused
	case status == 0 || status >= 500:
		return HopFailed
	}
	return HopServed
}

// Call is what became of the page's own calls.
type Call struct {
	Made    int
	Pending bool
	Text    string // of the last
	Bad     bool
}

const paramCalls = "calls" // of the page's address: it calls by itself
const byItself = "auto"

// CallsByItself reports whether an address says that the page calls by itself.
func CallsByItself(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Get(paramCalls) == byItself
}

// PlayURL is the page's address, with its own calls or without.
func PlayURL(auto bool) string {
	if auto {
		return pathPlay + "?" + paramCalls + "=" + byItself
	}
	return pathPlay
}

// Loaded takes what there is to play with.
func (p *Playing) Loaded(g lab.Playground) {
	p.Phase, p.Failure, p.Absent, p.Silent, p.Ground = Ready, Failure{}, false, false, g
	if g.Play != nil {
		p.Heard(*g.Play)
	}
}

// LoadFailed tells a server without a live lab from one that is silent, as
// Try's does.
func (p *Playing) LoadFailed(f Failure) {
	p.Phase, p.Failure = Failed, f
	p.Absent = f.Fault == FaultRefused || f.Fault == FaultSignedOut || f.Fault == FaultDown && f.Code == ""
}

// Going reports whether a topology runs, or is on its way.
func (p *Playing) Going() bool { return p.Play != nil && !p.Play.Over() }

// Running reports whether there is something to play with.
func (p *Playing) Running() bool { return p.Play != nil && p.Play.Phase == lab.PlayRunning }

// Topology is the one that is played with.
func (p *Playing) Topology() lab.Topology {
	if p.Play == nil {
		return lab.Topology{}
	}
	t, _ := lab.FindTopology(p.Play.Topology)
	return t
}

// Missing says why a topology cannot be run; "": it can.
func (p *Playing) Missing(id string) string { return offer(p.Ground.Topologies, id).Missing }

// Begin is a button. It reports false when nothing can begin now.
func (p *Playing) Begin() bool {
	if p.Busy {
		return false
	}
	p.Busy, p.Notice = true, Notice{}
	return true
}

// Did is the end of what Begin began.
func (p *Playing) Did(f Failure) {
	p.Busy = false
	switch {
	case f.Fault == FaultNone:
	case f.Code == problem.LabBusy:
		p.Notice = Notice{Bad: true, Text: "Something else goes on, maybe in another tab of yours. There is one at a time."}
	default:
		p.Notice = Notice{Bad: true, Text: "That did not happen. " + f.Sentence()}
	}
}

// Heard takes what is new; what is older than what is known is not.
func (p *Playing) Heard(now lab.Play) {
	first := p.Play == nil || p.Play.ID != now.ID
	if !first && now.Seq < p.Play.Seq {
		return
	}
	p.Silent = false
	if first {
		p.trips, p.ticks, p.calls, p.seen = map[string]Trip{}, map[string]Tick{}, map[string]int64{}, 0
		for _, hop := range now.Hops[:max(0, len(now.Hops)-1)] {
			p.seen = hop.N // of what was before, only the last is shown
		}
	}
	p.Play = &now
	p.travel(now.Hops)
	p.tick(now.Servers, first)
}

// travel marks the ways that the new requests took. Those for parts of the page
// are shown only if there are no others.
func (p *Playing) travel(hops []lab.Hop) {
	fresh := slices.DeleteFunc(slices.Clone(hops), func(h lab.Hop) bool { return h.N <= p.seen })
	if len(fresh) == 0 {
		return
	}
	p.seen = fresh[len(fresh)-1].N
	if slices.ContainsFunc(fresh, func(h lab.Hop) bool { return !h.Shell }) {
		fresh = slices.DeleteFunc(fresh, func(h lab.Hop) bool { return h.Shell })
	}
	for name, trip := range p.trips {
		trip.Fresh = false
		p.trips[name] = trip
	}
	go1 := func(name string, mark HopMark) {
		p.trips[name] = Trip{Fresh: true, Turn: p.trips[name].Turn + 1, Mark: mark}
	}
	for _, hop := range fresh {
		for _, name := range hop.Tried {
			go1(name, HopFailed)
		}
		if hop.Server != "" {
			go1(hop.Server, markOfStatus(hop.Status))
		}
	}
}

func (p *Playing) tick(servers []lab.Served, first bool) {
	for _, s := range servers {
		calls := s.Reads + s.Writes
		before, t := p.calls[s.Name], p.ticks[s.Name]
		if t.Fresh = calls > before && !first; t.Fresh {
			t.Turn++
		}
		p.calls[s.Name], p.ticks[s.Name] = calls, t
	}
}

// OfOneServer reports whether an event happens to one instance.
func OfOneServer(event string) bool {
	return event == lab.KillApp || event == lab.RestartApp || event == lab.CutStore
}

// EventName is an event as its button has it.
func (p *Playing) EventName(e lab.Event) string {
	if target := p.Target(); OfOneServer(e.ID) && len(p.Play.Servers) > 1 {
		switch e.ID {
		case lab.KillApp:
			return "kill instance " + target
		case lab.RestartApp:
			return "restart instance " + target
		case lab.CutStore:
			return "cut instance " + target + " from the store"
		}
	}
	return e.Name
}

// Target is the instance that an event of one instance happens to: the chosen
// one, or the one that has the session of whoever looks on.
func (p *Playing) Target() string {
	if p.Play == nil || len(p.Play.Servers) == 0 {
		return ""
	}
	has := func(name string) bool {
		return slices.ContainsFunc(p.Play.Servers, func(s lab.Served) bool { return s.Name == name })
	}
	if has(p.Chosen) {
		return p.Chosen
	}
	for _, name := range p.Play.You.At {
		if has(name) {
			return name
		}
	}
	return p.Play.Servers[0].Name
}

// LastCall is the last request that was not for a part of the page.
func (p *Playing) LastCall() (lab.Hop, bool) {
	if p.Play == nil {
		return lab.Hop{}, false
	}
	for _, hop := range slices.Backward(p.Play.Hops) {
		if !hop.Shell {
			return hop, true
		}
	}
	return lab.Hop{}, false
}

// Calling is a call of the page's own. It reports false while one is under way.
func (p *Playing) Calling() bool {
	if p.Call.Pending {
		return false
	}
	p.Call.Pending = true
	return true
}

// Called is what became of it.
func (p *Playing) Called(orders int, f Failure) {
	p.Call.Pending, p.Call.Made = false, p.Call.Made+1
	switch {
	case f.Fault == FaultNone:
		p.Call.Text, p.Call.Bad = fmt.Sprintf("Call %d was answered: you have %d orders.", p.Call.Made, orders), false
	default:
		p.Call.Text, p.Call.Bad = fmt.Sprintf("Call %d was not: %s", p.Call.Made, f.Sentence()), true
	}
}

// Where says where the session of whoever looks on is.
func (p *Playing) Where() string {
	if p.Play == nil {
		return ""
	}
	you, t := p.Play.You, p.Topology()
	switch {
	case you.Session == "":
		return "Nobody is signed in here, so there is no session yet."
	case len(you.At) == 0 && you.Gone != "":
		return "Your browser still holds its ticket, and nobody has a coat for it any more."
	case len(you.At) == 0:
		return "Your browser holds a ticket from before this topology."
	case you.At[0] == lab.AtBrowser:
		return "Your session is in your browser, sealed. Every instance with the keys can open it."
	case you.At[0] == lab.AtStore && t.NearCache:
		return "Your session is in " + storeName(t.Kind) + ", and for moments a copy is in the instance that you are sent to."
	case you.At[0] == lab.AtStore:
		return "Your session is in " + storeName(t.Kind) + ". Any instance can ask for it."
	case t.Kind == lab.InFile:
		return "Your session is in the file of instance " + you.At[0] + "."
	case len(you.At) > 1:
		return "Your session is in the memory of the instances " + and(you.At) + "."
	}
	return "Your session is in the memory of instance " + you.At[0] + ", and nowhere else."
}

func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// storeName is a store for a person.
func storeName(kind lab.StoreKind) string {
	switch kind {
	case lab.Redis:
		return "Redis"
	case lab.RedisSentinel:
		return "Redis, behind Sentinels"
	case lab.RedisCluster:
		return "a Redis Cluster"
	case lab.Memcached:
		return "memcached"
	case lab.SQL:
		return "PostgreSQL"
	case lab.Document:
		return "FerretDB"
	}
	return string(kind)
}

// balanceName is a policy for a person.
func balanceName(b lab.Balance) string {
	switch b {
	case lab.RoundRobin:
		return "each in its turn"
	case lab.LeastConn:
		return "whoever has the least to do"
	case lab.StickyCookie:
		return "sticky by its own cookie"
	case lab.StickySession:
		return "sticky by your ticket"
	}
	return string(b)
}

// part is a system of the chapter, and its topologies.
type part struct {
	title, text string
	has         func(lab.Topology) bool
}

// parts are the chapter's systems in its order.
func parts() []part {
	return []part{
		{"One server", "The session object is in the server. Nothing is faster, and a crash loses what is in its memory.",
			func(t lab.Topology) bool { return !t.Many }},
		{"Many servers, each with its own memory", "The balancer must send you back to where your session is. Round robin does not, sticky does, until that server dies.",
			func(t lab.Topology) bool { return t.Many && t.Kind == lab.InMemory }},
		{"Shared storage", "Any server can answer any request, and may die. What must not fall now is the store.",
			func(t lab.Topology) bool {
				return t.Many && t.Kind.Shared() && !slices.Contains([]lab.StoreKind{lab.SQL, lab.Document, lab.InBrowser}, t.Kind)
			}},
		{"Session in a database", "Where losing it would hurt.",
			func(t lab.Topology) bool { return t.Kind == lab.SQL || t.Kind == lab.Document }},
		{"Session in the browser", "Nothing at the server but the keys, and a note of what ended.",
			func(t lab.Topology) bool { return t.Kind == lab.InBrowser }},
	}
}
