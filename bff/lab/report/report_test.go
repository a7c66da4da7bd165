package report_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/lab/report"
	"cloakroom/shared/lab"
)

func TestAVerdictRestsOnItsEvidence(t *testing.T) {
	taken := []lab.Loot{{Kind: lab.KindAccess, From: "localStorage", Fingerprint: "00000000"}}
	for name, row := range map[string]struct {
		evidence lab.Evidence
		want     lab.Verdict
	}{
		"nothing is known of nothing":                          {lab.Evidence{}, lab.Inconclusive},
		"an attack that ran in vain":                           {lab.Evidence{SignedIn: true, Finished: true}, lab.Held},
		"an attack that did not report":                        {lab.Evidence{SignedIn: true}, lab.Inconclusive},
		"an attack on nobody":                                  {lab.Evidence{Finished: true}, lab.Inconclusive},
		"a token that is of no use":                            {lab.Evidence{SignedIn: true, Finished: true, Taken: taken, Answers: []lab.Answer{{By: lab.Attacker, With: "00000000", Status: 401}}}, lab.Held},
		"a token that nobody tried":                            {lab.Evidence{SignedIn: true, Finished: true, Taken: taken}, lab.Inconclusive},
		"data in the attacker's hands":                         {lab.Evidence{SignedIn: true, Finished: true, Answers: []lab.Answer{{By: lab.Attacker, Status: 200, Gave: true}}}, lab.Broken},
		"data in the victim's own browser":                     {lab.Evidence{SignedIn: true, Finished: true, Answers: []lab.Answer{{By: lab.Browser, Status: 200, Gave: true}}}, lab.Held},
		"an answer without data":                               {lab.Evidence{SignedIn: true, Finished: true, Answers: []lab.Answer{{By: lab.Attacker, Status: 200}}}, lab.Held},
		"something changed":                                    {lab.Evidence{SignedIn: true, Finished: true, Changes: []string{"an order"}}, lab.Broken},
		"something changed, though no report came":             {lab.Evidence{SignedIn: true, Changes: []string{"an order"}}, lab.Broken},
		"there was nothing to attack":                          {lab.Evidence{SignedIn: true, Missing: "no cookie"}, lab.NotApplicable},
		"the lab failed":                                       {lab.Evidence{SignedIn: true, Finished: true, Failed: "no browser"}, lab.Inconclusive},
		"the lab failed after something else was seen to give": {lab.Evidence{SignedIn: true, Failed: "no browser", Changes: []string{"an order"}}, lab.Inconclusive},
	} {
		if got := report.Judge(row.evidence); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}

func TestATableHasARowToAStrategy(t *testing.T) {
	r := lab.Report{Cells: []lab.Cell{
		{Strategy: "one", Attack: "A1", Verdict: lab.Broken}, {Strategy: "one", Attack: "X10", Verdict: lab.NotApplicable},
		{Strategy: "the-other", Attack: "A1", Verdict: lab.Held},
	}}
	want := "strategy   A1      X10\none        broken  not-applicable\nthe-other  held    -\n"
	if diff := cmp.Diff(want, report.Table(r)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAReportSurvivesJSON(t *testing.T) {
	r := lab.Report{Cells: []lab.Cell{{Strategy: "one", Attack: "A1", Verdict: lab.Broken, Evidence: lab.Evidence{
		SignedIn: true, Finished: true, Steps: []string{"a", "b"}, Missing: "m", Failed: "f", Changes: []string{"c"},
		Taken:   []lab.Loot{{Kind: lab.KindCookie, From: "jar", Fingerprint: "01234567"}},
		Answers: []lab.Answer{{By: lab.Attacker, Request: "GET x", With: "01234567", Status: 200, Gave: true}},
	}}}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back lab.Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
