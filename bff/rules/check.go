package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var levels = []Level{Must, MustNot, Should, ShouldNot, NotRecommended, Advice}

// Check reports every problem of a catalogue at once: a number from 1 to Count
// that is missing, doubled or out of order, a rule that is not fully described,
// one with neither test nor reason, and one whose test is not among declared.
func Check(catalogue []Rule, declared map[string]bool) error {
	var errs []error
	fail := func(r Rule, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{r.ID()}, args...)...))
	}
	seen := map[int]bool{}
	for i, r := range catalogue {
		switch {
		case r.N < 1 || r.N > Count:
			fail(r, "the draft has no such rule")
		case seen[r.N]:
			fail(r, "is listed twice")
		case i > 0 && r.N < catalogue[i-1].N:
			fail(r, "stands behind %s", catalogue[i-1].ID())
		}
		seen[r.N] = true
		if r.Section == "" || r.Binds == "" || r.Asks == "" || !slices.Contains(levels, r.Level) {
			fail(r, "lacks its section, level, party or text")
		}
		if strings.ContainsAny(r.Asks+r.NotYet+r.Note, "|\n") {
			fail(r, "has a text that would break the table")
		}
		if len(r.Tests) == 0 && r.NotYet == "" && r.Note == "" {
			fail(r, "has neither a test nor a reason")
		}
		for _, name := range r.Tests {
			if !declared[name] {
				fail(r, "names %s, which does not exist", name)
			}
		}
	}
	for n := 1; n <= Count; n++ {
		if !seen[n] {
			fail(Rule{N: n}, "is missing")
		}
	}
	return errors.Join(errs...)
}

var declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`)

// Declared finds the names of all tests and fuzz tests below root, in every
// module there.
func Declared(root string) (map[string]bool, error) {
	declared := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declaration.FindAllSubmatch(source, -1) {
			declared[string(match[1])] = true
		}
		return err
	})
	return declared, err
}
