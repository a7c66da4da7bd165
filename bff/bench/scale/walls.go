package main

import (
	"cmp"
	"math"
	"slices"
)

// wall is something that runs out. used is the share of it that is taken.
type wall struct {
	ID, Label string
	used      func(m *model, n need) float64
}

// stands is a wall and the number of sessions at which it stands.
type stands struct {
	ID       string  `json:"id"`
	Label    string  `json:"label"`
	Sessions float64 `json:"sessions"`
}

// everywhere are the walls of all kinds.
var everywhere = []wall{
	{"provider", "the provider's token endpoint", func(m *model, n need) float64 {
		return (n.Rates.Renewals + n.Rates.SignIns) / (m.Provider * m.ProviderMay)
	}},
	{"edge", "the network of one balancer", func(m *model, n need) float64 {
		return max(n.UpGbit, n.BrowserGbit-n.UpGbit) / m.Network // it is full duplex
	}},
}

var (
	// Whoever is back during the deploy signs in again, since each instance is new
	// once.
	deployWall = wall{"deploy", "the provider during a deploy, which signs everybody out", func(m *model, n need) float64 {
		minutes := m.Deploy.Minutes()
		back := n.Sessions * (1 - math.Pow(1-m.Active, minutes))
		return (back/m.Deploy.Seconds() + n.Rates.SignIns) / m.Provider
	}}
	storeCPUWall = wall{"store-cpu", "the store's processor", func(m *model, n need) float64 {
		return n.StoreCores / (m.storeCores * m.Store)
	}}
	storeMemoryWall = wall{"store-memory", "the store's memory", func(m *model, n need) float64 {
		return n.StoreGB / (m.Shard * m.Full)
	}}
	storeNetworkWall = wall{"store-network", "the store's network", func(m *model, n need) float64 { return n.StoreGbit / m.Network }}
	shardsWall       = wall{"shards", "the shards of one Cluster", func(m *model, n need) float64 { return n.Shards / m.Shards }}
	// Each instance is connected to each shard, and hears the news of it by a
	// connection more.
	clientsWall = wall{"clients", "connections of each shard, instances x shards in all", func(m *model, n need) float64 {
		return n.Instances * (m.Sockets + 1) / m.Clients
	}}
	pushWall = wall{"push", "news of every write to every instance, O(N²)", func(m *model, n need) float64 {
		return n.PushCores / (m.Cores * m.Instance)
	}}
	connectionsWall = wall{"connections", "the store's connections", func(m *model, n need) float64 {
		return n.Instances * m.SQLPool / m.SQLConns
	}}
	leaderWall = wall{"leader", "the stream's one leader", func(m *model, n need) float64 {
		return n.StoreCores / (m.Cores * m.Store)
	}}
	replicaWall = wall{"replica", "the memory of one instance, which has all sessions", func(m *model, n need) float64 {
		return n.InstanceGB / copies / (m.Memory * m.Full)
	}}
)

// wallsOf are a kind's walls, the first one first.
func (m *model) wallsOf(k kind) []stands {
	m = m.of(k)
	var list []stands
	for _, w := range slices.Concat(everywhere, k.walls) {
		at := m.upTo(k, func(n need) bool { return w.used(m, n) <= 1 })
		list = append(list, stands{w.ID, w.Label, at})
	}
	slices.SortStableFunc(list, func(a, b stands) int { return cmp.Compare(a.Sessions, b.Sessions) })
	return list
}
