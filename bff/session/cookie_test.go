package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/session"
	"cloakroom/shared"
)

var cookie = session.Cookie{Name: shared.CookieName}

func TestTheCookieHasEveryAttributeOfTheDraft(t *testing.T) {
	ticket := session.NewTicket()
	w := httptest.NewRecorder()
	_ = cookie.Give(w, nil, ticket)
	want := shared.CookieName + "=" + ticket.Reveal() + "; Path=/; HttpOnly; Secure; SameSite=Strict"
	if got := w.Header().Get("Set-Cookie"); got != want {
		t.Errorf("Set-Cookie: %s\nwant        %s", got, want)
	}
	w = httptest.NewRecorder()
	cookie.Take(w, nil)
	want = shared.CookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
	if got := w.Header().Get("Set-Cookie"); got != want {
		t.Errorf("Set-Cookie: %s\nwant        %s", got, want)
	}
}

func TestReadingTheCookie(t *testing.T) {
	ticket := session.NewTicket()
	own := shared.CookieName + "=" + ticket.Reveal()
	for _, c := range []struct {
		name    string
		headers []string
		found   bool
	}{
		{"alone", []string{own}, true},
		{"among others", []string{"a=1; " + own + "; b=2"}, true},
		{"in a second line, as HTTP/2 may split it", []string{"a=1", own}, true},
		{"none", nil, false},
		{"another name only", []string{"x" + own}, false},
		{"twice, since somebody tossed one in", []string{own + "; " + own}, false},
		{"twice in two lines", []string{own, shared.CookieName + "=x"}, false},
		{"quoted", []string{shared.CookieName + `="` + ticket.Reveal() + `"`}, false},
		{"empty", []string{shared.CookieName + "="}, false},
		{"without a value", []string{shared.CookieName}, false},
		{"of 64 KiB", []string{shared.CookieName + "=" + strings.Repeat("A", 64<<10)}, false},
		{"in another case", []string{strings.ToLower(own)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := cookie.Ticket(&http.Request{Header: http.Header{"Cookie": c.headers}})
			if c.found && (err != nil || got != ticket) {
				t.Errorf("Read = %v, %v", got, err)
			}
			if !c.found && !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Read = %v, want ErrNotFound", err)
			}
		})
	}
}

func FuzzReadCookie(f *testing.F) {
	f.Add(shared.CookieName + "=" + session.NewTicket().Reveal())
	f.Add("; ;=;" + shared.CookieName + "=;")
	f.Fuzz(func(t *testing.T, header string) {
		ticket, err := cookie.Ticket(&http.Request{Header: http.Header{"Cookie": {header}}})
		if err == nil && !strings.Contains(header, ticket.Reveal()) {
			t.Errorf("%q gave a ticket it does not hold", header)
		}
	})
}
