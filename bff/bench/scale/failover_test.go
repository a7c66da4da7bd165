package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/breaker"
)

// flaky is a store some of whose shards are gone.
type flaky struct {
	breaker.Backend
	gone  bool
	asked *float64
}

func (f *flaky) Get(context.Context, session.ID) (session.Record, error) {
	*f.asked++
	if f.gone {
		return session.Record{}, errors.New("gone")
	}
	return session.Record{}, nil
}

// TestTheSimulatedBreakerIsTheOneThatServes: the same calls, by the clock, through
// bff/session/breaker as it is without a config.
func TestTheSimulatedBreakerIsTheOneThatServes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shards         int
		rate, election float64
		instances      int
	}{
		{3, 1000, 0, 5},
		{3, 100, 1, 20},
		{3, 100, 4, 60}, // longer than its silence: it opens
		{2, 20, 10, 100},
		{1, 5, 0, 200},
	} {
		const away = 20.0 // long enough for its pauses to count
		var all, failed, asked float64
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			for range c.instances {
				store := &flaky{asked: &asked}
				served, err := breaker.New(store, breaker.Config{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := served.Get(t.Context(), session.ID{}); err != nil {
					t.Fatal(err)
				}
				for began := time.Now(); ; {
					time.Sleep(time.Duration(random.ExpFloat64() / c.rate * float64(time.Second)))
					now := time.Since(began).Seconds()
					if now >= away {
						break
					}
					store.gone = now >= away-c.election || random.IntN(c.shards) == 0
					all++
					if _, err := served.Get(t.Context(), session.ID{}); err != nil {
						failed++
					}
				}
			}
		})
		simulated := failOver(c.shards, c.rate, away, c.election, 1)
		if served := failed / all; math.Abs(served-simulated.Share) > .02 {
			t.Errorf("%+v: the breaker lets %.3f fail, simulated it is %.3f", c, served, simulated.Share)
		}
		if let := asked / all; math.Abs(let-simulated.Asked) > .02 {
			t.Errorf("%+v: the breaker lets the store be asked %.3f of the calls, simulated it is %.3f", c, let, simulated.Asked)
		}
	}
}

func TestFewShardsDoNotTakeTheOthersAlong(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{10, 100, 1000, 30000} {
		for _, shards := range []int{3, 100} {
			got, share := failOver(shards, rate, 4, 0, 1), 1/float64(shards)
			if got.Others > 0 || math.Abs(got.Share-share) > .01 || got.Until >= 4 {
				t.Errorf("%+v", got)
			}
			if got := failOver(shards, rate, 4, 1, 1); rate >= 100 && (math.Abs(got.Share-(3*share+1)/4) > .015 || got.Until >= 4) {
				t.Errorf("with an election: %+v", got)
			}
		}
	}
}
