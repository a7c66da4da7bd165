package session

import (
	"net/http"
	"strings"
)

// Holder is how a browser holds its session: a ticket to it, or the session
// itself.
type Holder interface {
	// Ticket names the session r came with. ErrNotFound when there is none, or
	// what came is not one of ours; any other error means that nobody knows.
	Ticket(r *http.Request) (Ticket, error)
	// Admit returns the session itself too, which is one of sessions: for whoever
	// wants it, it is the one thing to ask for.
	Admit(r *http.Request, sessions *Manager) (Ticket, Session, error)
	// Known names the session r came with as far as that is known without
	// opening or asking anything. It is for the log: the session may have ended.
	Known(r *http.Request) (ID, bool)
	// Give hands the session of t to the browser that sent r. ErrTooLarge when
	// it does not fit.
	Give(w http.ResponseWriter, r *http.Request, t Ticket) error
	// Settle sees to it that the browser holds the session as it is in s, before
	// the answer begins.
	Settle(w http.ResponseWriter, r *http.Request, t Ticket, s *Session) error
	// Take takes it back.
	Take(w http.ResponseWriter, r *http.Request)
}

var _ Holder = Cookie{}

// Cookie says how the ticket travels. The zero value is not usable: a name is
// needed.
type Cookie struct {
	Name string
	// InsecurePlainHTTP drops Secure, for an origin without TLS that is not
	// localhost. Then the name must have no __Host- prefix either.
	InsecurePlainHTTP bool
}

// Ticket implements Holder: it returns the ticket r came with. No cookie, a malformed one, and two of
// the name (somebody else set one, RFC 6265bis §8.6) are ErrNotFound alike.
func (c Cookie) Ticket(r *http.Request) (Ticket, error) {
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

// Admit implements Holder.
func (c Cookie) Admit(r *http.Request, sessions *Manager) (Ticket, Session, error) {
	t, err := c.Ticket(r)
	if err != nil {
		return Ticket{}, Session{}, err
	}
	s, err := sessions.Load(r.Context(), t)
	return t, s, err
}

// Known implements Holder.
func (c Cookie) Known(r *http.Request) (ID, bool) {
	t, err := c.Ticket(r)
	if err != nil {
		return ID{}, false
	}
	return t.ID(), true
}

// Give implements Holder: the ticket is all that the browser gets.
func (c Cookie) Give(w http.ResponseWriter, _ *http.Request, t Ticket) error {
	c.Set(w, c.Name, t.Reveal())
	return nil
}

// Settle implements Holder. A ticket does not change with its session.
func (c Cookie) Settle(http.ResponseWriter, *http.Request, Ticket, *Session) error { return nil }

// Take implements Holder.
func (c Cookie) Take(w http.ResponseWriter, _ *http.Request) { c.Drop(w, c.Name) }

// Set makes the browser keep a cookie of the session, for as long as the browser
// runs: the server alone decides when a session ends.
func (c Cookie) Set(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, c.attributes(name, value, 0))
}

// Drop makes the browser forget one.
func (c Cookie) Drop(w http.ResponseWriter, name string) {
	http.SetCookie(w, c.attributes(name, "", -1))
}

func (c Cookie) attributes(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, MaxAge: maxAge,
		Path:     "/",                     // BBA-23
		Secure:   !c.InsecurePlainHTTP,    // BBA-20
		HttpOnly: true,                    // BBA-21
		SameSite: http.SameSiteStrictMode, // BBA-22
	}
}
