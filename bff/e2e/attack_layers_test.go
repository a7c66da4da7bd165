package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/guard"
)

// named finds the rows of the table above by name.
func named(t *testing.T, names ...string) []attack {
	t.Helper()
	var rows []attack
	for _, name := range names {
		i := slices.IndexFunc(attacks, func(row attack) bool { return row.name == name })
		if i < 0 {
			t.Fatalf("there is no attack %q", name)
		}
		rows = append(rows, attacks[i])
	}
	return rows
}

func (a *arena) aimAt(kinds ...guard.Kind) {
	a.targets = slices.DeleteFunc(a.targets, func(m mark) bool { return !slices.Contains(kinds, m.kind) })
}

// What the sibling can send with the session cookie. The layers below are all
// that stands in its way.
var withTheTicket = []string{
	"a form posts text that reads as JSON into a new tab", "a form asks with GET into a new tab", "fetch reads without cors",
	"fetch posts text without cors", "fetch posts text with cors", "a beacon sends text", "an image", "an event stream", "a WebSocket",
}

func TestEachLayerStopsTheSiblingAlone(t *testing.T) {
	for _, layer := range []struct {
		name  string
		blind blinding
	}{
		{"the header alone, in a browser without Fetch Metadata and Origin", blinding{request: blindMetadata}},
		{"Fetch Metadata and Origin alone, where the header was somehow set", blinding{request: blindHeader}},
	} {
		t.Run(layer.name, func(t *testing.T) {
			a := openArena(t, &layer.blind)
			a.aimAt(guard.Call)
			for _, row := range named(t, withTheTicket...) {
				for _, finding := range a.mount(t, a.sibling, row) {
					t.Errorf("%s: %s", row.name, finding)
				}
			}
		})
	}
}

// Without the layers the same attacks go through, so the tests that find
// nothing look at something.
func TestWithoutTheLayersTheAttacksWork(t *testing.T) {
	t.Run("the sibling's calls reach the API with alice's token", func(t *testing.T) {
		a := openArena(t, &blinding{request: blindAll})
		a.aimAt(guard.Call)
		for _, row := range named(t, withTheTicket...) {
			findings := a.mount(t, a.sibling, row)
			if row.name == "a WebSocket" {
				mustFind(t, findings, row.name, "/api/debug/echo: the attacker read", "who am I?")
				continue
			}
			mustFind(t, findings, row.name, "/api/debug/", ": answered with 200")
		}
	})
	t.Run("another site signs alice in anew", func(t *testing.T) {
		a := openArena(t, &blinding{request: blindAll})
		a.targets = []mark{{"/bff/login", guard.Navigation}}
		mustFind(t, a.mount(t, a.evil, named(t, "a new window")[0]), "a new window", "/bff/login: answered with 303", "")
	})
	t.Run("another site frames the application", func(t *testing.T) {
		a := openArena(t, &blinding{answer: blindFrames})
		a.targets = []mark{{"/", guard.Page}}
		for _, origin := range []string{a.evil, a.sibling} {
			mustFind(t, a.mount(t, origin, named(t, "a frame")[0]), "a frame", "framed: ", "")
		}
	})
}

// mustFind fails unless one finding has both parts.
func mustFind(t *testing.T, findings []string, row, part, other string) {
	t.Helper()
	if !slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, part) && strings.Contains(f, other) }) {
		t.Errorf("%s: no finding has %q and %q: this row cannot fail, so it proves nothing; it found:\n%s", row, part, other, strings.Join(findings, "\n"))
	}
}
