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
	gone bool
}

func (f *flaky) Get(context.Context, session.ID) (session.Record, error) {
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
		shards    int
		rate      float64
		instances int
	}{{2, 100, 20}, {3, 100, 60}, {4, 1000, 10}} {
		const away = 20.0 // long enough for its pauses to count
		all, refused := 0.0, 0.0
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			for range c.instances {
				store := &flaky{}
				served, err := breaker.New(store, breaker.Config{})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				for {
					time.Sleep(time.Duration(random.ExpFloat64() / c.rate * float64(time.Second)))
					if time.Since(began).Seconds() >= away {
						break
					}
					store.gone = random.IntN(c.shards) == 0
					all++
					if _, err := served.Get(t.Context(), session.ID{}); err != nil {
						refused++
					}
				}
			}
		})
		served, simulated := refused/all, failOver(c.shards, c.rate, away, 1).Share
		if math.Abs(served-simulated) > .06 {
			t.Errorf("%d shards, %v calls a second: the breaker lets %.3f fail, simulated it is %.3f", c.shards, c.rate, served, simulated)
		}
	}
}

func TestFewShardsTakeTheOthersAlong(t *testing.T) {
	t.Parallel()
	few, many := failOver(3, 1000, 4, 1), failOver(100, 1000, 4, 1)
	if few.Others < .5 || many.Others > .01 {
		t.Errorf("of those whose shard is there, %.2f of three shards and %.2f of a hundred are refused", few.Others, many.Others)
	}
	if math.Abs(many.Share-.01) > .005 || many.Until < 3.5 || many.Until >= 4 {
		t.Errorf("%+v", many)
	}
}
