package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

// budgetsText has a row for each budget: what must be held, and what is aimed at.
// More says that more is better.
//
//go:embed budgets.json
var budgetsText []byte

type budget struct {
	ID   string  `json:"id"`
	What string  `json:"what"`
	Must float64 `json:"must"`
	Aim  float64 `json:"aim"`
	More bool    `json:"more,omitempty"`
}

func budgets() (list []budget, err error) {
	if err := json.Unmarshal(budgetsText, &list); err != nil {
		return nil, fmt.Errorf("budgets.json: %w", err)
	}
	for _, b := range list {
		if spending[b.ID] == nil {
			return nil, fmt.Errorf("budgets.json: nothing measures %q", b.ID)
		}
	}
	if len(list) != len(spending) {
		return nil, fmt.Errorf("budgets.json has %d rows, and %d are measured", len(list), len(spending))
	}
	return list, nil
}

// spending says, by budget, what was spent in every round; none when it was not
// measured.
var spending = map[string]func(r *report) []float64{
	"memory":              rowOf("memory", round.x),
	"redis":               rowOf("redis", round.x),
	"redis-near":          rowOf("redis-near", round.x),
	"jwe":                 rowOf("jwe", round.x),
	"jwe-first":           rowOf("jwe-first", round.x),
	"latency":             rowOf("memory", round.added),
	"oauth2-proxy-redis":  timesTheX("oauth2-proxy-redis", "redis"),
	"oauth2-proxy-cookie": timesTheX("oauth2-proxy-cookie", "jwe"),
	"oidc-shm":            timesTheX("oidc-shm", "memory"),
	"oidc-redis":          timesTheX("oidc-redis", "redis"),
	"oidc-cookie":         timesTheX("oidc-cookie", "jwe"),
	"bytes":               measured("Million/memory/bytes", 1),
	"gc":                  measured("Million/memory/gc", 1),
	"million":             measured("Million/memory/p99", 1),
	"wasm":                measured("Client/wasm", 1e-6),
	"cold":                measured("Client/cold", 1e-3),
	"paint":               measured("Client/paint", 1),
	"start":               measured("Start", 1),
	"rotation":            measured("Rotation/p99", 1),
}

func rowOf(name string, figure func(round) float64) func(*report) []float64 {
	return func(r *report) []float64 {
		for _, row := range r.Rows {
			if row.Name == name {
				return row.of(figure)
			}
		}
		return nil
	}
}

// timesTheX compares two rows round by round. Each is first divided by the
// yardstick beside it, since the machine is not the same from turn to turn.
func timesTheX(other, ours string) func(*report) []float64 {
	return func(r *report) (ratios []float64) {
		theirs, own := rowOf(other, round.x)(r), rowOf(ours, round.x)(r)
		for i := range min(len(theirs), len(own)) {
			ratios = append(ratios, theirs[i]/own[i])
		}
		return ratios
	}
}

func measured(id string, unit float64) func(*report) []float64 {
	return func(r *report) (values []float64) {
		for _, m := range r.Measures {
			if m.ID == id {
				for _, value := range m.Values {
					values = append(values, value*unit)
				}
			}
		}
		return values
	}
}

// Verdicts on a budget.
const (
	aimReached  = "aim reached"
	mustHeld    = "held"
	notHeld     = "NOT HELD"
	notMeasured = "not measured"
)

// judge compares a median with the budget.
func (b budget) judge(values []float64) string {
	if len(values) == 0 {
		return notMeasured
	}
	within := func(bound float64) bool {
		if b.More {
			return spreadOf(values).median >= bound
		}
		return spreadOf(values).median <= bound
	}
	switch {
	case !within(b.Must):
		return notHeld
	case !within(b.Aim):
		return mustHeld
	}
	return aimReached
}

// judged is a budget and what was spent of it.
type judged struct {
	budget
	spent, verdict string
}

// judge compares what was measured with the budgets: all of them, or those alone
// of which something was measured.
func (r *report) judge(all bool) ([]judged, error) {
	list, err := budgets()
	if err != nil {
		return nil, err
	}
	var out []judged
	for _, b := range list {
		values := spending[b.ID](r)
		if len(values) == 0 && !all {
			continue
		}
		one := judged{b, "-", b.judge(values)}
		if len(values) > 0 {
			one.spent = spreadOf(values).text(number3)
		}
		out = append(out, one)
	}
	return out, nil
}

// bound is a limit with its direction.
func (b budget) bound(limit float64) string {
	sign := "<="
	if b.More {
		sign = ">="
	}
	return fmt.Sprintf("%s %g", sign, limit)
}

// verdicts tells the outcome on a terminal.
func verdicts(list []judged) string {
	var b strings.Builder
	held := 0
	for _, one := range list {
		if one.verdict == aimReached || one.verdict == mustHeld {
			held++
		}
		fmt.Fprintf(&b, "%-12s %-28s must %-7s aim %-7s %s\n", one.verdict, one.spent, one.bound(one.Must), one.bound(one.Aim), one.What)
	}
	if len(list) > 0 {
		fmt.Fprintf(&b, "%d of %d budgets are held\n", held, len(list))
	}
	return b.String()
}

// budgetTable is the same in Markdown.
func budgetTable(list []judged) string {
	var b strings.Builder
	b.WriteString("| budget | must | aim | is | |\n|---|--:|--:|--:|---|\n")
	for _, one := range list {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", one.What, one.bound(one.Must), one.bound(one.Aim), one.spent, one.verdict)
	}
	return b.String()
}
