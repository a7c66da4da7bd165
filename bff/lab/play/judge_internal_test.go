package play

import (
	"fmt"
	"testing"

	"cloakroom/bff/lab/topology"
	"cloakroom/bff/lab/visitor"
	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Every answer is one of four, and what must never be is noticed.
func TestHowAnAnswerIsJudged(t *testing.T) {
	who := func(subject, logout string) string {
		return fmt.Sprintf(`[{"type":"sub","value":%q},{"type":"bff:logout_url","value":%q}]`, subject, logout)
	}
	const mine = "/bff/logout?sid=mine"
	person := topology.Visitor(4)
	const user, orders = shared.PathUser, "/api/orders?limit=1"
	for _, row := range []struct {
		name  string
		path  string
		got   visitor.Answer
		terse bool
		want  outcome
		wrong lab.Rule
	}{
		{"one's own", user, visitor.Answer{Status: 200, Body: who(person.Subject, mine)}, false, served, ""},
		{"somebody else's", user, visitor.Answer{Status: 200, Body: who("user-visitor-5", mine)}, false, served, lab.NotAnother},
		{"another session of the same person", user, visitor.Answer{Status: 200, Body: who(person.Subject, "/bff/logout?sid=other")}, false, served, lab.NotAnother},
		{"nobody's", user, visitor.Answer{Status: 200, Body: "[]"}, false, served, lab.NotAnother},
		{"one's own orders", orders, visitor.Answer{Status: 200, Body: `{"total":5}`}, false, served, ""},
		{"another's orders", orders, visitor.Answer{Status: 200, Body: `{"total":6}`}, false, served, lab.NotAnother},
		{"no orders", orders, visitor.Answer{Status: 200, Body: "<html>"}, false, served, lab.NotAnother},
		{"a refusal", user, visitor.Answer{Status: 401, Code: problem.SessionRequired}, false, refused, ""},
		{"a declared 503", user, visitor.Answer{Status: 503, Code: problem.StoreUnavailable, Retry: true}, false, declared, ""},
		{"a 503 without a word", user, visitor.Answer{Status: 503}, false, failed, lab.Not5xx},
		{"a 503 of a balancer without words", user, visitor.Answer{Status: 503}, true, declared, ""},
		{"a 502", user, visitor.Answer{Status: 502, Code: problem.ProviderError}, false, failed, lab.Not5xx},
		{"a 500", orders, visitor.Answer{Status: 500, Code: problem.Internal}, true, failed, lab.Not5xx},
		{"a 403", user, visitor.Answer{Status: 403}, false, failed, ""},
	} {
		c := &Crowd{book: &book{}, terse: row.terse}
		g := &guest{&visitor.Visitor{Subject: person.Subject, Logout: mine}, person}
		if got := c.judge(g, row.path, row.got); got != row.want {
			t.Errorf("%s: judged %d, want %d", row.name, got, row.want)
		}
		switch wrongs := c.book.wrongs; {
		case row.wrong == "" && len(wrongs) > 0:
			t.Errorf("%s: %v", row.name, wrongs)
		case row.wrong != "" && (len(wrongs) != 1 || wrongs[0].Rule != row.wrong):
			t.Errorf("%s: %v, want %s", row.name, wrongs, row.wrong)
		}
	}
}
