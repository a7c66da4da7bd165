package main

import (
	"math"
	"math/rand/v2"

	"cloakroom/bff/bench/scale/queue"
)

// storm is what a provider goes through when everybody comes back after an outage
// that was longer than a token lasts: each session needs a token by its first
// call. With sessions in memory, and a restart, it is a sign-in; for the provider
// that is a token request, too.
type storm struct {
	Load     float64 `json:"load"` // of the provider while nothing happens, 0 to 1
	Sessions float64 `json:"sessions"`
	Requests int     `json:"requests"`  // token requests until it was over
	Peak     float64 `json:"peak"`      // requests that wait, at the most
	P99      float64 `json:"p99_s"`     // of the time until a token is there
	GivenUp  int     `json:"given_up"`  // calls that were answered 503 for it
	Over     float64 `json:"over_s"`    // until no request waits for a second any more
	Formula  float64 `json:"formula_s"` // the same, were it water in a tank; 0: never
}

// patience is how long a call waits for its renewal (refresh.Config.Timeout).
const patience = 30.0

// storms are several loads. A provider is as good as a smaller one with fewer
// sessions, so a twentieth is simulated.
func (m *model) storms(seed uint64) (list []storm) {
	for _, load := range []float64{.2, .3, .4, .5, .6, .7, .8, .9} {
		list = append(list, m.storm(load, seed))
	}
	return list
}

const stormScale = 20

func (m *model) storm(load float64, seed uint64) storm {
	random := rand.New(rand.NewPCG(seed, 1))
	one := m.rates(1)
	s := storm{Load: load, Sessions: load * m.Provider / (one.Renewals + one.SignIns)}
	n := int(s.Sessions / stormScale)
	rate := m.Provider / stormScale
	servers := max(1, int(math.Round(rate*m.Delay.Seconds())))
	service := float64(servers) / rate

	var sim queue.Sim
	provider := queue.NewStation(&sim, servers)
	idle := minute / m.Active // until an idle session is used again
	between := minute / m.Calls
	horizon := 4 * m.Token.Seconds()
	var waits []float64
	var come func()
	come = func() {
		began, left := sim.Now(), false
		s.Requests++
		provider.ServeUnless(service*random.ExpFloat64(), func() bool {
			waited := sim.Now() - began
			if waited > 1 {
				s.Over = sim.Now()
			}
			if left = waited > patience; left {
				s.GivenUp++
				waits = append(waits, patience)
				sim.After(random.ExpFloat64()*between, come) // the person goes on calling
			}
			return left
		}, func() {
			waits = append(waits, sim.Now()-began)
			sim.After(m.Token.Seconds()+random.ExpFloat64()*idle, come)
		})
		s.Peak = max(s.Peak, float64(provider.Waiting()))
	}
	for range n {
		switch left := m.leftAfterOutage(random, idle); {
		case left > 0: // the token is still good
			sim.After(left+random.ExpFloat64()*idle, come)
		case random.Float64() < m.Active:
			sim.After(random.ExpFloat64()*between, come)
		default:
			sim.After(random.ExpFloat64()*idle, come)
		}
	}
	sim.Run(horizon)
	s.P99 = queue.Quantile(waits, .99)
	// Those who were idle come back too; who has been served is quiet meanwhile.
	token := m.Token.Seconds()
	expired := s.Sessions * (1 - token/(token+idle)*max(0, 1-m.Outage.Seconds()/token))
	if drained := m.Provider - expired*(1-m.Active)/idle; drained > 0 {
		s.Formula = expired * m.Active / drained
	}
	s.Requests, s.GivenUp, s.Peak = s.Requests*stormScale, s.GivenUp*stormScale, s.Peak*stormScale
	return s
}

// leftAfterOutage is how long a session's token is still good, in seconds; 0: it is
// not. Before, sessions were anywhere between one renewal and the next, of which
// none came in the outage.
func (m *model) leftAfterOutage(random *rand.Rand, idle float64) float64 {
	token := m.Token.Seconds()
	return max(0, token-random.Float64()*(token+idle)-m.Outage.Seconds())
}

// providerCeiling is the highest load from which a storm is over before the first
// tokens of it run out again.
func (m *model) providerCeiling(list []storm) (ceiling float64) {
	for _, s := range list {
		if s.Over > m.Token.Seconds() {
			break
		}
		ceiling = s.Load
	}
	return ceiling
}
