package session

import (
	"net/http"
	"strings"
)

// Cookie says how the ticket travels. The zero value is not usable: a name is
// needed.
type Cookie struct {
	Name string
	// InsecurePlainHTTP drops Secure, for an origin without TLS that is not
	// localhost. Then the name must have no __Host- prefix either.
	InsecurePlainHTTP bool
}

// Read returns the ticket r came with. No cookie, a malformed one, and two of
// the name (somebody else set one, RFC 6265bis §8.6) are ErrNotFound alike.
func (c Cookie) Read(r *http.Request) (Ticket, error) {
	value, n := "", 0
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, text, _ := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
			if name == c.Name {
				value, n = text, n+1
			}
		}
	}
	if n != 1 {
		return Ticket{}, ErrNotFound
	}
	return ParseTicket(value)
}

// Write hands the ticket to the browser, for as long as the browser runs: the
// server alone decides when a session ends.
func (c Cookie) Write(w http.ResponseWriter, t Ticket) {
	http.SetCookie(w, c.attributes(t.Reveal(), 0))
}

// Clear takes the ticket back.
func (c Cookie) Clear(w http.ResponseWriter) { http.SetCookie(w, c.attributes("", -1)) }

func (c Cookie) attributes(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.Name, Value: value, MaxAge: maxAge,
		Path:     "/",                     // BBA-23
		Secure:   !c.InsecurePlainHTTP,    // BBA-20
		HttpOnly: true,                    // BBA-21
		SameSite: http.SameSiteStrictMode, // BBA-22
	}
}
