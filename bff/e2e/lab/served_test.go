package lab_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// TestEveryServedStrategySignsInAndCalls: each has a victim who sees their
// orders, and a cookie in which a token is where the strategy says.
func TestEveryServedStrategySignsInAndCalls(t *testing.T) {
	served := slices.DeleteFunc(lab.Strategies(), func(s lab.Strategy) bool { return s.Public || s.TokensInPage })
	w := openLab(t, strategy.Config{Strategies: served})
	v := newVictim(t)
	made, err := attack.Run(t.Context(), w, v, pick(t, lab.FindAttack, "X10"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range made.Cells {
		var kinds []string
		for _, loot := range c.Evidence.Taken {
			kinds = append(kinds, loot.Kind)
		}
		evidence, _ := json.MarshalIndent(c, "", "  ")
		if c.Verdict != lab.Broken || !slices.Contains(kinds, lab.KindCookie) || slices.Contains(kinds, lab.KindAccess) != (c.Strategy == "cookie-jwt") {
			t.Errorf("%s", evidence)
		}
		if !slices.ContainsFunc(c.Evidence.Answers, func(a lab.Answer) bool { return a.Status == http.StatusOK && a.Gave }) {
			t.Errorf("no call with the cookie was answered:\n%s", evidence)
		}
	}
	for _, s := range served {
		store, ok := w.Store(s.ID)
		if want := s.ID == "bff-redis" || s.ID == "bff-sql"; ok != want {
			t.Errorf("%s keeps its sessions in a server: %t", s.ID, ok)
		}
		if ok {
			if size, err := store.Size(); err != nil || size <= 0 {
				t.Errorf("%s: its store has %d bytes: %v", s.ID, size, err)
			}
		}
	}
}
