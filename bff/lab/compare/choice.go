package compare

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloakroom/bff/lab/chromium"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// Choice is what is to be run: each attack on each strategy, and each property
// of each strategy.
type Choice struct {
	Strategies []lab.Strategy
	Attacks    []lab.Attack
	Properties []lab.Property
}

// Cells is how many results there will be.
func (c Choice) Cells() int { return len(c.Strategies) * (len(c.Attacks) + len(c.Properties)) }

// Choose finds what IDs of strategies, attacks and properties name, an ID all
// that it names. Without one of a strategy all are chosen, and without one of an
// attack or a property all of both. Its errors are *UnknownError, joined.
func Choose(ids []string) (Choice, error) {
	c := Choice{lab.Strategies(), lab.Attacks(), lab.Properties()}
	if err := all(ids, known()); err != nil {
		return Choice{}, err
	}
	strategies := named(c.Strategies, ids, func(s lab.Strategy) string { return s.ID })
	attacks := named(c.Attacks, ids, func(a lab.Attack) string { return a.ID })
	properties := named(c.Properties, ids, func(p lab.Property) string { return p.ID })
	if len(strategies) > 0 {
		c.Strategies = strategies
	}
	if len(attacks)+len(properties) > 0 {
		c.Attacks, c.Properties = attacks, properties
	}
	return c, nil
}

// all returns an *UnknownError for each ID that is not known, joined.
func all(ids, known []string) error {
	var problems []error
	for _, id := range ids {
		if !slices.Contains(known, id) {
			problems = append(problems, &UnknownError{id, known})
		}
	}
	return errors.Join(problems...)
}

func named[T any](all []T, ids []string, id func(T) string) []T {
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return !slices.Contains(ids, id(one)) })
}

func known() []string {
	var ids []string
	for _, s := range lab.Strategies() {
		ids = append(ids, s.ID)
	}
	for _, a := range lab.Attacks() {
		ids = append(ids, a.ID)
	}
	for _, p := range lab.Properties() {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids) // a sign-out is an attack and a property
}

// UnknownError names an ID that nothing has, among those that there are.
type UnknownError struct {
	ID    string
	Known []string
}

func (e *UnknownError) Error() string {
	nearest := slices.MinFunc(e.Known, func(a, b string) int { return distance(a, e.ID) - distance(b, e.ID) })
	if distance(nearest, e.ID) <= max(2, len(e.ID)/3) {
		return fmt.Sprintf("there is no %q; did you mean %s?", e.ID, nearest)
	}
	return fmt.Sprintf("there is no %q; there are: %s", e.ID, strings.Join(e.Known, " "))
}

// distance is how many letters must be put in, left out or changed to make one
// word the other (Levenshtein's), capitals apart.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Missing says what has to be installed for a choice, all at once; nil: nothing.
func (c Choice) Missing() error {
	_, err := chromium.Find()
	problems := []error{err}
	for _, s := range c.Strategies {
		if kind := strategy.StoreOf(s); kind != "" {
			if err := machine.Installed(kind); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", s.ID, err))
			}
		}
	}
	return errors.Join(problems...)
}
