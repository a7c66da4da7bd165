package report

import (
	"slices"

	"cloakroom/shared/lab"
)

// Judge turns evidence into a verdict. Broken takes a fruit: the attacker's own
// client was given the victim's data, or something changed for the victim.
// What was taken and is of no use breaks nothing, once it was tried. Held takes
// an attack that ran to its end on a page that was signed in: without that,
// nothing is known.
func Judge(e lab.Evidence) lab.Verdict {
	switch {
	case !e.SignedIn || e.Failed != "":
		return lab.Inconclusive
	case len(e.Changes) > 0 || gave(e.Answers):
		return lab.Broken
	case e.Missing != "":
		return lab.NotApplicable
	case !e.Finished || untried(e):
		return lab.Inconclusive
	}
	return lab.Held
}

// untried reports whether something was taken that no request carried.
func untried(e lab.Evidence) bool {
	return slices.ContainsFunc(e.Taken, func(loot lab.Loot) bool {
		return !slices.ContainsFunc(e.Answers, func(a lab.Answer) bool {
			return a.By == lab.Attacker && a.With == loot.Fingerprint
		})
	})
}

func gave(answers []lab.Answer) bool {
	for _, a := range answers {
		// What the victim's own browser is given, the attacker does not have yet.
		if a.Gave && a.By == lab.Attacker {
			return true
		}
	}
	return false
}
