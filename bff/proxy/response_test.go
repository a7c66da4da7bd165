package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/proxy"
	"cloakroom/shared/problem"

	"github.com/google/go-cmp/cmp"
)

func TestAnUpstreamHasNoPowerOverOurOrigin(t *testing.T) {
	powers := []string{
		"Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Service-Worker-Allowed", "SourceMap", "X-SourceMap", "Timing-Allow-Origin",
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Strict-Transport-Security",
		"Public-Key-Pins", "Expect-CT", "Alt-Svc", "Accept-CH", "Critical-CH", "NEL", "Report-To", "Reporting-Endpoints", "Refresh", "Set-Login",
		"X-Accel-Redirect", "X-Sendfile", "CDN-Cache-Control", "Surrogate-Control", "Use-As-Dictionary", "Origin-Agent-Cluster",
		"DPoP-Nonce",
	}
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range powers {
			w.Header().Set(name, "theirs=theirs")
		}
		w.Header().Set("X-Content-Type-Options", "theirs")
		w.Header().Set("Content-Security-Policy", "theirs")
		w.Header().Set("X-Kept", "1")
		w.Header().Set("Etag", `"1"`)
	}))
	res, _ := s.send(t, "GET", "/api/x", nil, nil)
	for name, values := range res.Header {
		if strings.Contains(strings.Join(values, " "), "theirs") {
			t.Errorf("%s: %q reached the browser", name, values)
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'", "X-Kept": "1", "Etag": `"1"`, "Set-Cookie": "ours=slid"} {
		if got := res.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q once", name, got, want)
		}
	}
}

func TestAnswersForOneUserStayOutOfSharedCaches(t *testing.T) {
	for _, c := range []struct {
		name string
		auth proxy.Auth
		said []string
		want []string
	}{
		{"nothing said", proxy.Required, nil, []string{"no-store"}},
		{"no-store", proxy.Required, []string{"no-store"}, []string{"no-store"}},
		{"private", proxy.Required, []string{"private, max-age=60"}, []string{"private, max-age=60"}},
		{"no-cache, which shared caches may keep", proxy.Required, []string{"no-cache"}, []string{"no-cache", "private"}},
		{"public", proxy.Required, []string{"public, max-age=60"}, []string{"no-store"}},
		{"only an age", proxy.Required, []string{"max-age=60"}, []string{"no-store"}},
		{"a shared age", proxy.Required, []string{"private, s-maxage=60"}, []string{"no-store"}},
		{"private and public", proxy.Required, []string{"private", "Public"}, []string{"no-store"}},
		{"private for one field only", proxy.Required, []string{`private="set-cookie", max-age=60`}, []string{"no-store"}},
		{"optional auth is per user too", proxy.Optional, []string{"public"}, []string{"no-store"}},
		{"no auth", proxy.None, []string{"public, max-age=60"}, []string{"public, max-age=60"}},
		{"no auth and nothing said", proxy.None, nil, []string{"no-store"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Cache-Control"] = c.said
				w.Header().Set("Vary", "Accept")
			}), func(r *proxy.Route, _ *proxy.Config) { r.Auth = c.auth })
			res, _ := s.send(t, "GET", "/api/x", nil, nil)
			if diff := cmp.Diff(c.want, res.Header.Values("Cache-Control")); diff != "" {
				t.Error(diff)
			}
			if got := strings.Join(res.Header.Values("Vary"), ","); strings.Contains(got, "Cookie") != (c.auth != proxy.None) || !strings.Contains(got, "Accept") {
				t.Errorf("Vary is %q", got)
			}
		})
	}
}

func TestLocation(t *testing.T) {
	var location, base string
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base = "http://" + r.Host
		w.Header().Set("Location", strings.ReplaceAll(location, "UPSTREAM", base))
		w.WriteHeader(http.StatusFound)
	}))
	for _, c := range []struct{ name, location, want string }{
		{"below the upstream", "UPSTREAM/v1/orders/5?x=1#y", "/api/orders/5?x=1#y"},
		{"a path below the upstream", "/v1/orders/5", "/api/orders/5"},
		{"a relative path", "5", "/api/orders/5"},
		{"the upstream's host elsewhere", "UPSTREAM/admin", ""},
		{"a path elsewhere, which on our origin is ours", "/bff/logout", ""},
		{"a way out of the route", "../../bff/logout", ""},
		{"another port of the upstream's host", "http://127.0.0.1:1/v1/x", ""},
		{"our own origin below the route", "https://app.example.com/api/orders/5", "/api/orders/5"},
		{"our own origin elsewhere", "https://app.example.com/bff/logout", ""},
		{"another host", "https://files.example/5?sig=a", "https://files.example/5?sig=a"},
		{"a backslash", `/\evil.example`, ""},
		{"an encoded slash", "/v1/..%2f..%2fbff", ""},
		{"a script", "javascript:alert(1)", ""},
		{"a scheme without a host", "https:evil.example", ""},
		{"a user", "https://app.example.com@evil.example/", ""},
		{"not a URL", "http://[", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			location = c.location
			res, _ := s.send(t, "GET", "/api/orders/", nil, nil)
			if got := res.Header.Get("Location"); got != c.want || res.StatusCode != http.StatusFound {
				t.Errorf("got %d %q, want %q", res.StatusCode, got, c.want)
			}
		})
	}
}

