package main

import (
	"math"
	"slices"
)

// cost is what the kind of store makes of each event, in µs of processor time and
// in bytes.
type cost struct {
	Call, StoreCall     float64 // a call: of an instance, of the store
	Write, StoreWrite   float64
	Create, StoreCreate float64
	Push, StorePush     float64 // news of a write, for each instance
	Pushes              bool    // every write is told to every instance
	Trips               float64 // calls of the store for a call
	// Bytes a session takes: in the store, or in the instances.
	StoreBytes, InstanceBytes float64
	Cookie                    float64 // bytes with every request
}

// kind is a way to keep sessions.
type kind struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// cost may depend on how many instances there are.
	cost  func(m *model, instances float64) cost
	walls []wall
	// shards: the store is as many Redis servers as it takes.
	shards bool
	// cores of a server of the store; nil: it has none.
	serverCores func(m *model) float64
}

var kinds = []kind{
	{ID: "memory", Label: "memory, sticky", cost: inMemory, walls: []wall{deployWall}},
	{ID: "redis", Label: "Redis, one server", cost: inRedis, serverCores: oneCore,
		walls: []wall{storeCPUWall, storeMemoryWall, storeNetworkWall}},
	{ID: "redis-near", Label: "Redis with near cache, sticky", cost: nearRedis, serverCores: oneCore,
		walls: []wall{storeCPUWall, storeMemoryWall, storeNetworkWall, pushWall}},
	{ID: "redis-cluster", Label: "Redis Cluster", cost: inRedis, serverCores: oneCore, shards: true,
		walls: []wall{shardsWall, clientsWall}},
	{ID: "redis-cluster-near", Label: "Redis Cluster with near cache, sticky", cost: nearRedis, serverCores: oneCore, shards: true,
		walls: []wall{shardsWall, clientsWall, pushWall}},
	{ID: "postgres", Label: "PostgreSQL", cost: inPostgres, serverCores: func(m *model) float64 { return m.SQLCores },
		walls: []wall{storeCPUWall, connectionsWall, storeNetworkWall}},
	{ID: "cookie", Label: "sealed cookie, sticky", cost: func(m *model, _ float64) cost { return inCookie(m, 1) }},
	{ID: "cookie-round-robin", Label: "sealed cookie, round robin", cost: inCookie},
	{ID: "nats", Label: "replicated memory (NATS)", cost: inNATS, serverCores: func(m *model) float64 { return m.Cores },
		walls: []wall{leaderWall, replicaWall}},
}

// find is the kind of that ID, which there must be.
func find(id string) kind {
	return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.ID == id })]
}

// copies of each session where instances share their memory (bff/session/nats).
const copies = 3

func oneCore(*model) float64 { return 1 }

// base is what a call costs in memory, and a call of another store instead: the
// request was measured with some stores only.
func (m *model) base(store string) float64 {
	return m.in.get("Call/memory cpu-us/op") - m.in.get("store/memory Get") + m.in.get("store/"+store+" Get")
}

func (m *model) stored(c cost, store string) cost {
	c.Write, c.StoreWrite = m.in.get("store/"+store+" Update"), m.in.get("store/"+store+" Update server")
	c.Create, c.StoreCreate = m.in.get("store/"+store+" Create"), m.in.get("store/"+store+" Create server")
	c.Cookie = m.in.get("ticket cookie bytes")
	return c
}

func inMemory(m *model, _ float64) cost {
	return m.stored(cost{Call: m.in.get("Call/memory cpu-us/op"), InstanceBytes: m.in.get("store/memory bytes")}, "memory")
}

func inRedis(m *model, _ float64) cost {
	return m.stored(cost{
		Call: m.in.get("Call/redis cpu-us/op"), StoreCall: m.in.get("Call/redis store-us/op"),
		Trips: m.in.get("topology/redis-n-round-robin round trips"), StoreBytes: m.in.get("store/redis bytes"),
	}, "redis")
}

func nearRedis(m *model, instances float64) cost {
	c, miss := inRedis(m, instances), m.missRate()
	c.Call = miss*c.Call + (1-miss)*m.in.get("Call/redis-near cpu-us/op")
	c.StoreCall, c.Trips = miss*c.StoreCall, miss*c.Trips
	c.Pushes, c.Push, c.StorePush = true, m.in.get("Push/redis/instance"), m.in.get("Push/redis/server")
	return c
}

func inPostgres(m *model, _ float64) cost {
	return m.stored(cost{
		Call: m.base("postgres"), StoreCall: m.in.get("store/postgres Get server"),
		Trips: m.in.get("topology/sql-n-round-robin round trips"), StoreBytes: m.in.get("store/postgres bytes"),
	}, "postgres")
}

// inCookie: an instance opens a cookie when it sees it first, that is after each
// renewal, and each instance for itself. The calls until the next renewal meet so
// many of the instances, at random.
func inCookie(m *model, instances float64) cost {
	r := m.rates(1)
	calls := max(1, r.Calls/(r.Renewals+r.SignIns))
	first := 1.0
	if !math.IsInf(instances, 0) {
		first = instances * (1 - math.Pow(1-1/instances, calls)) / calls
	}
	known, unknown := m.in.get("Call/jwe cpu-us/op"), m.in.get("Call/jwe-first cpu-us/op")
	c := m.stored(cost{Call: first*unknown + (1-first)*known}, "memory")
	c.Cookie = m.in.get("sealed cookie bytes")
	return c
}

// inNATS: three instances were measured in one process, whose work is counted
// once, as that of all.
func inNATS(m *model, _ float64) cost {
	c := m.stored(cost{Call: m.base("nats-cluster"), Trips: m.in.get("topology/memory-n-replicated round trips"),
		InstanceBytes: copies * m.in.get("store/nats-cluster bytes")}, "nats-cluster")
	// The stream has one leader, through which every call goes.
	c.StoreCall, c.StoreWrite, c.StoreCreate = m.in.get("store/nats-cluster Get"), c.Write, c.Create
	return c
}
