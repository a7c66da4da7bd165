package main

import "math"

// model is a usage, the inputs, and how busy what serves may be.
type model struct {
	usage
	in *inputs
	ceilings
	storeCores float64 // of a server of the store
}

// of is the model for a kind.
func (m *model) of(k kind) *model {
	made := *m
	if k.serverCores != nil {
		made.storeCores = k.serverCores(m)
	}
	return &made
}

// ceilings are shares of time, 0 to 1.
type ceilings struct {
	Instance    float64 `json:"instance"`
	Store       float64 `json:"store"`
	ProviderMay float64 `json:"provider_may"`
}

// need is what so many sessions need. Instances is +Inf where no number of them
// is enough; NaN is what cannot be said, since an input is missing.
type need struct {
	Sessions float64 `json:"sessions"`
	Rates    rates   `json:"rates"`

	Instances     float64 `json:"instances"`
	InstanceCores float64 `json:"instance_cores"` // that are busy
	InstanceGB    float64 `json:"instance_gb"`
	PushCores     float64 `json:"push_cores"` // of each instance, busy with news

	StoreCores float64 `json:"store_cores"` // that are busy; of NATS, the leader's
	StoreGB    float64 `json:"store_gb"`
	Shards     float64 `json:"shards"` // Redis servers, without their replicas
	ByMemory   float64 `json:"shards_by_memory"`
	ByCPU      float64 `json:"shards_by_cpu"`

	StoreGbit   float64 `json:"store_gbit"`   // between instances and store, payload
	BrowserGbit float64 `json:"browser_gbit"` // both ways
	UpGbit      float64 `json:"browser_up_gbit"`
	Cookie      float64 `json:"cookie_bytes"`
}

const (
	micro = 1e-6
	giga  = 1e9
	gbit  = 8 / 1e9 // of bytes
)

// need of so many sessions of a kind. The cost of a call may hang on how many
// instances there are, and theirs on that: it looks for the least number that
// is enough.
func (m *model) need(k kind, sessions float64) need {
	n := m.at(k, sessions, 1)
	for range 100 {
		// What another round would ask for; it grows, and settles or does not.
		next := m.at(k, sessions, n.Instances)
		if next.Instances == n.Instances || math.IsNaN(next.Instances) || math.IsInf(next.Instances, 0) {
			return next
		}
		n = next
	}
	n.Instances = math.Inf(1)
	return n
}

// at is the need when there are so many instances; Instances are those that it
// would take.
func (m *model) at(k kind, sessions, instances float64) need {
	c, r := k.cost(m, instances), m.rates(sessions)
	n := need{Sessions: sessions, Rates: r, Cookie: c.Cookie}

	// A renewal is taken for a sign-in, of which it is a part.
	signIn := m.in.get("SignIn/cpu")
	shared := micro * (r.Calls*c.Call + r.Writes*c.Write + r.SignIns*c.Create + (r.Renewals+r.SignIns)*signIn)
	n.StoreCores = micro * (r.Calls*c.StoreCall + r.Writes*c.StoreWrite + r.SignIns*c.StoreCreate)
	record := m.in.get("record bytes")
	n.StoreGbit = gbit * record * (r.Calls*c.Trips + r.Writes + r.SignIns)
	if c.StoreBytes == 0 && c.Trips == 0 {
		n.StoreGbit = 0
	}
	if c.Pushes {
		n.PushCores = micro * (r.Writes + r.SignIns) * c.Push
		n.StoreCores += micro * (r.Writes + r.SignIns) * c.StorePush * instances
	}
	free := m.Cores*m.Instance - n.PushCores
	n.Instances = math.Ceil(shared / free)
	if free <= 0 {
		n.Instances = math.Inf(1)
	}
	n.InstanceGB = sessions * c.InstanceBytes / giga
	base := m.in.get("Call/memory rss-B") / giga
	if k.ID == "nats" {
		n.Instances = max(n.Instances, copies)
	} else {
		n.Instances = max(n.Instances, math.Ceil(n.InstanceGB/(m.Memory*m.Full-base)))
	}
	n.Instances = max(n.Instances, 1)
	n.InstanceGB += n.Instances * base
	n.InstanceCores = shared + n.Instances*n.PushCores

	n.StoreGB = sessions * c.StoreBytes / giga
	if k.serverCores != nil && c.StoreBytes > 0 {
		n.ByMemory = math.Ceil(n.StoreGB / (m.Shard * m.Full))
		n.ByCPU = math.Ceil(n.StoreCores / m.Store)
		n.Shards = max(1, n.ByMemory, n.ByCPU)
		if !k.shards {
			n.Shards = 1
		}
	}
	n.UpGbit = gbit * r.Calls * (m.Request + c.Cookie)
	n.BrowserGbit = n.UpGbit + gbit*r.Calls*m.Answer
	return n
}

// sizes of crowds and of fleets that are told.
var (
	crowds = []float64{1e3, 1e5, 1e6, 1e7, 1e8}
	fleets = []float64{1, 10, 1000}
)

// most is where a search ends.
const most = 1e11

// upTo is the largest number of sessions for which fits is true; most: always,
// NaN: it cannot be said.
func (m *model) upTo(k kind, fits func(need) bool) float64 {
	if n := m.need(k, 1); math.IsNaN(n.Instances + n.InstanceCores + n.StoreCores + n.StoreGB) {
		return math.NaN()
	}
	if fits(m.need(k, most)) {
		return most
	}
	low, high := 1.0, most
	for high/low > 1.001 {
		middle := math.Sqrt(low * high)
		if fits(m.need(k, middle)) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// carries is how many sessions that many instances carry, however large the store.
func (m *model) carries(k kind, instances float64) float64 {
	return m.upTo(k, func(n need) bool { return n.Instances <= instances })
}