func TestChallengesThatABrowserWouldAnswerAreDropped(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Www-Authenticate"] = []string{`Bearer error="invalid_token"`, `Basic realm="x"`, "Negotiate", `Bearer realm="x", Basic realm="y"`}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	res, _ := s.send(t, "GET", "/api/x", nil, nil)
	if diff := cmp.Diff([]string{`Bearer error="invalid_token"`}, res.Header.Values("Www-Authenticate")); diff != "" || res.StatusCode != 401 {
		t.Error(res.Status, diff)
	}
}

func TestAnswersWithoutABody(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/204":
			w.WriteHeader(http.StatusNoContent)
		case "/v1/304":
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "1234")
		}
	}))
	for target, want := range map[string]int{"/api/204": 204, "/api/304": 304} {
		if res, body := s.send(t, "GET", target, nil, nil); res.StatusCode != want || body != "" {
			t.Errorf("%s: got %s %q", target, res.Status, body)
		}
	}
	if res, body := s.send(t, "HEAD", "/api/head", nil, nil); res.StatusCode != 200 || res.ContentLength != 1234 || body != "" {
		t.Errorf("HEAD: got %s, length %d, %q", res.Status, res.ContentLength, body)
	}
}

func TestTrailersPassWithoutThePowers(t *testing.T) {
	for _, announced := range []bool{true, false} {
		s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			prefix := http.TrailerPrefix
			if announced {
				w.Header().Set("Trailer", "X-Sum, Set-Cookie, Access-Control-Allow-Origin")
				prefix = ""
			}
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(prefix+"X-Sum", "abc")
			w.Header().Set(prefix+"Set-Cookie", "theirs=1")
			w.Header().Set(prefix+"Access-Control-Allow-Origin", "*")
		}))
		res, _ := s.send(t, "GET", "/api/x", nil, nil)
		if res.Trailer.Get("X-Sum") != "abc" || res.Trailer.Get("Set-Cookie") != "" || res.Trailer.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("announced %v: the trailer is %v", announced, res.Trailer)
		}
	}
}

func TestInformationalAnswersPassAndLeaveOurHeadersAlone(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</v1/x>; rel=preload")
		w.Header().Set("Set-Cookie", "theirs=1")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.WriteHeader(http.StatusOK)
	}))
	conn, in := s.dial(t)
	write(t, conn, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	hint, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if hint.StatusCode != http.StatusEarlyHints || hint.Header.Get("Link") == "" || hint.Header.Get("Set-Cookie") != "" {
		t.Errorf("the hint is %s %v", hint.Status, hint.Header)
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Set-Cookie") != "ours=slid" || res.Header.Get("Link") != "" {
		t.Errorf("the answer is %s %v", res.Status, res.Header)
	}
}

func TestASwitchNobodyAskedForIsRefused(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		write(t, conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	}))
	for name, header := range map[string]http.Header{
		"no upgrade":       nil,
		"an h2c upgrade":   {"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAAQAAP__"}},
		"another protocol": {"Connection": {"Upgrade"}, "Upgrade": {"websocket"}},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := s.send(t, "GET", "/api/x", header, nil)
			wantProblem(t, res, body, problem.UpstreamUnavailable)
		})
	}
}

func TestOnlyWebSocketUpgradesAreForwarded(t *testing.T) {
	var got http.Header
	s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	s.send(t, "GET", "/api/x", http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAAQAAP__"}}, nil)
	if got.Get("Upgrade") != "" || got.Get("Connection") != "" || got.Get("Http2-Settings") != "" {
		t.Errorf("the upstream got %v", got)
	}
}
