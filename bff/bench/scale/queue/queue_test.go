package queue_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"cloakroom/bff/bench/scale/queue"
)

// times of n arrivals in M/M/c, in seconds that a service takes on average.
func times(seed uint64, servers int, utilisation float64, n int) (waits, stays []float64) {
	random := rand.New(rand.NewPCG(seed, 1))
	var sim queue.Sim
	station := queue.NewStation(&sim, servers)
	rate := utilisation * float64(servers)
	var arrive func()
	arrive = func() {
		if n--; n > 0 {
			sim.After(random.ExpFloat64()/rate, arrive)
		}
		began, service := sim.Now(), random.ExpFloat64()
		station.Serve(service, func() {
			stay := sim.Now() - began
			waits, stays = append(waits, stay-service), append(stays, stay)
		})
	}
	sim.After(0, arrive)
	sim.Run(math.MaxFloat64)
	return waits, stays
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.Abs(got-want) > by*want {
		t.Errorf("%s is %.4f, the formula says %.4f", what, got, want)
	}
}

// TestAStationIsAsQueueingTheoryHasIt: in M/M/c the mean wait is C/(c(1-u)) services
// (Erlang C), in M/M/1 the time from arrival to end is exponential.
func TestAStationIsAsQueueingTheoryHasIt(t *testing.T) {
	t.Parallel()
	for _, servers := range []int{1, 4, 16} {
		for _, u := range []float64{.3, .6, .8} {
			t.Run(fmt.Sprintf("%d servers at %.0f %%", servers, 100*u), func(t *testing.T) {
				t.Parallel()
				waits, stays := times(7, servers, u, 500_000)
				want := queue.ErlangC(servers, u*float64(servers)) / (float64(servers) * (1 - u))
				if want > .01 { // what hardly ever happens is not counted well
					near(t, "the mean wait", mean(waits), want, .05)
				}
				if servers == 1 {
					near(t, "p99", queue.Quantile(stays, .99), math.Log(100)/(1-u), .05)
				}
			})
		}
	}
}

func TestErlangCOfOneServerIsItsUtilisation(t *testing.T) {
	t.Parallel()
	near(t, "C(1, 0.7)", queue.ErlangC(1, .7), .7, 1e-9)
	near(t, "C(2, 1)", queue.ErlangC(2, 1), 1./3, 1e-9)
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	t.Parallel()
	_, one := times(1, 4, .8, 10_000)
	_, again := times(1, 4, .8, 10_000)
	_, other := times(2, 4, .8, 10_000)
	for i := range one {
		if one[i] != again[i] {
			t.Fatalf("arrival %d: %v and %v", i, one[i], again[i])
		}
	}
	if mean(one) == mean(other) {
		t.Error("another seed changes nothing")
	}
}

func TestWhoLeftIsNotServed(t *testing.T) {
	t.Parallel()
	var sim queue.Sim
	station := queue.NewStation(&sim, 1)
	var served []string
	serve := func(name string, left bool) {
		station.ServeUnless(1, func() bool { return left }, func() { served = append(served, fmt.Sprintf("%s at %v", name, sim.Now())) })
	}
	serve("a", false)
	serve("b", true)
	serve("c", false)
	if n := station.Waiting(); n != 2 {
		t.Errorf("%d wait", n)
	}
	sim.Run(10)
	if got, want := fmt.Sprint(served), "[a at 1 c at 2]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	if got := queue.Quantile(nil, .5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := queue.Quantile([]float64{3, 1, 2, 4}, .5); got != 2 {
		t.Errorf("the middle is %v", got)
	}
}
