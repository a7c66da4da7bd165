package lab

// Strategy is one way of keeping a user signed in.
type Strategy struct {
	ID    string // a host name label: its origin is ID + ".lab.localhost"
	Name  string
	Keeps string // what is kept where, in one line
	// TokensInPage: the page's origin calls the API, with a token, by script of
	// the page's own or of a worker.
	TokensInPage bool
	// Public: the page is the OAuth client, and has no secret (RFC 6749 §2.1).
	Public bool
}

// Strategies lists what the lab has, in the order of a report's rows.
func Strategies() []Strategy {
	return []Strategy{
		{"local-storage", "localStorage", "tokens in localStorage, until they are removed", true, true},
		{"session-storage", "sessionStorage", "tokens in sessionStorage, for as long as the tab", true, true},
		{"indexeddb", "IndexedDB", "tokens in a database of the origin", true, true},
		{"readable-cookie", "cookie that script reads", "tokens in cookies without HttpOnly", true, true},
		{"js-memory", "JavaScript memory", "tokens in a global variable, until the page is left", true, true},
		{"js-closure", "JavaScript closure", "tokens in a closure that nothing else refers to, until the page is left", true, true},
		{"wasm-memory", "WebAssembly memory", "tokens in the memory of a Go program compiled to WebAssembly, until the page is left", true, true},
		{"web-worker", "web worker", "tokens in a worker's memory, which does all that needs one, until the page is left", true, true},
		{"service-worker", "service worker", "tokens in a service worker's memory, which puts them on the page's calls, until the browser stops it", true, true},
		{"dpop", "DPoP", "tokens in a database of the origin, bound to a key beside them that script can use and not read", true, true},
		{"implicit", "implicit grant", "a token that came in the address, and with it into the history; in a variable, until the page is left", true, true},
		{"token-mediating", "token-mediating backend", "the refresh token at a server, its session in an HttpOnly cookie; a narrow access token in a variable of the page", true, false},
		{"cookie-jwt", "cookie with the JWT in it", "tokens themselves in HttpOnly cookies that a proxy turns into Authorization", false, false},
		{"cookie-securecookie", "sealed cookie, securecookie", "tokens in HttpOnly cookies, sealed by AES-CTR and HMAC", false, false},
		{"cookie-jws", "signed cookie, JWS", "tokens in HttpOnly cookies, signed and for all to read", false, false},
		{"cookie-jwe", "sealed cookie, JWE", "tokens in HttpOnly cookies, sealed by AES-GCM", false, false},
		{"cookie-nested", "sealed cookie, JWS in JWE", "tokens in HttpOnly cookies, signed, then sealed by AES-GCM", false, false},
		{"bff-memory", "BFF, sessions in memory", "tokens at the server; a ticket in an HttpOnly cookie", false, false},
		{"bff-redis", "BFF, sessions in Redis", "tokens sealed in a store; a ticket in an HttpOnly cookie", false, false},
		{"bff-sql", "BFF, sessions in PostgreSQL", "tokens sealed in a database; a ticket in an HttpOnly cookie", false, false},
	}
}

// Attack is something an attacker does, from inside or outside the page.
type Attack struct {
	ID   string // of the draft, A1 to A4, or of this project: X1 to X10, or a word
	Name string
	Does string // in one line
	// Anchor is where draft-ietf-oauth-browser-based-apps speaks of it.
	Anchor string
}

