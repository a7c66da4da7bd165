package lab

import "slices"

// Topology is one way of running Cloakroom: how many servers there are, who
// sends a request to which of them, and where the session object is.
type Topology struct {
	ID    string
	Name  string
	Keeps string // where the session object is, in one line
	// Kind is what keeps it.
	Kind StoreKind
	// Many servers stand behind the balancer; else one does.
	Many bool
	// Balance is how the balancer chooses among them.
	Balance Balance
	// NearCache: each server keeps copies of what it read.
	NearCache bool
}

// Balance is how a balancer chooses a server for a request.
type Balance string

// How a balancer chooses; the words are those of bff/deploy/balancer.env.
const (
	RoundRobin    Balance = "roundrobin" // in turn
	LeastConn     Balance = "leastconn"  // whoever has the fewest requests under way
	StickyCookie  Balance = "cookie"     // whom the balancer's own cookie names
	StickySession Balance = "session"    // who answered with the application's session cookie
)

// StoreKind is what keeps the session objects.
type StoreKind string

// What keeps session objects.
const (
	InMemory      StoreKind = "memory"         // a server's own memory
	InFile        StoreKind = "file"           // a file of the server's
	Replicated    StoreKind = "replicated"     // the memory of all servers, by NATS within them
	Redis         StoreKind = "redis"          // one redis-server with an append-only file
	RedisSentinel StoreKind = "redis-sentinel" // a primary and two replicas, three Sentinels
	RedisCluster  StoreKind = "redis-cluster"  // three primaries with a replica each
	Memcached     StoreKind = "memcached"      // one memcached
	SQL           StoreKind = "sql"            // PostgreSQL
	Document      StoreKind = "document"       // FerretDB, which speaks MongoDB's protocol
	InBrowser     StoreKind = "cookie"         // the browser; one Redis knows which sessions ended
)

// Outside reports whether the store is a process besides the servers.
func (k StoreKind) Outside() bool {
	return k != InMemory && k != InFile && k != Replicated
}

// Shared reports whether every server finds every session.
func (k StoreKind) Shared() bool { return k != InMemory && k != InFile }

// Topologies lists what the lab has, in the order of a report's rows.
func Topologies() []Topology {
	return []Topology{
		{"memory-1", "one server, its memory", "in the memory of the one server", InMemory, false, RoundRobin, false},
		{"file-1", "one server, its file", "in a file of the one server", InFile, false, RoundRobin, false},
		{"memory-n-round-robin", "many servers, own memory, round robin", "in the memory of the server that signed the user in, and of no other", InMemory, true, RoundRobin, false},
		{"memory-n-sticky-lb-cookie", "many servers, own memory, sticky by the balancer's cookie", "in the memory of the server that the balancer's cookie names", InMemory, true, StickyCookie, false},
		{"memory-n-sticky-app-cookie", "many servers, own memory, sticky by the session cookie", "in the memory of the server that set the session cookie", InMemory, true, StickySession, false},
		{"memory-n-replicated", "many servers that share their memory", "in the memory of three servers at once", Replicated, true, RoundRobin, false},
		{"redis-n-round-robin", "many servers, one Redis", "in one Redis, which writes it to disk", Redis, true, RoundRobin, false},
		{"memcached-n-round-robin", "many servers, one memcached", "in the memory of one memcached", Memcached, true, RoundRobin, false},
		{"redis-sentinel-n", "many servers, Redis with Sentinels", "in a Redis primary and its two replicas", RedisSentinel, true, RoundRobin, false},
		{"redis-cluster-n", "many servers, Redis Cluster", "in one of three Redis primaries and its replica", RedisCluster, true, RoundRobin, false},
		{"redis-n-sticky-near-cache", "many servers, one Redis, copies near, sticky", "in one Redis, and a copy in the server that the balancer's cookie names", Redis, true, StickyCookie, true},
		{"sql-n-round-robin", "many servers, one SQL database", "in a row of PostgreSQL", SQL, true, RoundRobin, false},
		{"document-n", "many servers, one document database", "in a document of FerretDB", Document, true, RoundRobin, false},
		{"cookie-n-round-robin", "many servers, the browser keeps the session", "in the browser, sealed; one Redis knows which sessions ended", InBrowser, true, RoundRobin, false},
	}
}

