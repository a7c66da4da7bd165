package report

import (
	"fmt"
	"slices"
	"strings"

	"cloakroom/shared/lab"
)

// thefts are the attacks by which script in the page gets at tokens, to use them
// elsewhere.
var thefts = []string{"A1", "A2", "A3", "X5", "X9"}

// advise says what a report means for a choice. Each sentence is a reading of
// the report's own results, and is left out where it has none to read.
func advise(v view) []string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }

	tried := slices.DeleteFunc(slices.Clone(thefts), func(id string) bool { return column(v, id) < 0 })
	candidates := v.Rows
	if len(tried) > 0 {
		kept, lost, open := divide(v.Rows, v, tried)
		if len(lost) > 0 {
			say("Script in the page got tokens of use elsewhere (%s) from %s.", strings.Join(tried, ", "), list(lost))
		}
		if len(kept) > 0 {
			say("It got none from %s. Where script in the page is what you fear, choose among these.", list(kept))
			candidates = kept
		} else {
			say("There is none that it is known to have got none from.")
		}
		if len(open) > 0 {
			say("Of %s this is not known, since an attack did not run to its end.", list(open))
		}
	}
	if column(v, "A4") >= 0 {
		held, broken, _ := divide(v.Rows, v, []string{"A4"})
		switch {
		case len(held) == 0 && len(broken) > 0:
			say("As long as the page is open, script in it can do what its user can (A4); nothing here stopped that. A policy against foreign script is needed with every one of them.")
		case len(held) > 0:
			say("Script in the page could not act for its user (A4) with %s.", list(held))
		}
	}
	for _, about := range []struct{ attack, held, broken string }{
		{"X1", "A page of another site could do nothing (X1) with %s.", "A page of another site got through (X1) with %s."},
		{"X2", "A sub-domain that was taken over could forge no request (X2) with %s.", "A sub-domain that was taken over could forge requests (X2) with %s."},
		{"X4", "The disk gave nothing of use (X4) with %s.", "What was read from the disk could be used elsewhere (X4) with %s."},
		{"X10", "Copied cookies were of no use elsewhere (X10) with %s.", "Copied cookies could be used elsewhere (X10) with %s."},
		{"logout", "What was copied before a sign-out was of no use after it with %s.", "What was copied before a sign-out was of use after it with %s."},
		{"dump", "A dump of the server's store gave nothing of use with %s.", "A dump of the server's store gave something of use with %s."},
	} {
		if column(v, about.attack) < 0 {
			continue
		}
		held, broken, _ := divide(candidates, v, []string{about.attack})
		held = slices.DeleteFunc(held, func(r row) bool { return r.Cells[column(v, about.attack)].Verdict != lab.Held })
		if len(held) > 0 {
			say("Among "+among(candidates, v)+": "+lower(about.held), list(held))
		}
		if len(broken) > 0 {
			say("Among "+among(candidates, v)+": "+lower(about.broken), list(broken))
		}
	}
	for _, about := range []struct{ property, yes string }{
		{"server-restart", "A restart of the server signs nobody out with %s."},
		{"other-instance", "Any instance can serve the next request with %s."},
		{"browser-restart", "The session outlives the browser with %s."},
	} {
		i := slices.IndexFunc(v.Properties, func(p lab.Property) bool { return p.ID == about.property })
		if i < 0 {
			continue
		}
		yes := slices.DeleteFunc(slices.Clone(candidates), func(r row) bool { return !strings.HasPrefix(r.Measures[i].Finding, "yes") })
		if len(yes) > 0 {
			say("Among "+among(candidates, v)+": "+lower(about.yes), list(yes))
		}
	}
	if len(v.Attacks) > 1 {
		least := slices.MinFunc(v.Rows, func(a, b row) int { return a.Broken() - b.Broken() }).Broken()
		best := slices.DeleteFunc(slices.Clone(v.Rows), func(r row) bool { return r.Broken() != least })
		say("The fewest attacks succeeded, %d of %d, against %s. A count weighs all attacks alike; weigh them by what you have to lose.", least, len(v.Attacks), list(best))
	}
	unknown := 0
	for _, c := range v.Report.Cells {
		if c.Verdict == lab.Inconclusive {
			unknown++
		}
	}
	if unknown > 0 {
		say("%d of %d cells are inconclusive and count for nothing.", unknown, len(v.Report.Cells))
	}
	return said
}

// divide sorts rows by what became of some attacks: held, or nothing to attack,
// by all of them; broken by one; neither.
func divide(rows []row, v view, attacks []string) (held, broken, open []row) {
	for _, r := range rows {
		worst := lab.Held
		for _, id := range attacks {
			switch verdict := r.Cells[column(v, id)].Verdict; {
			case verdict == lab.Broken:
				worst = lab.Broken
			case verdict != lab.Held && verdict != lab.NotApplicable && worst != lab.Broken:
				worst = lab.Inconclusive
			}
		}
		switch worst {
		case lab.Held:
			held = append(held, r)
		case lab.Broken:
			broken = append(broken, r)
		default:
			open = append(open, r)
		}
	}
	return held, broken, open
}

// column is where an attack is; -1: it is not.
func column(v view, attack string) int {
	return slices.IndexFunc(v.Attacks, func(a lab.Attack) bool { return a.ID == attack })
}

func among(candidates []row, v view) string {
	if len(candidates) == len(v.Rows) {
		return "all"
	}
	return "those"
}

func list(rows []row) string {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.Strategy.ID)
	}
	return strings.Join(ids, ", ")
}

func lower(sentence string) string { return strings.ToLower(sentence[:1]) + sentence[1:] }
