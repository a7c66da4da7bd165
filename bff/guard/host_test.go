package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"cloakroom/bff/guard"
)

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		name, origin, host string
		ok                 bool
	}{
		{"the public host", "https://app.example.com", "app.example.com", true},
		{"in capitals", "https://app.example.com", "APP.Example.COM", true},
		{"with the default port", "https://app.example.com", "app.example.com:443", true},
		{"with http's default port on https", "https://app.example.com", "app.example.com:80", false},
		{"with its own port", "http://localhost:8080", "localhost:8080", true},
		{"its own port left out", "http://localhost:8080", "localhost", false},
		{"another port", "http://localhost:8080", "localhost:8081", false},
		{"http with its default port", "http://localhost", "localhost:80", true},
		{"an IPv6 address", "http://[::1]:8080", "[::1]:8080", true},
		{"a trailing dot", "https://app.example.com", "app.example.com.", false},
		{"a user", "https://app.example.com", "x@app.example.com", false},
		{"a sibling", "https://app.example.com", "evil.example.com", false},
		{"a name that begins alike", "https://app.example.com", "app.example.com.evil.example", false},
		{"an address", "https://app.example.com", "127.0.0.1", false},
		{"two hosts in one", "https://app.example.com", "app.example.com,evil.example", false},
		{"no host", "https://app.example.com", "", false},
		{"a letter that folds to ASCII", "https://kiosk.example.com", "\u212aiosk.example.com", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := guard.New(guard.Config{Origin: c.origin})
			if err != nil {
				t.Fatal(err)
			}
			reached := false
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = c.host
			r.Header.Set("X-Forwarded-Host", "app.example.com")
			w := httptest.NewRecorder()
			g.Hosts(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })).ServeHTTP(w, r)
			if reached != c.ok || (!c.ok && w.Code != http.StatusMisdirectedRequest) {
				t.Errorf("reached %v with status %d, want %v", reached, w.Code, c.ok)
			}
		})
	}
}
