package compare_test

import (
	"os"
	"path/filepath"
	"testing"

	"cloakroom/bff/lab/compare"
	"cloakroom/bff/lab/play/playtest"
	"cloakroom/bff/lab/report"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// TestTheTopologiesMeasured plays everything, which takes minutes: make
// topologies has it. With TOPOLOGIES_OUT the report is left in that folder.
func TestTheTopologiesMeasured(t *testing.T) {
	choice, err := compare.ChooseTopologies(nil)
	if err != nil {
		t.Fatal(err)
	}
	choice.Named = true // what is not installed fails
	made, err := compare.Topologies(t.Context(), compare.TopologyOptions{
		Choice: choice, Program: servers.Build(t, "", "./bff", "cloakroom"), Version: "test", Progress: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("TOPOLOGIES_OUT"); folder != "" {
		write(t, folder, made)
	}
	t.Logf("it took %v", made.Made.Took)
	servers, played := map[string]int{}, map[[2]string]bool{}
	for _, c := range made.Topologies {
		servers[c.Topology] = c.Instances
		if c.Failed != "" || c.Missing != "" || c.SessionBytes == nil || *c.SessionBytes < 500 {
			t.Errorf("%s: %+v", c.Topology, c)
		}
		if c.Logout == nil && c.Topology != "memory-n-round-robin" { // there, who signs out elsewhere is not heard at home
			t.Errorf("%s: how long a sign-out takes is not known: %v", c.Topology, c.Notes)
		}
	}
	for _, p := range made.Played {
		played[[2]string{p.Topology, p.Event}] = true
		topology, ok := lab.FindTopology(p.Topology)
		if !ok {
			t.Fatalf("%s is none", p.Topology)
		}
		playtest.Check(t, topology, servers[p.Topology], p)
		if topology.NearCache && p.Event == lab.Steady && (p.HitRate == nil || *p.HitRate < .5 || *p.RoundTrips > .5) {
			t.Errorf("of copies near nothing is seen: hits %v, calls of the store %v", p.HitRate, p.RoundTrips)
		}
	}
	for _, topology := range choice.Topologies {
		for _, event := range topology.Events() {
			if !played[[2]string{topology.ID, event.ID}] {
				t.Errorf("%s, %s was not played", topology.ID, event.ID)
			}
		}
	}
}

func write(t *testing.T, folder string, made lab.TopologyReport) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, format := range report.Formats() {
		file, err := os.Create(filepath.Join(folder, "topologies."+format))
		if err != nil {
			t.Fatal(err)
		}
		if err := report.WriteTopologies(file, format, made); err != nil {
			t.Error(err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}
