package compare_test

import (
	"errors"
	"strings"
	"testing"

	"cloakroom/bff/lab/compare"
	"cloakroom/shared/lab"
)

func TestWhatIsChosen(t *testing.T) {
	strategies, attacks, properties := len(lab.Strategies()), len(lab.Attacks()), len(lab.Properties())
	for _, row := range []struct {
		ids                             string
		strategies, attacks, properties int
	}{
		{"", strategies, attacks, properties},
		{"bff-memory", 1, attacks, properties},
		{"A1", strategies, 1, 0},
		{"wire,reload", strategies, 0, 2},
		{"bff-memory,local-storage,A1,A4,wire", 2, 2, 1},
		{"logout", strategies, 1, 1}, // it is both
	} {
		c, err := compare.Choose(strings.FieldsFunc(row.ids, func(r rune) bool { return r == ',' }))
		if err != nil || len(c.Strategies) != row.strategies || len(c.Attacks) != row.attacks || len(c.Properties) != row.properties {
			t.Errorf("%q chooses %d, %d and %d: %v", row.ids, len(c.Strategies), len(c.Attacks), len(c.Properties), err)
		}
		if want := row.strategies * (row.attacks + row.properties); c.Cells() != want {
			t.Errorf("%q: %d cells, want %d", row.ids, c.Cells(), want)
		}
	}
}

func TestAnIDThatNothingHasIsNamedWithItsNearest(t *testing.T) {
	for id, want := range map[string]string{
		"bff-redus": "did you mean bff-redis?", "a4": "did you mean A4?", "tamperign": "did you mean tampering?",
		"turnip-greens": "there are: A1 ",
	} {
		_, err := compare.Choose([]string{"A1", id})
		var unknown *compare.UnknownError
		if !errors.As(err, &unknown) || unknown.ID != id || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := compare.Choose([]string{"nothing-a", "nothing-b"}); err == nil || !strings.Contains(err.Error(), "nothing-b") {
		t.Errorf("two at once: %v", err)
	}
}

func TestWhichTopologiesAreChosen(t *testing.T) {
	topologies, events := len(lab.Topologies()), len(lab.Events())
	for _, row := range []struct {
		ids                string
		topologies, events int
	}{
		{"", topologies, events},
		{"memory-1", 1, events},
		{"rolling,kill-app", topologies, 2},
		{"memory-1,file-1,steady", 2, 1},
	} {
		c, err := compare.ChooseTopologies(strings.FieldsFunc(row.ids, func(r rune) bool { return r == ',' }))
		if err != nil || len(c.Topologies) != row.topologies || len(c.Events) != row.events {
			t.Errorf("%q chooses %d and %d: %v", row.ids, len(c.Topologies), len(c.Events), err)
		}
	}
	for id, want := range map[string]string{"memory-n-round-robbin": "did you mean memory-n-round-robin?", "killapp": "did you mean kill-app?", "turnip-greens": "there are: memory-1 "} {
		if _, err := compare.ChooseTopologies([]string{id}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}
