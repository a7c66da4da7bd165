package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloakroom/bff/session"
)

func TestATicketSurvivesItsText(t *testing.T) {
	ticket := session.NewTicket()
	parsed, err := session.ParseTicket(ticket.Reveal())
	if err != nil || parsed != ticket {
		t.Fatalf("ParseTicket = %v, %v", parsed, err)
	}
	if ticket == session.NewTicket() {
		t.Error("two tickets are the same")
	}
	if printed := fmt.Sprintf("%v %+v %#v %s %x", ticket, ticket, ticket, ticket, ticket); strings.Contains(printed, ticket.Reveal()) {
		t.Errorf("a ticket prints as %s", printed)
	}
}

func TestParseTicketTakesOneSpellingOnly(t *testing.T) {
	good := session.NewTicket().Reveal()
	for name, text := range map[string]string{
		"empty": "", "too short": good[:42], "too long": good + "A", "padded": good[:42] + "=",
		"another alphabet":          strings.Repeat("+", 43),
		"stray bits at the end":     strings.Repeat("A", 42) + "B",
		"with a line break":         good[:20] + "\n" + good[21:],
		"not text":                  strings.Repeat("\x00", 43),
		"longer with a valid start": strings.Repeat(good, 100),
	} {
		if _, err := session.ParseTicket(text); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

func FuzzParseTicket(f *testing.F) {
	f.Add(session.NewTicket().Reveal())
	f.Add(strings.Repeat("A", 42) + "B")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		ticket, err := session.ParseTicket(text)
		if err == nil && ticket.Reveal() != text {
			t.Errorf("%q is read as %q", text, ticket.Reveal())
		}
	})
}
