package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/proxy"

	"github.com/google/go-cmp/cmp"
)

func TestNothingOfTheClientsPowersReachesTheUpstream(t *testing.T) {
	var got http.Header
	var host string
	s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, host = r.Header, r.Host }))
	header := http.Header{"X-Kept": {"1"}, "Accept": {"application/json"}, "Connection": {"X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"}}
	spoofed := []string{
		"Cookie", "Cookie2", "Authorization", "Dpop", "X-Csrf", "Proxy", "Proxy-Authorization", "Proxy-Connection", "Forwarded",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-User", "X-Real-Ip",
		"True-Client-Ip", "Cf-Connecting-Ip", "X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
		"Remote-User", "Client-Cert", "X-Ssl-Client-Verify", "X_forwarded_for", "Remote_user", "Http2-Settings",
	}
	for _, name := range spoofed {
		header[name] = []string{"spoofed"}
	}
	if res, body := s.send(t, "GET", "/api/x", header, nil); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, body)
	}
	for name, values := range got {
		if strings.Contains(strings.Join(values, " "), "spoofed") || name == "X-Hop" || strings.Contains(name, "_") {
			t.Errorf("%s: %q reached the upstream", name, values)
		}
	}
	got.Del("Accept-Encoding")
	got.Del("User-Agent")
	want := http.Header{
		"Accept": {"application/json"}, "X-Kept": {"1"}, "Authorization": {"Bearer " + token}, "Te": {"trailers"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Proto": {"https"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.HasPrefix(host, "app.example.com") || strings.HasPrefix(s.front.URL, "http://"+host) {
		t.Errorf("Host is %q", host)
	}
}

// TestConnectionCannotNameOurHeaders: a client that lists Authorization as
// hop-by-hop must not have ours removed (the trap of ReverseProxy.Director).
func TestConnectionCannotNameOurHeaders(t *testing.T) {
	var got http.Header
	s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	s.send(t, "GET", "/api/x", http.Header{"Connection": {"Authorization, X-Forwarded-For"}}, nil)
	if got.Get("Authorization") != "Bearer "+token || got.Get("X-Forwarded-For") == "" {
		t.Errorf("got %v", got)
	}
}

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a client", "203.0.113.5:1000", nil, "203.0.113.5"},
		{"a client that claims to forward", "203.0.113.5:1000", []string{"198.51.100.1"}, "203.0.113.5"},
		{"a proxy", "10.0.0.1:1000", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a client that wrote in front of a proxy's entry", "10.0.0.1:1000", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"a client that wrote a trusted address", "10.0.0.1:1000", []string{"10.0.0.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1000", []string{"1.1.1.1, 198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		{"two lines", "10.0.0.1:1000", []string{"1.1.1.1, 198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"only proxies", "10.0.0.1:1000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a proxy that says nothing", "10.0.0.1:1000", nil, "10.0.0.1"},
		{"no address at the right", "10.0.0.1:1000", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"an empty entry", "10.0.0.1:1000", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"an entry with a port", "10.0.0.1:1000", []string{"198.51.100.1:55"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:1000", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets with a port", "[fd00::1]:1000", []string{"[2001:db8::7]:55"}, "2001:db8::7"},
		{"IPv6 in brackets", "[fd00::1]:1000", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv4 written as IPv6", "[::ffff:10.0.0.1]:1000", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a Unix socket", "@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			if got := proxy.ClientAddr(r, trusted).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := proxy.ClientAddr(r, nil); got.IsValid() && got.Unmap() != netip.MustParseAddrPort(c.peer).Addr().Unmap() {
				t.Errorf("trusting nobody: got %s", got)
			}
		})
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("1.1.1.1, 198.51.100.1,10.0.0.2")
	f.Add("[::1]:5,, unknown")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{forwarded + ", 203.0.113.9"}
		if got := proxy.ClientAddr(r, trusted).String(); got != "203.0.113.9" {
			t.Errorf("%q: got %s", forwarded, got)
		}
		r.Header["X-Forwarded-For"] = []string{forwarded}
		_ = proxy.ClientAddr(r, trusted)
	})
}

func TestPathAndQueryAreMapped(t *testing.T) {
	var got string
	s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI }))
	for sent, want := range map[string]string{
		"/api/":                    "/v1/",
		"/api/orders":              "/v1/orders",
		"/api/orders/":             "/v1/orders/",
		"/api/a%20b/%C3%A9":        "/v1/a%20b/%C3%A9",
		"/api/a%3Fb":               "/v1/a%3Fb",
		"/api/%61":                 "/v1/a",
		"/api/x?a=1&b=%2F&a=2":     "/v1/x?a=1&b=%2F&a=2",
		"/api/x?":                  "/v1/x",
		"/api/x?plain":             "/v1/x?plain",
		"/api/x?a=1;b=2&c=3":       "/v1/x?c=3", // read differently by different parsers
		"/api/x?a=%zz&c=3":         "/v1/x?c=3",
		"/api/x?to=http://evil/":   "/v1/x?to=http://evil/",
		"/api/http:/evil.example/": "/v1/http:/evil.example/",
		"/api/@evil.example":       "/v1/@evil.example",
	} {
		got = "not reached"
		res, body := s.send(t, "GET", sent, nil, nil)
		if got != want {
			t.Errorf("%s became %s, want %s (%s %s)", sent, got, want, res.Status, body)
		}
	}
}

