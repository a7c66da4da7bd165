package attack_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// noBrowser is one that does not come up.
type noBrowser struct{}

var errNone = errors.New("there is no browser")

func (noBrowser) Go(context.Context, string) error                        { return errNone }
func (noBrowser) Run(context.Context, string, any) error                  { return errNone }
func (noBrowser) Cookies(context.Context, string) ([]*http.Cookie, error) { return nil, errNone }
func (noBrowser) Forget(context.Context, string) error                    { return errNone }

func world(t *testing.T) *strategy.World {
	t.Helper()
	s, _ := lab.FindStrategy("local-storage")
	w, err := strategy.Open(strategy.Config{Strategies: []lab.Strategy{s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// An attack that could not be made has shown nothing, least of all that a
// strategy holds.
func TestWithoutABrowserNothingIsConcluded(t *testing.T) {
	made, err := attack.Run(t.Context(), world(t), noBrowser{}, lab.Attacks())
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Cells) != len(lab.Attacks()) {
		t.Fatalf("%d cells", len(made.Cells))
	}
	for _, c := range made.Cells {
		if c.Verdict != lab.Inconclusive || c.Evidence.Failed == "" {
			t.Errorf("%s: %s, %q", c.Attack, c.Verdict, c.Evidence.Failed)
		}
	}
}

func TestAnUnknownAttackIsRefused(t *testing.T) {
	if _, err := attack.Run(t.Context(), world(t), noBrowser{}, []lab.Attack{{ID: "A99"}}); err == nil {
		t.Error("it is not")
	}
}

// Every attack and strategy that is listed can be run.
func TestEveryAttackOfTheCatalogueIsMade(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range lab.Attacks() {
		if seen[a.ID] || a.Name == "" || a.Does == "" || a.Anchor == "" {
			t.Errorf("%q is listed twice or not described", a.ID)
		}
		seen[a.ID] = true
		if found, ok := lab.FindAttack(a.ID); !ok || found != a {
			t.Errorf("%s is not found", a.ID)
		}
	}
	if _, err := attack.Run(t.Context(), world(t), noBrowser{}, lab.Attacks()); err != nil {
		t.Error(err)
	}
}
