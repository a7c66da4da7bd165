package lab_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/compare"
	"cloakroom/bff/lab/report"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

var updateLab = flag.Bool("update-lab", false, "write the lab's verdicts and findings as they come out of a whole run")

const golden = "testdata/lab.golden"

// sample is what is run where time is short: every attack, where it succeeds and
// where it does not, and every kind of strategy. The golden file has them all.
var sample = []struct {
	strategy string
	attacks  []string
}{
	{"js-memory", []string{"A1", "A2", "A3", "A4", "X1", "X5"}},
	{"readable-cookie", []string{"X4", "X10"}},
	{"wasm-memory", []string{"A1", "X9"}},
	{"service-worker", []string{"A1", "X6"}},
	{"token-mediating", []string{"A1", "A3"}},
	{"cookie-jwt", []string{"X4", "tampering", "logout"}},
	{"cookie-jwe", []string{"X10", "logout"}},
	{"bff-redis", []string{"A1", "A2", "A3", "A4", "X1", "X2", "X3", "X4", "X5", "X7", "X8", "X10", "fixation", "tampering", "dump", "logout"}},
}

// TestTheLabsVerdicts holds verdicts to the golden file. With the environment variable LAB_RUNS, a
// number, the whole lab is run as often as that, steady findings too, and each
// time has to come out the same.
func TestTheLabsVerdicts(t *testing.T) {
	runs, whole := os.LookupEnv("LAB_RUNS")
	if !whole {
		made := runSample(t)
		check(t, made)
		compareToGolden(t, made, false)
		return
	}
	n, err := strconv.Atoi(runs)
	if err != nil || n < 1 {
		t.Fatalf("LAB_RUNS is %q", runs)
	}
	choice, err := compare.Choose(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		made, err := compare.Strategies(t.Context(), compare.Options{
			Choice: choice, Program: servers.Build(t, "../..", "./bff", "cloakroom"), Version: "of the tests", Progress: os.Stderr,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("run %d took %v", i+1, made.Made.Took)
		check(t, made)
		if *updateLab && i == 0 {
			if err := os.WriteFile(golden, []byte(tables(made)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compareToGolden(t, made, true)
	}
}

func runSample(t *testing.T) (made lab.Report) {
	var strategies []lab.Strategy
	for _, row := range sample {
		strategies = append(strategies, pick(t, lab.FindStrategy, row.strategy)...)
	}
	w, v := openLab(t, strategy.Config{Strategies: strategies}), newVictim(t)
	for i, row := range sample {
		for _, a := range pick(t, lab.FindAttack, row.attacks...) {
			c, err := attack.Cell(t.Context(), w, v, strategies[i], a)
			if err != nil {
				t.Fatal(err)
			}
			made.Cells = append(made.Cells, c)
		}
	}
	return made
}

// anyToken is a JWT, whatever is in it.
var anyToken = regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]+\.`)

// check holds a report to what every report has to be.
func check(t *testing.T, made lab.Report) {
	t.Helper()
	for _, c := range made.Cells {
		if len(c.Evidence.Steps) < 1 || c.Verdict == lab.Held && !c.Evidence.Finished {
			t.Errorf("%s, %s: %s without evidence", c.Strategy, c.Attack, c.Verdict)
		}
	}
	for _, m := range made.Measures {
		if m.Finding+m.Missing+m.Failed == "" || len(m.Steps) == 0 && m.Finding != "" {
			t.Errorf("%s, %s: %q without a step", m.Strategy, m.Property, m.Finding)
		}
	}
	for _, format := range report.Formats() {
		var text strings.Builder
		if err := report.Write(&text, format, made); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{strategy.Victim.Password, strategy.Stranger.Password} {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%s: the report has a password in it", format)
			}
		}
		if token := anyToken.FindString(text.String()); token != "" {
			t.Errorf("%s: the report has a token in it: %.12s...", format, token)
		}
	}
}

// tables is what the golden file has: verdicts, and the findings of properties
// that are the same in every run.
func tables(made lab.Report) string {
	var findings lab.Report
	for _, m := range made.Measures {
		if p, _ := lab.FindProperty(m.Property); p.Steady {
			finding := m.Finding
			switch {
			case m.Failed != "":
				finding = "failed"
			case m.Missing != "":
				finding = "n/a"
			}
			findings.Cells = append(findings.Cells, lab.Cell{Strategy: m.Strategy, Attack: m.Property, Verdict: lab.Verdict(finding)})
		}
	}
	return report.Table(made) + "\n" + report.Table(findings)
}

// compareToGolden compares what was run; all of the golden file must have been
// if whole.
func compareToGolden(t *testing.T, made lab.Report, whole bool) {
	t.Helper()
	content, err := os.ReadFile(filepath.FromSlash(golden))
	if err != nil {
		t.Fatal(err)
	}
	if got := tables(made); whole && got != string(content) {
		t.Errorf("the lab came out as\n%s\nand had as\n%s", got, content)
	}
	want := readTable(string(content))
	for _, c := range made.Cells {
		if verdict := want[[2]string{c.Strategy, c.Attack}]; verdict != string(c.Verdict) {
			evidence, _ := json.MarshalIndent(c, "", "  ")
			t.Errorf("%s, %s: %s, was %q\n%s", c.Strategy, c.Attack, c.Verdict, verdict, evidence)
		}
	}
}

// readTable reads the first table of a golden file.
func readTable(text string) map[[2]string]string {
	text, _, _ = strings.Cut(text, "\n\n")
	lines := strings.Split(text, "\n")
	head, verdicts := strings.Fields(lines[0]), map[[2]string]string{}
	for _, line := range lines[1:] {
		for i, verdict := range strings.Fields(line) {
			if i > 0 {
				verdicts[[2]string{strings.Fields(line)[0], head[i]}] = verdict
			}
		}
	}
	return verdicts
}

// The sample has every attack; whatever else it leaves out, the golden file and
// a whole run have.
func TestTheSampleHasEveryAttack(t *testing.T) {
	sampled := map[string]bool{}
	for _, row := range sample {
		pick(t, lab.FindStrategy, row.strategy)
		for _, a := range pick(t, lab.FindAttack, row.attacks...) {
			sampled[a.ID] = true
		}
	}
	for _, a := range lab.Attacks() {
		if !sampled[a.ID] {
			t.Errorf("%s is not in it", a.ID)
		}
	}
}
