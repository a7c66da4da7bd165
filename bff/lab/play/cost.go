package play

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cloakroom/bff/lab/topology"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

const signOuts = 5

// Measure starts a world's crowd, and finds what its sessions take while they are
// made. Whoever wants the crowd closes it.
func Measure(ctx context.Context, w *topology.World, o Options) (*Crowd, lab.Costs, error) {
	costs := lab.Costs{Topology: w.Topology().ID}
	before, err := weigh(ctx, w)
	if err != nil {
		return nil, costs, err
	}
	c, err := Gather(ctx, w, o)
	if err != nil {
		return nil, costs, err
	}
	costs.Instances = c.servers()
	if n := c.useless.Load(); n > 0 {
		costs.Notes = append(costs.Notes, fmt.Sprintf("%d of %d sign-ins were of no use: the balancer leads to a server that does not know the session", n, c.signIns.Load()))
	}
	after, err := weigh(ctx, w)
	if err == nil && after.from != "" {
		each := float64(after.bytes-before.bytes) / float64(len(c.guests))
		costs.SessionBytes, costs.SessionFrom = &each, after.from
	}
	if err == nil {
		err = c.logouts(ctx, &costs)
	}
	if err != nil {
		c.Close()
		return nil, costs, err
	}
	return c, costs, nil
}

// weight is what sessions take, and who says so; "": nobody does.
type weight struct {
	bytes float64
	from  string
}

func weigh(ctx context.Context, w *topology.World) (weight, error) {
	bytes, _, from, ok, err := w.Held(ctx)
	if err != nil {
		return weight{}, err
	}
	if ok {
		return weight{float64(bytes), from}, nil
	}
	const own, all = "cloakroom_sessions_bytes", "cloakroom_store_bytes"
	said, err := w.Metrics(ctx)
	switch {
	case err != nil:
		return weight{}, err
	case w.Topology().Kind == lab.Replicated:
		most := 0.0
		for server := range said {
			most = max(most, said.Of(server, all))
		}
		return weight{copies * most, "what the servers say that they hold together (" + all + "), which three of them do"}, nil
	case said.Has(own):
		return weight{said.Sum(own), "what the servers say that their own memory holds (" + own + ")"}, nil
	}
	return weight{}, nil
}

// copies is how many servers keep each session where they share their memory.
const copies = 3

// logouts times how long it takes until every server refuses who signed out.
func (c *Crowd) logouts(ctx context.Context, costs *lab.Costs) error {
	var times []time.Duration
	unseen := 0
	for range signOuts {
		if err := c.signIn(ctx, c.spare); err != nil {
			return err
		}
		thief := c.spare.Thief()
		began := time.Now()
		if ok, err := c.signOut(ctx, c.spare); err != nil || !ok {
			return fmt.Errorf("play: sign out: %w", err)
		}
		last := began
		for _, n := range c.world.State().Nodes {
			if n.Kind != lab.NodeServer {
				continue
			}
			for {
				got, err := thief.CallAt(ctx, n.Address, shared.PathUser)
				if err != nil {
					return err
				}
				if got.Status == http.StatusUnauthorized {
					last = time.Now()
					break
				}
				if time.Since(began) > 2*grace {
					last = time.Time{}
					break
				}
				wait(ctx, time.Millisecond)
			}
			if last.IsZero() {
				break
			}
		}
		if last.IsZero() {
			unseen++
			break // the others are no better
		}
		times = append(times, last.Sub(began))
	}
	if len(times) > 0 {
		s := spread(times)
		costs.Logout = &s
	}
	if unseen > 0 {
		costs.Notes = append(costs.Notes, fmt.Sprintf("a session that had signed out was served still after %v", 2*grace))
	}
	return nil
}

// trips counts what the servers that ran throughout asked of the store.
func trips(p *lab.Played, before, after topology.Metrics) {
	var calls, requests, hits, misses, evicted float64
	var near bool
	for name := range after {
		const born = "process_start_time_seconds"
		if _, ok := before[name]; !ok || before.Of(name, born) != after.Of(name, born) {
			continue
		}
		delta := func(metric string) float64 { return after.Of(name, metric) - before.Of(name, metric) }
		calls += delta("cloakroom_store_call_duration_seconds")
		requests += delta("cloakroom_http_requests_total")
		hits, misses = hits+delta("cloakroom_near_cache_hits_total"), misses+delta("cloakroom_near_cache_misses_total")
		evicted += delta("cloakroom_sessions_evicted_total")
		_, has := after[name]["cloakroom_near_cache_hits_total"]
		near = near || has
	}
	if evicted > 0 {
		p.Steps = append(p.Steps, fmt.Sprintf("%.0f sessions had to go from the servers' memory, the longest idle first", evicted))
	}
	if requests > 0 && after.Has("cloakroom_store_call_duration_seconds") {
		each := calls / requests
		p.RoundTrips = &each
	}
	if near && hits+misses > 0 {
		rate := hits / (hits + misses)
		p.HitRate = &rate
	}
}
