package lab

import "time"

// Balancers lists what can stand in front: the lab's own, and those whose files
// are in bff/deploy, by which TLS always ends at the balancer.
func Balancers() []string { return []string{Embedded, "haproxy", "nginx", "caddy"} }

// Embedded is the lab's own balancer.
const Embedded = "embedded"

// Deployed is a topology as it stands.
type Deployed struct {
	Topology string `json:"topology"`
	Balancer string `json:"balancer"` // one of Balancers
	TLS      bool   `json:"tls"`      // ended at the balancer
	Origin   string `json:"origin"`   // where browsers reach it
	Issuer   string `json:"issuer"`
	Nodes    []Node `json:"nodes"`
}

// Node is one process of a topology, or a party that it needs.
type Node struct {
	Kind    NodeKind  `json:"kind"`
	Name    string    `json:"name"`    // "a", "b", ... for servers; "redis-1", ... for stores
	Address string    `json:"address"` // host:port
	State   NodeState `json:"state"`
	// Role is "primary" or "replica" of a node that is known to be one.
	Role string `json:"role,omitempty"`
	// Cut: this server is cut from the store.
	Cut bool `json:"cut,omitempty"`
}

// NodeKind is what a node is for.
type NodeKind string

// Kinds of nodes.
const (
	NodeServer   NodeKind = "server" // cloakroom serve
	NodeStore    NodeKind = "store"
	NodeProvider NodeKind = "provider"
	NodeAPI      NodeKind = "api"
)

// NodeState is whether a node does its work.
type NodeState string

// States of a node.
const (
	NodeUp       NodeState = "up"
	NodeStarting NodeState = "starting"
	NodeDraining NodeState = "draining" // it was told to end, and finishes its work
	NodeDown     NodeState = "down"
)

// TopologyReport is what came out when events were played on topologies.
type TopologyReport struct {
	Made Made `json:"made"`
	// How: what the figures hang on.
	Instances int    `json:"instances"` // where a topology has many
	Balancer  string `json:"balancer"`
	TLS       bool   `json:"tls"`
	Visitors  int    `json:"visitors"` // each with a session of their own
	// Topologies are what was measured apart from events.
	Topologies []Costs  `json:"topologies"`
	Played     []Played `json:"played"`
}

// Costs is what a topology costs while nothing happens to it.
type Costs struct {
	Topology  string `json:"topology"`
	Instances int    `json:"instances"`
	// SessionBytes is what a session takes at the server's side; SessionFrom is
	// how that was found. nil: it cannot be.
	SessionBytes *float64 `json:"session_bytes,omitempty"`
	SessionFrom  string   `json:"session_from,omitempty"`
	// Logout is the time in milliseconds from asking for a sign-out until the
	// last server refuses the session: the median and the worst of some sign-outs.
	Logout *Spread  `json:"logout,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	// Missing says why the topology could not be run here, Failed what kept the
	// lab from running it; empty: nothing.
	Missing string `json:"missing,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

// Spread is the middle and the far end of some times, in milliseconds.
type Spread struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"` // of few, the worst
	N   int     `json:"n"`
}

// Played is one event on one topology: what the load saw from a moment before
// it until things were right again.
type Played struct {
	Topology string `json:"topology"`
	Event    string `json:"event"`
	// Sessions were served before the event; Lost are those among them that
	// nobody serves after it.
	Sessions int `json:"sessions"`
	Lost     int `json:"lost"`
	// Requests by outcome: of all, from the event on.
	Requests Outcomes `json:"requests"`
	// Recovery is the time in milliseconds from the event to the last request
	// that was not answered as it should be, refusals apart; 0: all were. nil: there
	// was one still at the end.
	Recovery *float64 `json:"recovery_ms,omitempty"`
	// Times of the requests that were served.
	Times Spread `json:"times"`
	// RoundTrips to the store for each request that needs a session; HitRate of the
	// near cache, 0 to 1. Of the servers that ran throughout. nil: there is no store
	// outside, or no near cache.
	RoundTrips *float64 `json:"round_trips,omitempty"`
	HitRate    *float64 `json:"hit_rate,omitempty"`
	// Timeline has an entry for each Tick of the event, and of a moment before.
	Timeline []Outcomes    `json:"timeline,omitempty"`
	Tick     time.Duration `json:"tick_ns,omitempty"`
	Begins   int           `json:"begins"` // the entry of Timeline that the event is in
	// Ends is the entry in which things were put right again, by hand; 0: they need not be.
	Ends int `json:"ends,omitempty"`
	// Wrongs are breaches of what always holds: a request answered as another
	// user, a signed-out session that came back, a 5xx that is no declared 503.
	Wrongs []Wrong `json:"wrongs,omitempty"`
	// Steps are what was done and seen, in words.
	Steps []string `json:"steps"`
	// Missing says why the event could not be played, Failed what kept the lab
	// from playing it; empty: nothing.
	Missing string `json:"missing,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

// Outcomes counts requests by how they were answered.
type Outcomes struct {
	Served   int `json:"served"`   // as who the visitor is
	Refused  int `json:"refused"`  // 401: nobody is signed in
	Declared int `json:"declared"` // 503: come again
	Failed   int `json:"failed"`   // another error, or no answer
}

// All is how many there are.
func (o Outcomes) All() int { return o.Served + o.Refused + o.Declared + o.Failed }

// Wrong is a breach of what always holds, and how often it was seen.
type Wrong struct {
	Rule  Rule   `json:"rule"`
	Saw   string `json:"saw"` // the first time, in words
	Times int    `json:"times"`
}

// Rule is something that always holds, whatever happens.
type Rule string

// What always holds.
const (
	NotAnother Rule = "another-user"   // no request is answered as another user
	NotBack    Rule = "signed-out"     // no signed-out session comes back
	Not5xx     Rule = "undeclared-5xx" // no 5xx but a declared 503
)
