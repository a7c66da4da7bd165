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
