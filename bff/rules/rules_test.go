package rules_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rules"
)

// What make check does, where make test cannot miss it.
func TestEveryRuleHasAProofOrAReason(t *testing.T) {
	declared, err := rules.Declared("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := rules.Check(rules.All(), declared); err != nil {
		t.Error(err)
	}
}

func TestACatalogueIsRefusedWhen(t *testing.T) {
	declared := map[string]bool{"TestIt": true}
	whole := func() []rules.Rule {
		var list []rules.Rule
		for n := 1; n <= rules.Count; n++ {
			list = append(list, rules.Rule{N: n, Section: "1", Level: rules.Must, Binds: rules.BFF, Asks: "something", Tests: []string{"TestIt"}})
		}
		return list
	}
	if err := rules.Check(whole(), declared); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		spoil func([]rules.Rule) []rules.Rule
		want  string
	}{
		"a rule is missing":         {func(l []rules.Rule) []rules.Rule { return slices.Delete(l, 15, 16) }, "BBA-16: is missing"},
		"the last rule is missing":  {func(l []rules.Rule) []rules.Rule { return l[:66] }, "BBA-67: is missing"},
		"a rule is there twice":     {func(l []rules.Rule) []rules.Rule { return slices.Insert(l, 3, l[3]) }, "BBA-4: is listed twice"},
		"a rule is out of its row":  {func(l []rules.Rule) []rules.Rule { l[3], l[4] = l[4], l[3]; return l }, "BBA-4: stands behind BBA-5"},
		"there is one too many":     {func(l []rules.Rule) []rules.Rule { l = append(l, l[66]); l[67].N = 68; return l }, "BBA-68: the draft has no such rule"},
		"a rule has no text":        {func(l []rules.Rule) []rules.Rule { l[8].Asks = ""; return l }, "BBA-9: lacks its section, level, party or text"},
		"a level is none":           {func(l []rules.Rule) []rules.Rule { l[8].Level = "must"; return l }, "BBA-9: lacks its section, level, party or text"},
		"a text breaks the table":   {func(l []rules.Rule) []rules.Rule { l[8].Note = "a|b"; return l }, "BBA-9: has a text that would break the table"},
		"a rule has no proof":       {func(l []rules.Rule) []rules.Rule { l[8].Tests = nil; return l }, "BBA-9: has neither a test nor a reason"},
		"a test does not exist":     {func(l []rules.Rule) []rules.Rule { l[8].Tests = []string{"TestIt", "TestIs"}; return l }, "BBA-9: names TestIs, which does not exist"},
		"two things are wrong":      {func(l []rules.Rule) []rules.Rule { l[8].Tests = nil; return l[:66] }, "BBA-9: has neither a test nor a reason\nBBA-67: is missing"},
		"a reason does, and is one": {func(l []rules.Rule) []rules.Rule { l[8].Tests, l[8].Note = nil, "why"; l[9].NotYet = "what"; return l }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := rules.Check(row.spoil(whole()), declared); err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestWhatIsDeclaredIsFound(t *testing.T) {
	declared, err := rules.Declared("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TestWhatIsDeclaredIsFound", "FuzzPathMapping", "TestNoTokenIsInReachOfTheBrowser"} { // here, a fuzz test, another module's
		if !declared[name] {
			t.Errorf("%s is not found", name)
		}
	}
	for _, name := range []string{"TestMain", "TestThatNobodyWrote"} {
		if declared[name] {
			t.Errorf("%s is found", name)
		}
	}
}

func TestTheTableIsWrittenBetweenItsMarkers(t *testing.T) {
	list := []rules.Rule{
		{N: 1, Section: "6.1", Anchor: "pattern", Level: rules.Must, Binds: rules.BFF, Asks: "Do it", Tests: []string{"TestA", "FuzzB"}},
		{N: 2, Section: "6.2", Level: rules.Advice, Binds: rules.Provider, Asks: "Say it", Tests: []string{"TestA"}, NotYet: "the rest"},
		{N: 3, Section: "6.2", Level: rules.Advice, Binds: rules.BFF, Asks: "Wish it", NotYet: "all of it", Note: "but soon"},
		{N: 4, Section: "6.2", Level: rules.Advice, Binds: rules.BFF, Asks: "Think it", Note: "not for a test"},
	}
	const draft = "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-browser-based-apps#"
	want := "before\n<!-- rules -->\n" +
		"Of 4 rules, 1 are proved, 1 in part, 1 not yet, and 1 are not for a test.\n\n" +
		"| rule | level | what it asks | proved by |\n|---|---|---|---|\n" +
		"| BBA-1 [§6.1](" + draft + "pattern) | MUST | Do it | `TestA`, `FuzzB` |\n" +
		"| BBA-2 [§6.2](" + draft + "section-6.2) | advice, provider | Say it | `TestA`; **not yet:** the rest |\n" +
		"| BBA-3 [§6.2](" + draft + "section-6.2) | advice | Wish it | **not yet:** all of it; but soon |\n" +
		"| BBA-4 [§6.2](" + draft + "section-6.2) | advice | Think it | not for a test |\n" +
		"<!-- /rules -->\nafter\n"
	for _, old := range []string{"before\n<!-- rules -->\n<!-- /rules -->\nafter\n", "before\n<!-- rules -->\nsomething old\n<!-- /rules -->\nafter\n", want} {
		got, err := rules.Rewrite(old, list)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	for _, without := range []string{"", "<!-- rules -->\n", "<!-- /rules -->\n<!-- rules -->\n", strings.Replace(want, "<!-- /rules -->", "", 1)} {
		if _, err := rules.Rewrite(without, list); !errors.Is(err, rules.ErrNoMarkers) {
			t.Errorf("%q: %v", without, err)
		}
	}
}
