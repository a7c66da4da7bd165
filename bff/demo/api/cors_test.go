package api_test

import (
	"net/http/httptest"
	"testing"

	"cloakroom/bff/demo/api"
)

func TestAPageMayCallFromAnAllowedOriginAndNoOther(t *testing.T) { // BBA-56
	const origin = "http://page.localhost:8080"
	open, shut := newLab(t, func(c *api.Config) { c.AllowedOrigins = []string{origin} }), newLab(t, nil)
	for _, row := range []struct {
		name           string
		lab            *lab
		origin, method string
		header         string // that a preflight asks for
		may            bool
	}{
		{"a call", open, origin, "GET", "", true},
		{"a preflight for a token", open, origin, "OPTIONS", "authorization", true},
		{"a preflight for a proof", open, origin, "OPTIONS", "authorization,dpop", true},
		{"a preflight for a header nobody needs", open, origin, "OPTIONS", "x-other", false},
		{"a call of a stranger", open, "https://attacker.example", "GET", "", false},
		{"a preflight of a stranger", open, "https://attacker.example", "OPTIONS", "authorization", false},
		{"a call of a sandboxed page", open, "null", "GET", "", false},
		{"a call, where no origin is allowed", shut, origin, "GET", "", false},
		{"a preflight, where no origin is allowed", shut, origin, "OPTIONS", "authorization", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, "/orders", nil)
			r.Header.Set("Origin", row.origin)
			if row.header != "" {
				r.Header.Set("Access-Control-Request-Method", "DELETE")
				r.Header.Set("Access-Control-Request-Headers", row.header)
			} else {
				r.Header.Set("Authorization", "Bearer "+row.lab.token("user-alice"))
			}
			got := row.lab.do(r).Header
			want := ""
			if row.may {
				want = row.origin
			}
			if allowed := got.Get("Access-Control-Allow-Origin"); allowed != want || got.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("allows %q, want %q; credentials %q", allowed, want, got.Get("Access-Control-Allow-Credentials"))
			}
		})
	}
	t.Run("an origin that is a pattern is refused", func(t *testing.T) {
		for _, pattern := range []string{"*", "http://*.localhost:8080", "null", origin + "/"} {
			if _, err := api.New(api.Config{Issuer: "http://idp.localhost", Audience: audience, AllowedOrigins: []string{pattern}}); err == nil {
				t.Errorf("%q is not", pattern)
			}
		}
	})
}
