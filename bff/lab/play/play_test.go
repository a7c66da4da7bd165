package play_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"cloakroom/bff/lab/play"
	"cloakroom/bff/lab/play/playtest"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

const visitors = 24

// gather starts a topology and has its crowd sign in.
func gather(t *testing.T, id string, o topology.Options) (*topology.World, *play.Crowd, lab.Costs) {
	t.Helper()
	chosen, ok := lab.FindTopology(id)
	if !ok {
		t.Fatalf("there is no %s", id)
	}
	o.Program, o.Progress, o.Visitors = servers.Build(t, "", "./bff", "cloakroom"), os.Stderr, visitors+1
	w, err := topology.Start(t.Context(), chosen, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	c, costs, err := play.Measure(t.Context(), w, play.Options{Visitors: visitors, Pace: 75 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return w, c, costs
}

// TestWhatATopologyStands: a sample; the whole is in bff/e2e/lab.
func TestWhatATopologyStands(t *testing.T) {
	for _, row := range []struct {
		topology string
		servers  int
		events   []string
	}{
		{"memory-n-round-robin", 2, []string{lab.Steady}},
		{"memory-n-round-robin", 4, []string{lab.Steady}},
		{"memory-n-sticky-lb-cookie", 3, []string{lab.Steady, lab.KillApp}},
		{"redis-n-round-robin", 3, []string{lab.KillApp, lab.Rolling}},
		{"sql-n-round-robin", 3, []string{lab.RestartStore}},
		{"cookie-n-round-robin", 2, []string{lab.FlushStore}},
	} {
		t.Run(fmt.Sprintf("%s, %d", row.topology, row.servers), func(t *testing.T) {
			t.Parallel()
			w, c, costs := gather(t, row.topology, topology.Options{Instances: row.servers})
			if costs.Instances != row.servers || costs.SessionBytes != nil && *costs.SessionBytes < 500 {
				t.Errorf("the costs are %+v", costs)
			}
			for _, event := range row.events {
				p, err := c.Play(t.Context(), event)
				if err != nil {
					t.Fatal(err)
				}
				playtest.Check(t, w.Topology(), row.servers, p)
			}
		})
	}
}

// TestChaos: whatever is killed, nobody is answered as somebody else, who signed
// out stays so, and an error is a declared 503. CHAOS_DURATION and CHAOS_SEED say
// for how long, and which choices are made.
func TestChaos(t *testing.T) {
	duration, seed := 20*time.Second, uint64(1)
	var err error
	if text := os.Getenv("CHAOS_DURATION"); text != "" {
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"redis-cluster-n", "sql-n-round-robin"} {
		t.Run(id, func(t *testing.T) {
			// Tokens that do not last: renewals are under way when things die.
			_, c, _ := gather(t, id, topology.Options{AccessTokenLifetime: 10 * time.Second})
			made, err := c.Chaos(t.Context(), seed, duration)
			text, _ := json.MarshalIndent(made, "", " ")
			t.Logf("%s", text)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range made.Wrongs {
				t.Errorf("%s, %d times: %s", w.Rule, w.Times, w.Saw)
			}
			if len(made.Stranded) > 0 {
				t.Errorf("%v cannot sign in though all is right again", made.Stranded)
			}
			if len(made.Actions) < 5 || made.Requests.Served < 1000 || made.SignOuts < 3 {
				t.Errorf("too little happened to prove anything")
			}
		})
	}
}
