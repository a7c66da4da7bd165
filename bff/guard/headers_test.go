package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/guard"
)

func headersOf(t *testing.T, g *guard.Guard, kind guard.Kind, request row) http.Header {
	t.Helper()
	w := httptest.NewRecorder()
	h := g.Headers(g.Handler(kind, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })))
	h.ServeHTTP(w, request.request())
	return w.Result().Header
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	g := newGuard(t)
	for name, got := range map[string]http.Header{
		"data":    headersOf(t, g, guard.Call, row{method: "GET", header: fetchOfOurs}),
		"page":    headersOf(t, g, guard.Page, row{method: "GET"}),
		"refusal": headersOf(t, g, guard.Call, row{method: "GET"}),
		"no kind": headersOf(t, g, 0, row{method: "GET"}),
	} {
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Strict-Transport-Security": "max-age=31536000",
		} {
			if values := got.Values(header); len(values) != 1 || values[0] != want {
				t.Errorf("%s: %s is %q, want %q once", name, header, values, want)
			}
		}
		if policy := got.Get("Permissions-Policy"); strings.Contains(policy, "camera=()") != (name == "page") {
			t.Errorf("%s: Permissions-Policy is %q", name, policy)
		}
		if !strings.Contains(got.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: may be framed", name)
		}
	}
}

func TestOnlyAPageMayRunScripts(t *testing.T) {
	g := newGuard(t)
	page := headersOf(t, g, guard.Page, row{method: "GET"})
	csp := page.Get("Content-Security-Policy")
	for _, must := range []string{"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "connect-src 'self'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, must) {
			t.Errorf("the page's policy lacks %s", must)
		}
	}
	for _, never := range []string{"unsafe-inline", "'unsafe-eval'", "*", "data:", "http:", "https:", "blob:"} {
		if strings.Contains(csp, never) {
			t.Errorf("the page's policy has %s", never)
		}
	}
	data := headersOf(t, g, guard.Call, row{method: "GET", header: fetchOfOurs})
	if csp := data.Get("Content-Security-Policy"); strings.Contains(csp, "script-src") || !strings.Contains(csp, "sandbox") {
		t.Errorf("the policy of data is %q", csp)
	}
	if got := data.Get("Cache-Control"); got != "no-store" {
		t.Errorf("data has Cache-Control %q", got)
	}
	if page.Get("Cache-Control") == "no-store" {
		t.Error("a page must be cacheable by its handler's own rule")
	}
}

func TestHSTSIsOnlySentFromHTTPS(t *testing.T) {
	g, err := guard.New(guard.Config{Origin: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	if got := headersOf(t, g, guard.Page, row{method: "GET"}).Get("Strict-Transport-Security"); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestAnswersDoNotShareHeaders guards the shared values against a handler that
// changes its own.
func TestAnswersDoNotShareHeaders(t *testing.T) {
	g := newGuard(t)
	h := g.Headers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Cache-Control", "private")
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	got := headersOf(t, g, guard.Call, row{method: "GET", header: fetchOfOurs})
	if v := got.Values("Cache-Control"); len(v) != 1 || got.Get("X-Frame-Options") != "DENY" {
		t.Errorf("another answer's headers are here: %v", got)
	}
}

func TestTheWrappersDoNotHideWhatTheConnectionCan(t *testing.T) {
	g, err := guard.New(guard.Config{Origin: "http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g.Headers(g.Paths(g.Handler(guard.Page, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); !ok {
			t.Error("no Flusher")
		}
		if _, ok := w.(http.Hijacker); !ok {
			t.Error("no Hijacker")
		}
		_, _ = io.WriteString(w, "ok")
	})))))
	defer server.Close()
	res, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}
