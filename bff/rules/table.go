package rules

import (
	"errors"
	"fmt"
	"strings"
)

const (
	begin = "<!-- rules -->\n"
	end   = "<!-- /rules -->"
)

// ErrNoMarkers is what Rewrite returns for a text without a place for the table.
var ErrNoMarkers = errors.New("no " + strings.TrimSpace(begin) + " before a " + end)

// Rewrite returns a README with the table of the catalogue between its markers.
func Rewrite(readme string, catalogue []Rule) (string, error) {
	before, rest, ok := strings.Cut(readme, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", ErrNoMarkers
	}
	return before + begin + Table(catalogue) + end + after, nil
}

// Table is the catalogue in Markdown: a sentence that counts, then rule, level,
// what it asks, and what proves it.
func Table(catalogue []Rule) string {
	var b strings.Builder
	b.WriteString(count(catalogue))
	b.WriteString("\n\n| rule | level | what it asks | proved by |\n|---|---|---|---|\n")
	for _, r := range catalogue {
		level := string(r.Level)
		if r.Binds != BFF {
			level += ", " + string(r.Binds)
		}
		fmt.Fprintf(&b, "| %s [§%s](%s) | %s | %s | %s |\n", r.ID(), r.Section, r.address(), level, r.Asks, proof(r))
	}
	return b.String()
}

func proof(r Rule) string {
	var parts []string
	if len(r.Tests) > 0 {
		parts = append(parts, "`"+strings.Join(r.Tests, "`, `")+"`")
	}
	if r.NotYet != "" {
		parts = append(parts, "**not yet:** "+r.NotYet)
	}
	if r.Note != "" {
		parts = append(parts, r.Note)
	}
	return strings.Join(parts, "; ")
}

func count(catalogue []Rule) string {
	var whole, part, open, none int
	for _, r := range catalogue {
		switch tested, gap := len(r.Tests) > 0, r.NotYet != ""; {
		case tested && !gap:
			whole++
		case tested:
			part++
		case gap:
			open++
		default:
			none++
		}
	}
	return fmt.Sprintf("Of %d rules, %d are proved, %d in part, %d not yet, and %d are not for a test.", len(catalogue), whole, part, open, none)
}
