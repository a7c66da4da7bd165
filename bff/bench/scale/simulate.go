package main

import (
	"math"
	"math/rand/v2"

	"cloakroom/bff/bench/scale/queue"
)

// busy is what a utilisation does to p99, in times of what it is when idle.
type busy struct {
	Utilisation float64 `json:"utilisation"`
	Instance    float64 `json:"instance"`
	// AThirdGone is that of the instances left, which have half as much again to
	// do; 0: they would have more than there is.
	AThirdGone float64 `json:"a_third_gone"`
	Shard      float64 `json:"shard"`
	// Whole is a request through both, in µs, of Redis.
	Whole float64 `json:"whole_us"`
}

const (
	zones          = 3
	simulatedFleet = 9 // instances; they do not know of each other
)

// utilisations are steps of 5 %.
func utilisations() (list []float64) {
	for i := 1; i < 20; i++ {
		list = append(list, float64(i)/20)
	}
	return list
}

// fleet are instances of some cores before the shards of a store. A call comes to
// any instance, is computed, asks any shard, and is computed again.
type fleet struct {
	instances, cores, shards int
	// cpu and store are the mean times of a call, in seconds. Each is exponential:
	// how they scatter was not measured, and this is more than one would think.
	cpu, store float64
	seed       uint64
}

// p99 at so many calls a second, in seconds, without what the API and the network
// take.
func (f fleet) p99(rate float64, calls int) float64 {
	random := rand.New(rand.NewPCG(f.seed, 0))
	var sim queue.Sim
	stations := func(n, servers int) (list []*queue.Station) {
		for range n {
			list = append(list, queue.NewStation(&sim, servers))
		}
		return list
	}
	instances, shards := stations(f.instances, f.cores), stations(f.shards, 1)
	var times []float64
	left := calls
	var arrive func()
	arrive = func() {
		if left--; left > 0 {
			sim.After(random.ExpFloat64()/rate, arrive)
		}
		began := sim.Now()
		done := func() { times = append(times, sim.Now()-began) }
		if f.instances == 0 {
			shards[random.IntN(f.shards)].Serve(f.store*random.ExpFloat64(), done)
			return
		}
		at := instances[random.IntN(f.instances)]
		if f.shards == 0 {
			at.Serve(f.cpu*random.ExpFloat64(), done)
			return
		}
		at.Serve(f.cpu/2*random.ExpFloat64(), func() {
			shards[random.IntN(f.shards)].Serve(f.store*random.ExpFloat64(), func() {
				at.Serve(f.cpu/2*random.ExpFloat64(), done)
			})
		})
	}
	sim.After(0, arrive)
	sim.Run(math.MaxFloat64)
	return queue.Quantile(times[len(times)/10:], .99) // at first nobody waits
}

// busyness is p99 by utilisation. Instances and shards are simulated alone, in
// times of a call, and together with what a call was measured to take.
func (m *model) busyness(seed uint64, calls int) (list []busy) {
	cpu, store := micro*m.in.get("Call/redis cpu-us/op"), micro*m.in.get("Call/redis store-us/op")
	cores := int(max(1, m.Cores))
	alone := fleet{instances: simulatedFleet, cores: cores, cpu: 1, seed: seed}
	shard := fleet{shards: simulatedFleet, store: 1, seed: seed}
	idle := -math.Log(1 - .99) // p99 of an exponential time, in means
	for _, u := range utilisations() {
		b := busy{Utilisation: u}
		rate := u * float64(simulatedFleet*cores)
		b.Instance = alone.p99(rate, calls) / idle
		b.Shard = shard.p99(u*simulatedFleet, calls) / idle
		if load := u * zones / (zones - 1); load < 1 {
			fewer := alone
			fewer.instances -= simulatedFleet / zones
			b.AThirdGone = fewer.p99(rate, calls) / idle
		}
		if !math.IsNaN(cpu + store) {
			whole := fleet{instances: simulatedFleet, cores: cores, cpu: cpu, store: store, seed: seed}
			// As many shards as keep them no busier than the instances.
			whole.shards = max(1, int(math.Ceil(rate/cpu*store/u)))
			b.Whole = whole.p99(rate/cpu, calls) / micro
		}
		list = append(list, b)
	}
	return list
}

// ceilingsOf are the highest utilisations at which p99 stays within stretch times
// that of an idle one: of instances when a third is gone, of a shard as it is,
// since its replica takes over the same load.
func ceilingsOf(list []busy, stretch float64) (c ceilings) {
	for _, b := range list {
		if b.AThirdGone > 0 && b.AThirdGone <= stretch {
			c.Instance = b.Utilisation
		}
		if b.Shard <= stretch {
			c.Store = b.Utilisation
		}
	}
	return c
}
