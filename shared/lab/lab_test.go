package lab_test

import (
	"testing"

	"cloakroom/shared/lab"
)

func TestEveryStrategyHasAFamily(t *testing.T) {
	for id, want := range map[string]lab.Family{
		"local-storage": lab.InPage, "js-closure": lab.InPage, "readable-cookie": lab.InCookie, "bff-memory": lab.AtServer,
	} {
		if s, ok := lab.FindStrategy(id); !ok || s.Family() != want {
			t.Errorf("%s is of the family %q", id, s.Family())
		}
	}
}

// Who asks for an event that cannot happen is told why, and each event happens
// to some topology.
func TestWhatCanHappenToATopology(t *testing.T) {
	happens := map[string]int{}
	for _, topology := range lab.Topologies() {
		for _, event := range topology.Events() {
			happens[event.ID]++
		}
		if topology.Spared(lab.Steady) != "" || topology.Spared(lab.KillApp) != "" {
			t.Errorf("%s is spared what can happen to all", topology.ID)
		}
	}
	for _, event := range lab.Events() {
		if happens[event.ID] == 0 {
			t.Errorf("%s happens to none", event.ID)
		}
	}
	for id, spared := range map[string]string{
		"memory-1": lab.KillStore, "file-1": lab.Rolling, "redis-n-round-robin": lab.Failover, "memory-n-replicated": lab.AddApp, "sql-n-round-robin": lab.FullStore,
	} {
		if topology, ok := lab.FindTopology(id); !ok || topology.Spared(spared) == "" {
			t.Errorf("%s is said to be open to %s", id, spared)
		}
	}
}