// Attacks lists what the lab has, in the order of a report's columns.
func Attacks() []Attack {
	return []Attack{
		{"A1", "token theft, once", "script in the page reads every store, and asks again for what the page was given; the attacker uses what it finds", "scenario-single-theft"},
		{"A2", "token theft, persistent", "script in the page listens and looks again and again, makes the application renew, and keeps the newest for when the page is gone", "scenario-persistent-theft"},
		{"A3", "new tokens", "script in the page starts a sign-in of its own, in a hidden frame or a window, with prompt=none and a verifier of the attacker's", "scenario-new-flow"},
		{"A4", "use of the page", "script in the page does what the user could do", "scenario-proxy"},
		{"X1", "cross-site request forgery", "a page of another site sends requests with the browser's cookies", "pattern-bff-csrf"},
		{"X2", "same-site request forgery", "the same from a sub-domain of the site that was taken over", "pattern-bff-csrf"},
		{"X3", "cookie tossing", "a taken-over sub-domain sets cookies for the whole site, and fills the jar, so that the victim works in the attacker's session", "pattern-bff-cookie-security"},
		{"X4", "the disk", "the browser's profile is read once it is closed: cookies are decrypted, stores searched; what is found is used elsewhere", "filesystem-considerations"},
		{"X5", "poisoned prototypes", "a library of the page runs first, and lies to the application about fetch, JSON, Headers, Promise, Worker and their kind", "token-storage-closure"},
		{"X6", "service worker sent away", "script in the page unregisters the service worker, then goes on as A3", "scenario-new-flow"},
		{"X7", "tokens led astray", "script in the page, and raw requests, have whoever adds tokens send one to the attacker's host", "pattern-bff-proxy"},
		{"X8", "addresses", "a script of another site, which the page's markup asks for, reads the address, the history and the timings", "implicit_flow"},
		{"X9", "linear memory", "script in the page reads the whole memory of its WebAssembly", "token-storage-closure"},
		{"X10", "cookie replay", "cookies copied off the device are sent from another machine, and again after the victim has signed out", "pattern-bff-cookie-security"},
		{"fixation", "session fixation", "the victim signs in with cookies that the attacker planted, and is led to the answer of a sign-in of the attacker's", "pattern-oauth-browser-csrf"},
		{"tampering", "tampering", "the credential is changed, signed anew by keys that are no keys, and mixed with another's", "pattern-bff-cookie-security"},
		{"dump", "dump of the store", "all that the server's store holds, in memory and on disk, is searched, and what looks like a token or a ticket is tried", "pattern-bff-sessions"},
		{"logout", "replay after logout", "what was copied before the victim signed out is used after it", "pattern-bff-sessions"},
	}
}

// Property is something about a strategy that is no attack: what it survives,
// and what it costs.
type Property struct {
	ID       string
	Name     string
	Measures string // what is done to find out, in one line
	Unit     string // of the number; empty: there is none
	Steady   bool   // every run finds the same
}

// Properties lists what the lab measures, in the order of a report's columns.
func Properties() []Property {
	return []Property{
		{"reload", "survives a reload", "the page is loaded again; is the victim still signed in, without the provider's help?", "", true},
		{"new-tab", "survives a new tab", "the application is opened in a second tab", "", true},
		{"browser-restart", "survives a browser restart", "the browser is closed in good order and started again with the same profile", "", true},
		{"server-restart", "survives a server restart", "the application's server is killed and started again", "", true},
		{"other-instance", "served by another instance", "a second server with the same configuration gets the next request", "", true},
		{"logout", "a logout takes hold", "what the attacker copied before the logout is used after it, until it is refused", "s", false},
		{"wire", "bytes per request", "request head of one call to the API, as the browser sent it", "B", false},
		{"largest", "largest session", "the provider's tokens grow until a sign-in or a call is refused", "B", true},
		{"cpu", "CPU per call", "the server's CPU time for calls one after another, less nothing; the API's own is apart", "µs", false},
		{"latency", "added latency per call", "median of calls through the application's server, less the median of calls straight to the API", "µs", false},
		{"memory", "server bytes per session", "growth of the store, or of the server where there is none, over many sign-ins", "B", false},
		{"store-down", "when the store is down", "the store is stopped; what does a call answer, and is the victim back when the store is?", "", true},
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

// FindProperty looks an ID up.
func FindProperty(id string) (Property, bool) {
	for _, p := range Properties() {
		if p.ID == id {
			return p, true
		}
	}
	return Property{}, false
}