func FuzzPathMapping(f *testing.F) {
	for _, seed := range []string{"/api/x", "/api/../x", "/api/%2e%2e/x", "/api//x", "/api/%2f..", "/api/..;/", "/api", "//api/x", "/api/\\..", "/api/%00", "http://evil/api/x", "/bff/user"} {
		f.Add(seed)
	}
	var got *url.URL
	p, err := proxy.New(proxy.Config{
		Tokens: tokens{token: token}, CheckPath: strictPath, Origin: "https://app.example.com",
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r.URL
			return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}),
		Routes: []proxy.Route{{Path: "/api/", Upstream: mustURL(f, "http://api.internal/v1/deep/"), Methods: []string{"GET"}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		got = nil
		p.Mounts()[0].Handler.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "127.0.0.1:1", ProtoMajor: 1, ProtoMinor: 1})
		if got == nil {
			return
		}
		again, err := url.Parse(got.String())
		if err != nil || got.Scheme != "http" || got.Host != "api.internal" || again.Host != "api.internal" || again.Path != got.Path {
			t.Fatalf("%q became %v, %v", target, got, err)
		}
		below, ok := strings.CutPrefix(got.Path, "/v1/deep/")
		if !ok || "/api/"+below != u.Path {
			t.Fatalf("%q became %v", target, got)
		}
		for segment := range strings.SplitSeq(below, "/") {
			if segment == ".." || segment == "." {
				t.Fatalf("%q became %v", target, got)
			}
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPathTricksOnTheWire sends request lines that no client library would.
func TestPathTricksOnTheWire(t *testing.T) {
	s := newStage(t, unreachable(t))
	for _, target := range []string{
		"/api/../bff/user", "/api/..", "/api/./x", "/api//x", "//evil.example/api/x", "/api/%2e%2e/x", "/api/..%2fx", "/api/..%5cx",
		`/api/..\x`, "/api/..;/x", "/api/%00", "/api/%252e%252e/x", "http://evil.example/api/x", "*", "/API/x", "/apix", "/api\x00",
	} {
		conn, in := s.dial(t)
		write(t, conn, "GET "+target+" HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Errorf("%q: %v", target, err)
			continue
		}
		if res.StatusCode < 300 || res.StatusCode >= 500 {
			t.Errorf("%q: got %s", target, res.Status)
		}
	}
}

// TestFramingTricksOnTheWire: whatever two parsers could frame differently is
// refused, or reaches the upstream as one request with one framing.
func TestFramingTricksOnTheWire(t *testing.T) {
	type seen struct{ method, path, body, odd string }
	for _, c := range []struct {
		name, request string
		want          []seen // nil is a refusal
	}{
		{"both Content-Length and Transfer-Encoding", "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", []seen{{"POST", "/v1/x", "hi", ""}}},
		{"two lengths that differ", "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", nil},
		{"a length with a sign", "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nhi", nil},
		{"an unknown transfer coding", "POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", nil},
		{"two transfer codings", "POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", nil},
		{"a space before the colon", "GET /api/x HTTP/1.1\r\nHost: a\r\nContent-Length : 2\r\n\r\nhi", nil},
		{"a bare CR in a value", "GET /api/x HTTP/1.1\r\nHost: a\r\nX-Odd: a\rX-Forwarded-For: 6.6.6.6\r\n\r\n", nil},
		{"NUL in a value", "GET /api/x HTTP/1.1\r\nHost: a\r\nX-Odd: a\x00b\r\n\r\n", nil},
		{"two Hosts", "GET /api/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", nil},
		{"a folded line", "GET /api/x HTTP/1.1\r\nHost: a\r\nX-Odd: one\r\n two\r\n\r\n", []seen{{"GET", "/v1/x", "", "one two"}}},
		{"bare line feeds", "GET /api/x HTTP/1.1\nHost: a\nX-Odd: one\n\n", []seen{{"GET", "/v1/x", "", "one"}}},
		{"a malformed chunk size", "POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n", nil},
		{"a trailer with credentials", "POST /api/x HTTP/1.1\r\nHost: a\r\nTrailer: X-Odd\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Odd: sly\r\n\r\n", []seen{{"POST", "/v1/x", "hi", ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			arrived := make(chan seen, 8)
			s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return // broken off: nothing of it counts
				}
				odd := r.Header.Get("X-Odd")
				if len(r.Trailer) > 0 {
					odd += "a trailer"
				}
				arrived <- seen{r.Method, r.URL.Path, string(body), odd}
			}))
			conn, in := s.dial(t)
			write(t, conn, c.request)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			// 501 is for a coding that is not known (RFC 9112 §6.1).
			if c.want == nil && (res.StatusCode < 400 || res.StatusCode > 501) {
				t.Errorf("got %s, want a refusal", res.Status)
			}
			_ = conn.Close()
			s.front.Close()
			var got []seen
			for len(arrived) > 0 {
				got = append(got, <-arrived)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(seen{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
