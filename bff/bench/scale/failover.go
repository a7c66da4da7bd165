package main

import "math/rand/v2"

// failover is what calls meet when one shard of several is gone until its replica
// is the primary.
type failover struct {
	Shards int     `json:"shards"`
	Rate   float64 `json:"calls_per_instance"` // a second
	Away   float64 `json:"away_s"`             // as long as was measured
	Share  float64 `json:"share_refused"`      // of the calls in that time, by 503
	Others float64 `json:"share_of_others"`    // of those whose shard was there
	Until  float64 `json:"until_s"`            // from the failure until the last refusal
}

// The breaker before every store, as bff/session/breaker has it.
const (
	breakerFailures = 5
	breakerPause    = 1.0 // and up to half as much again, drawn once for an instance
	breakerProbes   = 3
)

// circuit refuses all calls for a pause after so many failures in a row, and then
// lets some try, of which none may fail (gobreaker's rules).
type circuit struct {
	pause    float64
	failures int
	good     int
	until    float64 // open; 0: closed
}

// call reports whether the caller gets its answer.
func (b *circuit) call(now float64, works bool) bool {
	if b.until > 0 && now < b.until {
		return false
	}
	half := b.until > 0
	switch {
	case works && half:
		if b.good++; b.good == breakerProbes {
			*b = circuit{pause: b.pause}
		}
	case works:
		b.failures = 0
	case half:
		b.until, b.good = now+b.pause, 0
	default:
		if b.failures++; b.failures == breakerFailures {
			*b = circuit{pause: b.pause, until: now + b.pause}
		}
	}
	return works
}

// failOver simulates many instances, each with its breaker; sessions are on any
// shard, and a call that meets the one that is gone fails at once.
func failOver(shards int, rate, away float64, seed uint64) failover {
	// The fewer calls an instance makes, the more it hangs on chance.
	instances := int(min(1000, max(20, 1e6/(rate*away))))
	f := failover{Shards: shards, Rate: rate, Away: away}
	random := rand.New(rand.NewPCG(seed, uint64(shards)))
	var all, refused, others, othersRefused float64
	for range instances {
		b := circuit{pause: breakerPause * (1 + random.Float64()/2)}
		for now := random.ExpFloat64() / rate; now < away+2*breakerPause; now += random.ExpFloat64() / rate {
			gone := random.IntN(shards) == 0
			ok := b.call(now, !gone || now >= away)
			if !ok {
				f.Until = max(f.Until, now)
			}
			if now >= away {
				continue
			}
			all++
			if !ok {
				refused++
			}
			if !gone {
				others++
				if !ok {
					othersRefused++
				}
			}
		}
	}
	f.Share, f.Others = refused/max(all, 1), othersRefused/max(others, 1)
	return f
}

// failovers are of clusters of several sizes, at several rates: the last is that
// of an instance that is as busy as it may be.
func (m *model) failovers(seed uint64) (list []failover) {
	busiest := m.Cores * m.Instance / (micro * m.in.get("Call/redis cpu-us/op"))
	away := m.in.get(awayID)
	if !(busiest > 0) || !(away > 0) {
		return nil
	}
	for _, shards := range []int{3, 6, 9, 12, 24, 100} {
		for _, rate := range []float64{100, 1000, busiest} {
			list = append(list, failOver(shards, rate, away, seed))
		}
	}
	return list
}
