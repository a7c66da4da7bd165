package report

import (
	"fmt"
	"io"
	"strings"

	"cloakroom/shared/lab"
)

// inTable makes text safe in a table's cell and elsewhere in Markdown.
var inTable = strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "`", "'", "*", `\*`, "[", `\[`)

var inWords = map[lab.Verdict]string{
	lab.Broken: "**broken**", lab.Held: "held", lab.NotApplicable: "n/a", lab.Inconclusive: "?", "": " ",
}

func writeMarkdown(w io.Writer, r lab.Report) error {
	v := see(r)
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	cells := func(list []string) { line("| %s |", strings.Join(list, " | ")) }
	rule := func(n int) { line("|%s", strings.Repeat("---|", n)) }

	line("# Where to keep a session: strategies compared\n")
	line("Made %s in %s, with Cloakroom %s and %s, on %s.\n", r.Made.At.Format("2006-01-02 15:04 MST"), round(r.Made.Took), inTable.Replace(r.Made.Cloakroom), inTable.Replace(r.Made.Browser), inTable.Replace(r.Made.Machine))
	if len(v.Attacks) > 0 {
		line("## What held\n")
		head := []string{"strategy"}
		for _, a := range v.Attacks {
			head = append(head, a.ID)
		}
		cells(head)
		rule(len(head))
		for _, one := range v.Rows {
			columns := []string{one.Strategy.ID}
			for _, c := range one.Cells {
				columns = append(columns, inWords[c.Verdict])
			}
			cells(columns)
		}
		line("\n**broken**: the attacker got in, or changed something. held: the attack ran to its end and came to nothing. n/a: there is nothing to attack. ?: the attack did not run to its end, which says nothing.\n")
		for _, a := range v.Attacks {
			line("- %s, %s: %s", a.ID, a.Name, inTable.Replace(a.Does))
		}
		line("")
	}
	if len(v.Properties) > 0 {
		line("## What it survives and costs\n")
		head := []string{"strategy"}
		for _, p := range v.Properties {
			head = append(head, p.Name)
		}
		cells(head)
		rule(len(head))
		for _, one := range v.Rows {
			columns := []string{one.Strategy.ID}
			for _, m := range one.Measures {
				columns = append(columns, inTable.Replace(finding(m)))
			}
			cells(columns)
		}
		line("")
		for _, p := range v.Properties {
			line("- %s: %s", p.Name, inTable.Replace(p.Measures))
		}
		line("")
	}
	if len(v.Advice) > 0 {
		line("## How to choose\n")
		line("%s\n", strings.Join(v.Advice, "\n"))
	}
	line("## Evidence\n")
	for _, one := range v.Rows {
		line("### %s: %s\n", one.Strategy.ID, inTable.Replace(one.Strategy.Keeps))
		for _, c := range one.Cells {
			if c.Verdict == "" {
				continue
			}
			line("%s: %s", c.Attack, c.Verdict)
			for _, fact := range facts(c.Evidence) {
				line("- %s", inTable.Replace(fact))
			}
			line("")
		}
		for _, m := range one.Measures {
			if m.Finding+m.Missing+m.Failed == "" {
				continue
			}
			line("%s: %s", m.Property, inTable.Replace(finding(m)))
			for _, step := range m.Steps {
				line("- %s", inTable.Replace(step))
			}
			line("")
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// finding is a measure in a few words.
func finding(m lab.Measure) string {
	switch {
	case m.Failed != "":
		return "?"
	case m.Missing != "":
		return "n/a"
	}
	return m.Finding
}

// facts is a cell's evidence in words, in the order of events.
func facts(e lab.Evidence) []string {
	list := append([]string(nil), e.Steps...)
	for _, loot := range e.Taken {
		list = append(list, fmt.Sprintf("taken: %s, from %s, fingerprint %s", loot.Kind, loot.From, loot.Fingerprint))
	}
	for _, a := range e.Answers {
		text := fmt.Sprintf("%s: %s", a.By, a.Request)
		if a.With != "" {
			text += ", with " + a.With
		}
		text += fmt.Sprintf(": %d", a.Status)
		if a.Gave {
			text += ", which gave the victim's data"
		}
		list = append(list, text)
	}
	for _, change := range e.Changes {
		list = append(list, "changed: "+change)
	}
	if e.Missing != "" {
		list = append(list, "nothing to attack: "+e.Missing)
	}
	if e.Failed != "" {
		list = append(list, "the lab could not run it: "+e.Failed)
	}
	return list
}
