package sealed_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/session"
	"cloakroom/shared"
)

// FuzzCookies: whatever a browser sends brings nobody down and lets nobody in.
func FuzzCookies(f *testing.F) {
	var judges []*instance
	for _, format := range formats {
		i, b := newInstance(f, format, ring(f, "a"), nil, 0), browser{}
		b.signIn(f, i, newSession(60))
		value := b[shared.CookieName]
		f.Add(shared.CookieName + "=" + strings.ToUpper(value))
		f.Add(shared.CookieName + "=2." + value[2:] + "; " + shared.CookieName + "-1=" + value[2:])
		f.Add(shared.CookieName + "=" + value[:len(value)/2] + "; " + shared.CookieName + "=" + value[len(value)/2:])
		// The judge has other keys: what it accepts, nobody made.
		judges = append(judges, newInstance(f, format, ring(f, "b"), nil, 0))
	}
	// {"alg":"none"}, and an RS256 header.
	f.Add(shared.CookieName + "=1.eyJhbGciOiJub25lIiwidHlwIjoiY2xvYWtyb29tLXNlc3Npb24rand0In0.e30.")
	f.Add(shared.CookieName + "=1.eyJhbGciOiJSUzI1NiIsImtpZCI6ImIifQ.e30.AAAA")
	f.Add(shared.CookieName + "=1.eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYiJ9..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA")
	f.Add(shared.CookieName + "=9.x; " + shared.CookieName + "-9=y")
	f.Fuzz(func(t *testing.T, line string) {
		for _, judge := range judges {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Cookie"] = []string{line}
			if ticket, err := judge.Ticket(r); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%v, %v", ticket, err)
			}
		}
	})
}
