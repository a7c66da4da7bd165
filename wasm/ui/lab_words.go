package ui

import (
	"fmt"
	"strings"

	"cloakroom/shared/lab"
)

// Mark is a verdict or a finding as it is shown: never by colour alone.
type Mark struct{ Symbol, Word, Class string }

// MarkOf is a verdict's.
func MarkOf(v lab.Verdict) Mark {
	switch v {
	case lab.Broken:
		return Mark{"✗", "broken", "broken"}
	case lab.Held:
		return Mark{"✓", "held", "held"}
	case lab.NotApplicable:
		return Mark{"–", "n/a", "none"}
	case lab.Inconclusive:
		return Mark{"?", "unclear", "unclear"}
	}
	return Mark{"·", "not run", "none"}
}

// markOf is a finding's.
func markOf(m lab.Measure) Mark {
	switch {
	case m.Failed != "":
		return Mark{"?", "unclear", "unclear"}
	case m.Missing != "":
		return Mark{"–", "n/a", "none"}
	}
	return Mark{"", m.Finding, "found"}
}

// familyNames are the families for a person.
var familyNames = map[lab.Family]string{lab.InPage: "in the page", lab.InCookie: "in a cookie", lab.AtServer: "at the server"}

// kinds of loot for a person.
var lootNames = map[string]string{
	lab.KindAccess: "access token", lab.KindRefresh: "refresh token", lab.KindID: "ID token", lab.KindCookie: "cookie", lab.KindCode: "code",
}

func lootName(kind string) string {
	if name := lootNames[kind]; name != "" {
		return name
	}
	return kind
}

// Why is the reason of a verdict in one sentence, from its evidence alone.
func Why(c lab.Cell) string {
	e := c.Evidence
	switch c.Verdict {
	case lab.Broken:
		return whyBroken(e)
	case lab.Held:
		return whyHeld(e)
	case lab.NotApplicable:
		return sentence(e.Missing)
	case lab.Inconclusive:
		switch {
		case e.Failed != "":
			return "The lab could not run it: " + e.Failed
		case !e.SignedIn:
			return "The victim could not sign in, so nothing is known."
		}
		return "It did not run to its end, so nothing is known."
	}
	return ""
}

func whyBroken(e lab.Evidence) string {
	var reasons []string
	for _, a := range e.Answers {
		if a.By == lab.Attacker && a.Gave {
			reasons = append(reasons, "The attacker's own client was given the victim's data"+carrying(e, a)+".")
			break
		}
	}
	if len(e.Changes) > 0 {
		reasons = append(reasons, sentence(e.Changes[0]))
	}
	return strings.Join(reasons, " ")
}

// carrying says what an answer was got with.
func carrying(e lab.Evidence, a lab.Answer) string {
	for _, loot := range e.Taken {
		if loot.Fingerprint == a.With {
			return " for the " + lootName(loot.Kind) + " from " + loot.From
		}
	}
	if a.With != "" {
		return " for tokens it had itself issued"
	}
	return ""
}

func whyHeld(e lab.Evidence) string {
	refused := map[int]bool{}
	var codes []string
	for _, a := range e.Answers {
		if !refused[a.Status] {
			refused[a.Status] = true
			codes = append(codes, fmt.Sprint(a.Status))
		}
	}
	said := strings.Join(codes, " and ")
	switch {
	case len(e.Taken) > 0 && said != "":
		return "What was taken, " + Count(len(e.Taken), "piece") + ", was of no use: the servers answered " + said + "."
	case said != "":
		return "It changed and gave nothing: the servers answered " + said + "."
	}
	return "It ran to its end and found nothing of use."
}

// whyFound is the reason of a finding.
func whyFound(m lab.Measure) string {
	switch {
	case m.Failed != "":
		return "The lab could not measure it: " + m.Failed
	case m.Missing != "":
		return sentence(m.Missing)
	case len(m.Steps) > 0:
		return sentence(m.Steps[len(m.Steps)-1])
	}
	return sentence(m.Finding)
}

// sentence makes one of words that begin and end like none.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
