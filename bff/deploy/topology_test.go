package deploy_test

import (
	"os"
	"testing"
	"time"

	"cloakroom/bff/lab/play"
	"cloakroom/bff/lab/play/playtest"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// TestMoreServersThanTheFilesHaveLinesFor: with a line more in each file, as its
// comment says, three servers on a shared store are deployed one by one, and
// three that share nothing refuse two thirds.
func TestMoreServersThanTheFilesHaveLinesFor(t *testing.T) {
	const visitors, instances = 12, 3
	each(t, func(t *testing.T, b balancer) {
		for id, event := range map[string]string{"redis-n-round-robin": lab.Rolling, "memory-n-round-robin": lab.Steady} {
			chosen, ok := lab.FindTopology(id)
			if !ok {
				t.Fatalf("there is no %s", id)
			}
			w, err := topology.Start(t.Context(), chosen, topology.Options{
				Program: servers.Build(t, "", "./bff", "cloakroom-deployed"), Instances: instances, Balancer: b.name, Visitors: visitors + 1, Progress: os.Stderr,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			})
			c, err := play.Gather(t.Context(), w, play.Options{Visitors: visitors, Pace: 75 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			p, err := c.Play(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			playtest.Check(t, chosen, instances, p)
		}
	})
}