// Event is something that happens to a topology.
type Event struct {
	ID   string
	Name string
	Does string // in one line
}

// IDs of events.
const (
	Steady       = "steady"
	KillApp      = "kill-app"
	RestartApp   = "restart-app"
	Rolling      = "rolling"
	AddApp       = "add-app"
	KillStore    = "kill-store"
	RestartStore = "restart-store"
	Failover     = "failover"
	FlushStore   = "flush-store"
	FullStore    = "full-store"
	CutStore     = "cut-store"
	RotateKeys   = "rotate-keys"
	ProviderDown = "provider-down"
)

// Events lists what can happen, in the order of a report's columns.
func Events() []Event {
	return []Event{
		{Steady, "nothing", "nothing happens"},
		{KillApp, "an app server is killed", "one server is killed without a warning (SIGKILL), and started again later"},
		{RestartApp, "an app server restarts", "one server is told to end (SIGTERM), ends when it has drained, and is started again at once"},
		{Rolling, "rolling deploy", "every server in turn is told to end and started again, the next once the balancer has the one before back"},
		{AddApp, "an app server is added", "a further server with the same configuration joins"},
		{KillStore, "the store is killed", "every process of the store is killed without a warning (SIGKILL), and started again later"},
		{RestartStore, "the store restarts", "every process of the store is told to end (SIGTERM) and started again at once"},
		{Failover, "the store fails over", "the primary is killed, and a replica takes its place"},
		{FlushStore, "the store is flushed", "all that the store holds is deleted"},
		{FullStore, "the store runs out of memory", "memory is used up: what keeps sessions may take no more"},
		{CutStore, "a server is cut from the store", "what one server sends to the store, and what comes back, is held up for good"},
		{RotateKeys, "the keys are rotated", "a new key is put first into every server's ring, and comes into use while it runs"},
		{ProviderDown, "the provider is down", "the identity provider refuses connections"},
	}
}

// Events are those that can happen to this topology.
func (t Topology) Events() []Event {
	return slices.DeleteFunc(Events(), func(e Event) bool { return t.Spared(e.ID) != "" })
}

// Spared says why an event cannot happen to this topology; "": it can.
func (t Topology) Spared(event string) string {
	switch event {
	case Rolling, AddApp:
		switch {
		case !t.Many:
			return "there is one server"
		case event == AddApp && t.Kind == Replicated:
			return "the servers that share their memory are named in advance"
		}
	case KillStore, RestartStore, FlushStore:
		if !t.Kind.Outside() {
			return "there is no store besides the servers"
		}
	case Failover:
		if t.Kind != RedisSentinel && t.Kind != RedisCluster {
			return "no replica stands ready"
		}
	case FullStore:
		switch t.Kind {
		case InFile, SQL, Document:
			return "sessions are on a disk"
		case Replicated:
			return "the servers' memory is bounded by their configuration, far above what a run fills"
		}
	case CutStore:
		switch {
		case !t.Kind.Outside():
			return "there is no store besides the servers"
		case t.Kind == RedisSentinel, t.Kind == RedisCluster:
			return "a server finds the nodes by itself, so nothing can stand between"
		}
	}
	return ""
}

// FindTopology looks an ID up.
func FindTopology(id string) (Topology, bool) {
	for _, t := range Topologies() {
		if t.ID == id {
			return t, true
		}
	}
	return Topology{}, false
}

// FindEvent looks an ID up.
func FindEvent(id string) (Event, bool) {
	for _, e := range Events() {
		if e.ID == id {
			return e, true
		}
	}
	return Event{}, false
}
