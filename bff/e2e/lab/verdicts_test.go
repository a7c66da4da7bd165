package lab_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/report"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

var updateLab = flag.Bool("update-lab", false, "write the lab's verdicts as they come out")

// TestTheLabsVerdicts runs every attack on every strategy. The golden file has
// verdicts only; what each rests on is in the cell, and is logged with -v.
func TestTheLabsVerdicts(t *testing.T) {
	w := openLab(t, strategy.Config{})
	made, err := attack.Run(t.Context(), w, newVictim(t), lab.Attacks())
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", evidence)
	golden := filepath.Join("testdata", "lab.golden")
	got := report.Table(made)
	if *updateLab {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the verdicts are\n%s\nand were\n%s", got, want)
	}
	for _, c := range made.Cells {
		if len(c.Evidence.Steps) < 1 || c.Verdict == lab.Held && !c.Evidence.Finished {
			t.Errorf("%s, %s: %s without evidence", c.Strategy, c.Attack, c.Verdict)
		}
	}
	if strings.Contains(string(evidence), "eyJ") {
		t.Error("the report has a token in it")
	}
}
