package main

import (
	"encoding/json"
	"math"
	"slices"
)

// report is everything that was derived, and from what.
type report struct {
	Usage     usage      `json:"usage"`
	Seed      uint64     `json:"seed"`
	Inputs    []figure   `json:"inputs"`
	Missing   []string   `json:"missing"` // inputs that nobody measured
	StandIns  []string   `json:"stand_ins"`
	Ceilings  ceilings   `json:"ceilings"`
	Derived   bool       `json:"ceilings_derived"`
	Busy      []busy     `json:"busy"`
	Storms    []storm    `json:"storms"`
	Failovers []failover `json:"failovers"`
	Lab       *labCheck  `json:"lab,omitempty"`
	Rates     []rates    `json:"rates"` // of crowds
	Rows      []row      `json:"rows"`
	// NearPays is up to how many sessions a near cache before a Cluster spares the
	// store more than news of writes cost it.
	NearPays need `json:"near_pays"`
	// Unknown are kinds of which nothing can be said, since an input is missing.
	Unknown []string `json:"unknown"`
	// Uncommitted is the file of requests when it is not the committed one.
	Uncommitted string `json:"uncommitted,omitempty"`
}

// row is a kind of store.
type row struct {
	kind
	Needs  []need    `json:"needs"`  // of crowds
	Fleets []carried `json:"fleets"` // of fleets
	Walls  []stands  `json:"walls"`
}

// carried is what that many instances carry.
type carried struct {
	Instances float64 `json:"instances"`
	need
	// Past is the wall of the kind's own that stands before that; nil: none.
	Past *stands `json:"past,omitempty"`
}

// labCheck holds the simulated failover to the one that was played.
type labCheck struct {
	Saw      float64  `json:"saw_share_refused"`
	Supposed failover `json:"simulated"`
}

// standIns are figures that nobody measured, and what was taken for each.
var standIns = []string{
	"a renewal: a sign-in, of which it is a part (too much)",
	"news of a write: of one to a single Redis, which was busy with them, so that several travelled together",
	"a call over PostgreSQL or NATS: one in memory, and the difference of their Gets",
	"a call over Redis Cluster: one over a single Redis",
	"NATS: three instances were measured in one process, whose work counts as the leader's (too much) and once for all of them",
	"service times: exponential with the measured mean",
	"the end of a session: an update",
	"a Redis server that has no replica and writes nothing to a disk; what a disk can write, of PostgreSQL either, is left out",
	"an instance before which TLS ends",
}

func derive(u usage, in *inputs, seed uint64, calls int) *report {
	m := &model{usage: u, in: in}
	r := &report{Usage: u, Seed: seed, StandIns: standIns, Missing: []string{}, Unknown: []string{}}
	r.Busy, r.Storms = m.busyness(seed, calls), m.storms(seed)
	m.ceilings = ceilingsOf(r.Busy, u.Stretch)
	m.ProviderMay = m.providerCeiling(r.Storms)
	r.Derived = u.Ceiling == 0
	if !r.Derived {
		m.ceilings = ceilings{u.Ceiling, u.Ceiling, u.Ceiling}
	}
	r.Ceilings = m.ceilings
	r.Failovers = m.failovers(seed)
	if saw, ok := in.found[awayShareID]; ok {
		r.Lab = &labCheck{in.get(saw.ID), failOver(3, in.get(awayRateID)/3, in.get(awayID), min(election, in.get(awayID)), seed)}
	}
	for _, n := range crowds {
		r.Rates = append(r.Rates, m.rates(n))
	}
	for _, k := range kinds {
		if math.IsNaN(m.carries(k, 1)) {
			r.Unknown = append(r.Unknown, k.Label)
			continue
		}
		made := row{kind: k, Walls: m.wallsOf(k)}
		for _, n := range crowds {
			made.Needs = append(made.Needs, m.need(k, n))
		}
		for _, n := range fleets {
			c := carried{Instances: n, need: m.need(k, m.carries(k, n))}
			for _, w := range made.Walls {
				if w.Sessions < c.Sessions && slices.ContainsFunc(k.walls, func(own wall) bool { return own.ID == w.ID && own.ID != deployWall.ID }) {
					c.Past = &w
					break
				}
			}
			made.Fleets = append(made.Fleets, c)
		}
		r.Rows = append(r.Rows, made)
	}
	near, asked := find("redis-cluster-near"), find("redis-cluster")
	if pays := m.upTo(near, func(n need) bool { return n.StoreCores <= m.need(asked, n.Sessions).StoreCores }); !math.IsNaN(pays) {
		r.NearPays = m.need(near, pays)
	}
	if in.requests != committed {
		r.Uncommitted = in.requests
	}
	r.Inputs, r.Missing = in.figures(), append(r.Missing, in.missing...)
	return r
}

func (r *report) json() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

// MarshalJSON has nothing where no number of instances is enough.
func (n need) MarshalJSON() ([]byte, error) {
	type plain need
	if !math.IsInf(n.Instances, 0) {
		return json.Marshal(plain(n))
	}
	return json.Marshal(struct {
		Sessions   float64 `json:"sessions"`
		Rates      rates   `json:"rates"`
		Impossible bool    `json:"impossible"`
	}{n.Sessions, n.Rates, true})
}

// MarshalJSON keeps its own fields beside those of need.
func (c carried) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Fleet float64 `json:"fleet"`
		Need  need    `json:"need"`
		Past  *stands `json:"past,omitempty"`
	}{c.Instances, c.need, c.Past})
}
