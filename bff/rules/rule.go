package rules

import "fmt"

// Count is how many rules the draft has, numbered from 1.
const Count = 67

// Rule is one demand of the draft.
type Rule struct {
	N       int    // as in BBA-N, unique
	Section string // where it begins, as "6.1.3.1"
	Anchor  string // of that section; empty: it has none
	Level   Level
	Binds   Party
	Asks    string // in our own words, one line

	// Tests prove it: names of Test and Fuzz functions, anywhere here.
	Tests []string
	// NotYet is the part that nothing here meets or shows so far; empty: none.
	NotYet string
	// Note says why there is no test, or what the tests do not tell.
	Note string
}

// ID is the rule's name, as "BBA-16".
func (r Rule) ID() string { return fmt.Sprintf("BBA-%d", r.N) }

// Level is how strongly the draft asks: a word of RFC 2119, or Advice.
type Level string

// Levels. Where a rule joins two, it is listed under the stronger.
const (
	Must           Level = "MUST"
	MustNot        Level = "MUST NOT"
	Should         Level = "SHOULD"
	ShouldNot      Level = "SHOULD NOT"
	NotRecommended Level = "NOT RECOMMENDED"
	Advice         Level = "advice"
)

// Party is whom a rule binds.
type Party string

// Parties. Cloakroom is a BFF, and the demo's provider is held to what binds
// providers.
const (
	BFF      Party = "BFF"
	Mediator Party = "mediator" // a token-mediating backend
	Browser  Party = "browser"  // an application that holds tokens itself
	Provider Party = "provider" // the authorization server
	Operator Party = "operator" // whoever deploys
)

func (r Rule) address() string {
	const draft = "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-browser-based-apps#"
	if r.Anchor != "" {
		return draft + r.Anchor
	}
	return draft + "section-" + r.Section
}
