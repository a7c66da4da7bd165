package main

import "math/rand/v2"

// failover is what calls meet when one shard of several is gone until its replica
// is the primary.
type failover struct {
	Shards   int     `json:"shards"`
	Rate     float64 `json:"calls_per_instance"` // a second
	Away     float64 `json:"away_s"`             // as long as was measured
	Election float64 `json:"election_s"`         // the end of it, when no shard answers
	Share    float64 `json:"share_refused"`      // of the calls in that time, by 503
	Others   float64 `json:"share_of_others"`    // of those whose shard was there
	Asked    float64 `json:"share_asked"`        // of the calls in that time, those that reach the store
	Until    float64 `json:"until_s"`            // from the failure until the last refusal
}

// election is how long no shard of a Cluster answers, unless it is told that not
// all are required (cluster-require-full-coverage no): from when the others agree
// that one is gone until its replica is chosen, which waits for 0.5 to 1 s.
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#replica-election-and-promotion
const election = 1.0

// The breaker before every store, as bff/session/breaker has it.
const (
	breakerFailures = 10
	breakerSilence  = 1.5
	breakerPause    = 1.0 // and up to half as much again, drawn once for an instance
)

// circuit refuses all calls for a pause after so many failures in a row and such a
// silence, and then lets one try, whose answer closes it.
type circuit struct {
	pause    float64
	heard    float64 // the last answer
	failures int
	until    float64 // open; 0: closed
}

// refuses reports whether a call would not reach the store.
func (b *circuit) refuses(now float64) bool { return now < b.until }

// call reports whether the caller gets its answer.
func (b *circuit) call(now float64, works bool) bool {
	switch half := b.until > 0; {
	case b.refuses(now):
		return false
	case works:
		b.heard, b.failures, b.until = now, 0, 0
	case half:
		b.until = now + b.pause
	default:
		if b.failures++; b.failures >= breakerFailures && now-b.heard >= breakerSilence {
			b.failures, b.until = 0, now+b.pause
		}
	}
	return works
}

// failOver simulates many instances, each with its breaker; sessions are on any
// shard, and a call that meets the one that is gone fails at once. During the
// election, which ends with it, every call does.
func failOver(shards int, rate, away, election float64, seed uint64) failover {
	// The fewer calls an instance makes, the more it hangs on chance.
	instances := int(min(1000, max(20, 1e6/(rate*away))))
	f := failover{Shards: shards, Rate: rate, Away: away, Election: election}
	random := rand.New(rand.NewPCG(seed, uint64(shards)))
	var all, asked, refused, others, othersRefused float64
	for range instances {
		b := circuit{pause: breakerPause * (1 + random.Float64()/2)}
		for now := random.ExpFloat64() / rate; now < away+2*breakerPause; now += random.ExpFloat64() / rate {
			gone := random.IntN(shards) == 0
			reaches := !b.refuses(now)
			ok := b.call(now, now >= away || !gone && now < away-election)
			if !ok {
				f.Until = max(f.Until, now)
			}
			if now >= away {
				continue
			}
			all++
			if reaches {
				asked++
			}
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
	f.Share, f.Others, f.Asked = refused/max(all, 1), othersRefused/max(others, 1), asked/max(all, 1)
	return f
}

// failovers are of clusters of several sizes, at several rates: the last is that
// of an instance that is as busy as it may be. One more of each size requires all
// shards.
func (m *model) failovers(seed uint64) (list []failover) {
	busiest := m.Cores * m.Instance / (micro * m.in.get("Call/redis cpu-us/op"))
	away := m.in.get(awayID)
	if !(busiest > 0) || !(away > 0) {
		return nil
	}
	for _, shards := range []int{3, 6, 12, 24, 100} {
		for _, rate := range []float64{100, 1000, busiest} {
			list = append(list, failOver(shards, rate, away, 0, seed))
		}
		list = append(list, failOver(shards, busiest, away, min(election, away), seed))
	}
	return list
}
