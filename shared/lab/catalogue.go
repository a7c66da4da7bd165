package lab

// Strategy is one way of keeping a user signed in.
type Strategy struct {
	ID    string // a host name label: its origin is ID + ".lab.localhost"
	Name  string
	Keeps string // what is kept where, in one line
	// TokensInPage: the page's own script holds the tokens, as a public client.
	TokensInPage bool
}

// Strategies lists what the lab has, in the order of a report's rows.
func Strategies() []Strategy {
	return []Strategy{
		{"local-storage", "localStorage", "tokens in localStorage, until they are removed", true},
		{"session-storage", "sessionStorage", "tokens in sessionStorage, for as long as the tab", true},
		{"indexeddb", "IndexedDB", "tokens in a database of the origin", true},
		{"readable-cookie", "cookie that script reads", "tokens in cookies without HttpOnly", true},
		{"js-memory", "JavaScript memory", "tokens in a global variable, until the page is left", true},
		{"js-closure", "JavaScript closure", "tokens in a closure that nothing else refers to, until the page is left", true},
		{"bff-memory", "BFF, sessions in memory", "tokens at the server; a ticket in an HttpOnly cookie", false},
	}
}

// Attack is something an attacker does, from inside or outside the page.
type Attack struct {
	ID   string // of the draft, A1 to A4, or of this project, X1 to X10
	Name string
	Does string // in one line
	// Anchor is where draft-ietf-oauth-browser-based-apps speaks of it.
	Anchor string
}

// Attacks lists what the lab has, in the order of a report's columns.
func Attacks() []Attack {
	return []Attack{
		{"A1", "token theft, once", "script in the page reads every store and, from then on, what the application sends (X5); the attacker uses what it finds", "scenario-single-theft"},
		{"A3", "new tokens", "script in the page starts a sign-in of its own, in a hidden frame or a window, with prompt=none and a verifier of the attacker's", "scenario-new-flow"},
		{"A4", "use of the page", "script in the page does what the user could do", "scenario-proxy"},
		{"X1", "cross-site request forgery", "a page of another site sends requests with the browser's cookies", "pattern-bff-csrf"},
		{"X10", "cookie replay", "cookies copied off the device are sent from another machine", "pattern-bff-cookie-security"},
	}
}

// FindStrategy looks an ID up.
func FindStrategy(id string) (Strategy, bool) {
	for _, s := range Strategies() {
		if s.ID == id {
			return s, true
		}
	}
	return Strategy{}, false
}

// FindAttack looks an ID up.
func FindAttack(id string) (Attack, bool) {
	for _, a := range Attacks() {
		if a.ID == id {
			return a, true
		}
	}
	return Attack{}, false
}
