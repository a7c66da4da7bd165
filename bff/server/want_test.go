package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestAnAPIIsSentATokenOfItsOwn: a route that wants less gets a token that can
// do less, out of the same session (BBA-39, BBA-63).
func TestAnAPIIsSentATokenOfItsOwn(t *testing.T) {
	s := open(t, "http", "")
	var mu sync.Mutex
	scopes := map[string]string{} // by path
	s.upstream.answers(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		scopes[r.URL.Path] = scopeOf(t, r.Header.Get("Authorization"))
	})
	v := newVisitor(t, s.origin)
	v.signIn(t)
	for range 3 {
		for _, path := range []string{"/api/orders", "/mail/inbox"} {
			if got := v.call(t, http.MethodGet, path); got.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %s", path, got.StatusCode, got.body)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if got := scopes["/v3/inbox"]; got != "email" {
		t.Errorf("the token for mail has the scopes %q", got)
	}
	if got := scopes["/v1/orders"]; !strings.Contains(got, "openid") || !strings.Contains(got, "profile") {
		t.Errorf("the session's own token has the scopes %q", got)
	}
	if got := v.refreshes(t); got != 1 {
		t.Errorf("%d token requests for one more token", got)
	}
}

// scopeOf reads the scopes of a JWT.
func scopeOf(t *testing.T, authorization string) string {
	parts := strings.Split(authorization, ".")
	if len(parts) != 3 {
		t.Errorf("no JWT: %q", authorization)
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Scope any }
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Errorf("no claims in %q", payload)
	}
	switch scope := claims.Scope.(type) {
	case string:
		return scope
	case []any:
		var all []string
		for _, one := range scope {
			all = append(all, one.(string))
		}
		return strings.Join(all, " ")
	}
	return ""
}
