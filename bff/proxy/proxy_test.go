package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/proxy"
	"cloakroom/shared/problem"

	"github.com/google/go-cmp/cmp"
)

func mustURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change setup
	}{
		{"a path without a slash at its end", func(r *proxy.Route, _ *proxy.Config) { r.Path = "/api" }},
		{"a path without a slash at its begin", func(r *proxy.Route, _ *proxy.Config) { r.Path = "api/" }},
		{"a path with dot segments", func(r *proxy.Route, _ *proxy.Config) { r.Path = "/a/../api/" }},
		{"a wildcard", func(r *proxy.Route, _ *proxy.Config) { r.Path = "/{x}/" }},
		{"the root", func(r *proxy.Route, _ *proxy.Config) { r.Path = "/" }},
		{"the BFF's own paths", func(r *proxy.Route, _ *proxy.Config) { r.Path = "/bff/api/" }},
		{"the BFF's own paths in capitals", func(r *proxy.Route, _ *proxy.Config) { r.Path = "/BFF/" }},
		{"no upstream", func(r *proxy.Route, _ *proxy.Config) { r.Upstream = nil }},
		{"an upstream without a host", func(r *proxy.Route, _ *proxy.Config) { r.Upstream = mustURL(t, "https:///v1/") }},
		{"an upstream of another scheme", func(r *proxy.Route, _ *proxy.Config) { r.Upstream = mustURL(t, "ftp://api/") }},
		{"an upstream with a query", func(r *proxy.Route, _ *proxy.Config) { r.Upstream = mustURL(t, "https://api/?key=1") }},
		{"an upstream with a user", func(r *proxy.Route, _ *proxy.Config) { r.Upstream = mustURL(t, "https://u:p@api/") }},
		{"an upstream with dot segments", func(r *proxy.Route, _ *proxy.Config) { r.Upstream = mustURL(t, "https://api/a/../b/") }},
		{"no methods", func(r *proxy.Route, _ *proxy.Config) { r.Methods = nil }},
		{"TRACE, which would show the token", func(r *proxy.Route, _ *proxy.Config) { r.Methods = []string{"TRACE"} }},
		{"OPTIONS, which would approve preflights", func(r *proxy.Route, _ *proxy.Config) { r.Methods = []string{"OPTIONS"} }},
		{"CONNECT", func(r *proxy.Route, _ *proxy.Config) { r.Methods = []string{"CONNECT"} }},
		{"a method in small letters", func(r *proxy.Route, _ *proxy.Config) { r.Methods = []string{"get"} }},
		{"a method twice", func(r *proxy.Route, _ *proxy.Config) { r.Methods = []string{"GET", "GET"} }},
		{"an unknown auth", func(r *proxy.Route, _ *proxy.Config) { r.Auth = 7 }},
		{"auth without a token source", func(_ *proxy.Route, c *proxy.Config) { c.Tokens = nil }},
		{"a negative timeout", func(r *proxy.Route, _ *proxy.Config) { r.Timeout = -1 }},
		{"a path listed twice", func(r *proxy.Route, c *proxy.Config) { c.Routes = []proxy.Route{*r} }},
		{"no path check", func(_ *proxy.Route, c *proxy.Config) { c.CheckPath = nil }},
		{"no origin", func(_ *proxy.Route, c *proxy.Config) { c.Origin = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			route := proxy.Route{Path: "/api/", Upstream: mustURL(t, "https://api.internal/v1/"), Methods: []string{"GET"}}
			config := proxy.Config{Tokens: tokens{token: token}, CheckPath: strictPath, Origin: "https://app.example.com"}
			c.change(&route, &config)
			config.Routes = append(config.Routes, route)
			if _, err := proxy.New(config); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestNewReportsEveryProblemAtOnce(t *testing.T) {
	_, err := proxy.New(proxy.Config{CheckPath: strictPath, Routes: []proxy.Route{{Path: "x"}, {Path: "/y/"}}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"x"`, `"/y/"`, "origin", "canonical", "upstream", "no method", "token source"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestRoutesShowsTheTableWithItsDefaults(t *testing.T) {
	p, err := proxy.New(proxy.Config{Tokens: tokens{token: token}, CheckPath: strictPath, Origin: "https://app.example.com", Routes: []proxy.Route{
		{Path: "/api/", Upstream: mustURL(t, "https://API.internal:8443"), Methods: []string{"GET", "POST"}},
		{Path: "/public/", Upstream: mustURL(t, "http://127.0.0.1:1/x"), Methods: []string{"GET"}, Auth: proxy.None, Timeout: time.Minute},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []proxy.Route{
		{Path: "/api/", Upstream: mustURL(t, "https://api.internal:8443/"), Methods: []string{"GET", "POST"}, Timeout: proxy.DefaultTimeout},
		{Path: "/public/", Upstream: mustURL(t, "http://127.0.0.1:1/x/"), Methods: []string{"GET"}, Auth: proxy.None, Timeout: time.Minute},
	}
	got := p.Routes()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got[0].Methods[0], got[0].Upstream.Host = "DELETE", "evil.example"
	if diff := cmp.Diff(want, p.Routes()); diff != "" {
		t.Errorf("the table was changed from outside: %s", diff)
	}
}

func TestOnlyListedMethodsAreForwarded(t *testing.T) {
	s := newStage(t, unreachable(t), func(r *proxy.Route, _ *proxy.Config) { r.Methods = []string{"GET", "POST"} })
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"} {
		res, _ := s.send(t, method, "/api/orders", nil, nil)
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: got %d with Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

func unreachable(t testing.TB) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s reached the upstream", r.Method, r.URL) })
}

func TestAuth(t *testing.T) {
	nobody := problem.New(problem.SessionRequired, nil)
	ended := problem.New(problem.SessionEnded, nil)
	for _, c := range []struct {
		name   string
		auth   proxy.Auth
		source tokens
		sent   string // Authorization at the upstream
		code   problem.Code
	}{
		{"required and signed in", proxy.Required, tokens{token: token}, "Bearer " + token, ""},
		{"required and nobody there", proxy.Required, tokens{err: nobody}, "", problem.SessionRequired},
		{"required and an empty token", proxy.Required, tokens{}, "", problem.SessionRequired},
		{"required and the store down", proxy.Required, tokens{err: errStoreDown}, "", problem.StoreUnavailable},
		{"optional and signed in", proxy.Optional, tokens{token: token}, "Bearer " + token, ""},
		{"optional and nobody there", proxy.Optional, tokens{err: nobody}, "", ""},
		{"optional and the session ended", proxy.Optional, tokens{err: ended}, "", ""},
		{"optional and the store down", proxy.Optional, tokens{err: errStoreDown}, "", problem.StoreUnavailable},
		{"none", proxy.None, tokens{err: errStoreDown}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent := "not reached"
			s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = r.Header.Get("Authorization") }),
				func(r *proxy.Route, config *proxy.Config) { r.Auth, config.Tokens = c.auth, c.source })
			res, body := s.send(t, "GET", "/api/x", http.Header{"Authorization": {"Bearer of-the-client"}}, nil)
			if c.code != "" {
				wantProblem(t, res, body, c.code)
				if sent != "not reached" {
					t.Error("the upstream was reached")
				}
				return
			}
			if res.StatusCode != http.StatusOK || sent != c.sent {
				t.Errorf("got %d, the upstream got %q, want %q", res.StatusCode, sent, c.sent)
			}
		})
	}
}
