package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// lines writes a request as bytes. Every header is sent as it stands.
func (s *stage) lines(target string, headers ...string) string {
	return target + "\r\nHost: " + strings.TrimPrefix(s.origin, "http://") + "\r\n" + strings.Join(append(headers, "Connection: close"), "\r\n") + "\r\n\r\n"
}

// asCall is what the application's own script sends, for a session that lives.
func asCall(ticket string, more ...string) []string {
	return append([]string{"X-CSRF: 1", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Cookie: " + shared.CookieName + "=" + ticket}, more...)
}

// reads says what a server made of bytes: the statuses of its answers.
func reads(answers []rawAnswer) []int {
	var statuses []int
	for _, a := range answers {
		statuses = append(statuses, a.status)
	}
	return statuses
}

// unspoken are net/http's own refusals of codings and versions it does not
// speak (RFC 9112 §6.1, RFC 9110 §15.6.6).
var unspoken = []int{http.StatusNotImplemented, http.StatusHTTPVersionNotSupported}

// mustRefuse checks that every answer is a refusal, that there is one, and that
// nothing got through.
func (s *stage) mustRefuse(t *testing.T, text string) {
	t.Helper()
	answers := raw(t, s.addr, text)
	if len(answers) == 0 {
		t.Error("no answer at all")
	}
	for _, a := range answers {
		if (a.status < 400 || a.status > 499) && !slices.Contains(unspoken, a.status) {
			t.Errorf("answered %d: %s", a.status, a.body)
		}
		for _, cookie := range a.Cookies() {
			if cookie.Name == shared.CookieName && cookie.Value != "" {
				t.Error("the answer hands out a session")
			}
		}
	}
	if reached := s.upstream.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
}

// alive fails unless the server still serves the person it served before.
func (s *stage) alive(t *testing.T, v *visitor) {
	t.Helper()
	v.mustBe(t, http.StatusOK)
	if got := v.call(t, http.MethodGet, "/api/orders"); got.StatusCode != http.StatusOK {
		t.Errorf("the API answers %d", got.StatusCode)
	}
	if reached := s.upstream.take(); !slices.Contains(reached, "GET /v1/orders") {
		t.Errorf("the upstream got %v", reached)
	}
}

func openSignedIn(t *testing.T) (*stage, *visitor) {
	t.Helper()
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	v.signIn(t)
	s.alive(t, v)
	return s, v
}

// One reading of a path, or none (BBA-17): whatever a program behind us could
// read as another resource is refused before anything is decided.
func TestPathsThatCanBeReadInTwoWaysGetNowhere(t *testing.T) {
	s, v := openSignedIn(t)
	paths := []string{
		"/api/../admin", "/api/..", "/api/./orders", "/api/x/../../admin", "/api//orders", "//api/orders", "/api///", "/api/orders//",
		"/api/%2e%2e/admin", "/api/%2E%2E/admin", "/api/.%2e/admin", "/api/%2e/orders", "/api/..%2fadmin", "/api/%2fadmin", "/api%2forders",
		"/api/%5c..%5cadmin", `/api/\..\admin`, `/api\orders`, `/\evil.example/api/`, "/api/..%5cadmin", "/api/%255c", "/api/%252e%252e/admin", "/api/%25",
		"/api/%00", "/api/orders%00.html", "/api/%0d%0aX-Injected:%201", "/api/%0a", "/api/%09", "/api/%7f", "/api/%1b[31m",
		"/api/orders;x=1", "/api/..;/admin", "/api/;/admin", "/api;x/orders", "/api/%3b/admin", "/api/orders%3bx",
		"/api/%c0%ae%c0%ae/admin", "/api/%c0%af", "/api/%e0%80%af", "/api/%ff", "/api/%ed%a0%80", "/api/%c2%80",
		"/api/%", "/api/%2", "/api/%zz", "/api/%u002e", "/api/#fragment", "/api/orders%23", "/api/orders%3f",
		"http://evil.example/api/orders", "https://evil.example:443/", "//evil.example/api/orders", "http:/api/orders",
		"*", "api/orders", "/api/" + strings.Repeat("a", 5000), "/api/" + strings.Repeat("%C3%A9", 2000),
	}
	// Encoded marks that mean nothing to a path are one reading: these may pass.
	harmless := []string{"/api/orders%23", "/api/orders%3f"}
	for _, path := range paths {
		if slices.Contains(harmless, path) {
			continue
		}
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+" "+path[:min(len(path), 40)], func(t *testing.T) {
				s.mustRefuse(t, s.lines(method+" "+path+" HTTP/1.1", asCall(v.ticket(t), "Content-Length: 0")...))
			})
		}
	}
	// Absolute form, which names a host of its own: ours too is refused.
	s.mustRefuse(t, s.lines("GET "+s.origin+"/api/orders HTTP/1.1", asCall(v.ticket(t))...))
	s.alive(t, v)
}

func TestMethodsThatNoPageUsesAreRefused(t *testing.T) {
	s, v := openSignedIn(t)
	for _, method := range []string{"TRACE", "TRACK", "CONNECT", "get", "Post", "OPTIONS", "PROPFIND", "DEBUG", "G", strings.Repeat("A", 3000), "GET\x00", "GE T", "PRI"} {
		for _, path := range []string{"/api/orders", "/bff/user", "/bff/login", "/", "/open/x", "app.localhost:443", "*"} {
			if strings.HasPrefix(method, "GE T") && path == "*" {
				continue // reads as "GE", "T", "*": the same row
			}
			t.Run(method[:min(len(method), 10)]+" "+path, func(t *testing.T) {
				s.mustRefuse(t, s.lines(method+" "+path+" HTTP/1.1", asCall(v.ticket(t), "Content-Length: 0")...))
			})
		}
	}
	s.alive(t, v)
}

// Two programs that disagree where a request ends see different requests
// (RFC 9112 §11.2).
func TestRequestsWithoutOneEndAreRefused(t *testing.T) {
	s, v := openSignedIn(t)
	const smuggled = "GET /api/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	host := "Host: " + strings.TrimPrefix(s.origin, "http://") + "\r\n"
	good := strings.Join(asCall(v.ticket(t)), "\r\n") + "\r\n"
	post := "POST /api/orders HTTP/1.1\r\n"
	rows := map[string]string{
		"two lengths":                       post + host + good + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
		"a length with a sign":              post + host + good + "Content-Length: +5\r\n\r\nhello",
		"a length below zero":               post + host + good + "Content-Length: -1\r\n\r\n",
		"a length of another base":          post + host + good + "Content-Length: 0x5\r\n\r\nhello",
		"a list of lengths":                 post + host + good + "Content-Length: 5, 6\r\n\r\nhello",
		"a length too large":                post + host + good + "Content-Length: 99999999999999999999\r\n\r\n",
		"an unknown coding":                 post + host + good + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two codings":                       post + host + good + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":                     post + host + good + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"identity":                          post + host + good + "Transfer-Encoding: identity\r\n\r\n",
		"a coding after a vertical tab":     post + host + good + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
		"a coding with a space before it":   post + host + good + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"a folded header":                   post + host + good + "X-Folded: a\r\n b\r\nTransfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
		"a header without a colon":          post + host + good + "Nonsense\r\n\r\n",
		"a header without a name":           post + host + good + ": value\r\n\r\n",
		"a header name with a space":        post + host + good + "X Header: 1\r\n\r\n",
		"a header name with a control byte": post + host + good + "X\x01Header: 1\r\n\r\n",
		"a header value with a zero byte":   post + host + good + "X-Header: a\x00b\r\n\r\n",
		"a header value with a lone return": post + host + good + "X-Header: a\rb\r\n\r\n",
		"a space before the first header":   post + " " + host + good + "\r\n",
		"no host":                           post + good + "\r\n",
		"two hosts":                         post + host + "Host: evil.example\r\n" + good + "\r\n",
		"a malformed host":                  post + "Host: app.localhost:80/../x\r\n" + good + "\r\n",
		"a version that does not exist":     "GET /api/orders HTTP/7.7\r\n" + host + good + "\r\n",
		"HTTP/0.9":                          "GET /api/orders\r\n\r\n",
		"the preface of HTTP/2":             "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"bytes of a TLS client":             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"bytes of nothing":                  strings.Repeat("\xff\xfe\x00", 100) + "\r\n\r\n",
		"a request line of three spaces":    "GET  /api/orders  HTTP/1.1\r\n" + host + good + "\r\n",
		"a line break in the target":        "GET /api/orders\nX: y HTTP/1.1\r\n" + host + good + "\r\n",
		"an expectation of its own":         post + host + good + "Expect: 200-maybe\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
	}
	for name, text := range rows {
		t.Run(name, func(t *testing.T) { s.mustRefuse(t, text) })
	}
	s.alive(t, v)
}

// What begins a body and cannot end one reaches the upstream as a broken
// request at most, never as two.
func TestBodiesThatSmuggleAreOneRequestAtMost(t *testing.T) {
	s, v := openSignedIn(t)
	const smuggled = "GET /open/smuggled HTTP/1.1\r\nX-CSRF: 1\r\n"
	host := "Host: " + strings.TrimPrefix(s.origin, "http://") + "\r\n"
	good := strings.Join(asCall(v.ticket(t)), "\r\n") + "\r\n"
	post := "POST /api/orders HTTP/1.1\r\n" + host + good
	rows := map[string]string{
		"length and coding":             post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
		"coding and length":             post + "Transfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n0\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
		"chunks that end in bare LF":    post + "Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n" + smuggled + host + "Connection: close\r\n\r\n",
		"an extension with a bare LF":   post + "Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nab\r\n0\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
		"a chunk longer than its size":  post + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
		"a size that is no number":      post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
		"a size beyond measure":         post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nab\r\n0\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
		"a trailer that names a length": post + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 50\r\n\r\n" + smuggled + host + "Connection: close\r\n\r\n",
	}
	for name, text := range rows {
		t.Run(name, func(t *testing.T) {
			for _, a := range raw(t, s.addr, text) {
				if a.status >= 500 && a.status != http.StatusBadGateway {
					t.Errorf("answered %d: %s", a.status, a.body)
				}
			}
			// The first request may arrive late, when we have given up on it.
			if reached := s.upstream.take(); slices.Contains(reached, "GET /v2/smuggled") {
				t.Errorf("the upstream was reached: %v", reached)
			}
		})
	}
	s.alive(t, v)
}

func TestCookiesOfEveryShapeSignNobodyIn(t *testing.T) {
	s, v := openSignedIn(t)
	good := v.ticket(t)
	name := shared.CookieName + "="
	flipped := []byte(good)
	flipped[10] ^= 1
	rows := map[string]struct {
		cookie string
		status int
	}{
		"no value":                      {name, 401},
		"one character too few":         {name + good[1:], 401},
		"one character too many":        {name + good + "A", 401},
		"one bit wrong":                 {name + string(flipped), 401},
		"zeros":                         {name + strings.Repeat("A", 43), 401},
		"in quotes":                     {name + `"` + good + `"`, 401},
		"padded":                        {name + good + "=", 401},
		"with another last character":   {name + good[:42] + "_", 401},
		"binary":                        {name + "\x80\xff\xfe" + strings.Repeat("\xc0", 40), 401},
		"script":                        {name + "<script>alert(1)</script>", 401},
		"in another case":               {strings.ToLower(name) + good, 401},
		"twice":                         {name + good + "; " + name + good, 401},
		"twice, the second empty":       {name + good + "; " + name, 401},
		"a JWT":                         {name + "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", 401},
		"two thousand of another name":  {strings.Repeat("a=b; ", 2000) + name + good, 200},
		"six hundred of our own name":   {strings.Repeat(name+good+"; ", 600), 431},
		"one of 64 KiB":                 {name + strings.Repeat("A", 64<<10), 431},
		"separators alone":              {strings.Repeat(";", 5000) + name + good, 200},
		"a transaction that is none":    {name + good + "; " + shared.CookieName + "-login-0011223344556677=nonsense", 200},
		"a hundred broken transactions": {name + good + strings.Repeat("; "+shared.CookieName+"-login-0011223344556677=x", 100), 200},
	}
	for what, row := range rows {
		t.Run(what, func(t *testing.T) {
			got := raw(t, s.addr, s.lines("GET /bff/user HTTP/1.1", "X-CSRF: 1", "Cookie: "+row.cookie))
			if !slices.Equal(reads(got), []int{row.status}) {
				t.Errorf("answered %v, want %d", reads(got), row.status)
			}
			if row.status == 401 && got[0].code() != problem.SessionRequired {
				t.Errorf("answered %s: a caller can tell a malformed ticket from an unknown one", got[0].body)
			}
		})
	}
	t.Run("in two lines", func(t *testing.T) {
		got := raw(t, s.addr, s.lines("GET /bff/user HTTP/1.1", "X-CSRF: 1", "Cookie: "+name+good, "Cookie: "+name+good))
		if !slices.Equal(reads(got), []int{401}) {
			t.Errorf("answered %v", reads(got))
		}
	})
	s.upstream.take()
	s.alive(t, v)
}

func TestHeadersBeyondMeasureAreRefused(t *testing.T) {
	s, v := openSignedIn(t)
	for what, header := range map[string]string{
		"one of 64 KiB":       "X-Long: " + strings.Repeat("a", 64<<10),
		"a name of 64 KiB":    strings.Repeat("a", 64<<10) + ": x",
		"ten thousand":        strings.TrimSuffix(strings.Repeat("X-Many: a\r\n", 10_000), "\r\n"),
		"a query of 64 KiB":   "",
		"a referrer of 1 MiB": "Referer: " + strings.Repeat("a", 1<<20),
	} {
		t.Run(what, func(t *testing.T) {
			target := "GET /bff/user HTTP/1.1"
			if header == "" {
				target, header = "GET /bff/user?"+strings.Repeat("a", 64<<10)+" HTTP/1.1", "X: y"
			}
			got := raw(t, s.addr, s.lines(target, asCall(v.ticket(t), header)...))
			// A client that still writes may miss the answer: the connection is gone then.
			if len(got) > 0 && got[0].status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("answered %v, want 431", reads(got))
			}
		})
	}
	s.alive(t, v)
}

// A row is a query that must not be taken for a good one.
func TestParametersThatCanBeReadInTwoWaysAreRefused(t *testing.T) {
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	long := strings.Repeat("a", 9000)
	rows := map[string]problem.Code{
		"/bff/login?returnUrl=/a&returnUrl=/b":  problem.ParameterDuplicated,
		"/bff/login?prompt=none&prompt=login":   problem.ParameterDuplicated,
		"/bff/login?prompt=none+login":          problem.ParameterInvalid,
		"/bff/login?prompt=whatever":            problem.ParameterInvalid,
		"/bff/login?prompt=%00":                 problem.ParameterInvalid,
		"/bff/login?returnUrl=/;x=y":            problem.ParameterInvalid,
		"/bff/login?returnUrl=%zz":              problem.ParameterInvalid,
		"/bff/login?" + long:                    problem.ParameterInvalid,
		"/bff/callback":                         problem.LoginStateInvalid,
		"/bff/callback?code=x":                  problem.LoginStateInvalid,
		"/bff/callback?state=&code=x":           problem.LoginStateInvalid,
		"/bff/callback?state=unknown&code=x":    problem.LoginStateInvalid,
		"/bff/callback?state=a&state=b&code=x":  problem.ParameterDuplicated,
		"/bff/callback?state=a&code=x&code=y":   problem.ParameterDuplicated,
		"/bff/callback?state=a&iss=x&iss=y":     problem.ParameterDuplicated,
		"/bff/callback?state=%0a":               problem.ParameterInvalid,
		"/bff/callback?state=" + long:           problem.ParameterInvalid,
		"/bff/callback?error=access_denied":     problem.LoginStateInvalid,
		"/bff/callback?state=unknown&error=<b>": problem.LoginStateInvalid,
		"/bff/logout?sid=a&sid=b":               problem.ParameterDuplicated,
		"/bff/logout?returnUrl=//evil.example":  problem.ReturnURLInvalid,
		"/bff/signed-out?state=a&state=b":       problem.ParameterDuplicated,
		"/bff/signed-out?state=%ff":             problem.ParameterInvalid,
	}
	for path, want := range rows {
		t.Run(path[:min(len(path), 60)], func(t *testing.T) {
			got := v.visit(t, s.origin+path)
			if got.pageCode() != want || got.StatusCode != problem.Kinds[want].Status {
				t.Errorf("%d %s, want %d %s", got.StatusCode, got.pageCode(), problem.Kinds[want].Status, want)
			}
			if strings.Contains(got.body, "<b>") || v.ticket(t) != "" {
				t.Errorf("the answer repeats what was sent, or signs in: %s", got.body)
			}
		})
	}
	if n := s.idp.Requests("authorization_code"); n != 0 {
		t.Errorf("%d codes were redeemed", n)
	}
}

// An open redirector lends our name to any page (RFC 9700 §4.11).
func TestNobodyIsSentAway(t *testing.T) {
	s, v := openSignedIn(t)
	away := []string{
		"//evil.example", "///evil.example", "////evil.example", `\\evil.example`, `/\evil.example`, `\/evil.example`, `/\/evil.example`,
		"/%2fevil.example", "/%2f%2fevil.example", "%2f%2fevil.example", "/%5cevil.example", "%5c%5cevil.example",
		"https://evil.example", "http:evil.example", "http:/evil.example", "https:///evil.example", "HTTPS://evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
		"data:text/html,x", "blob:x", "view-source:x", "mailto:x", "evil.example", "evil.example/..", "?x", "#x", ".", "..", "./x", "../x",
		"/\t/evil.example", "/\r\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example\r\nSet-Cookie: x=y", "/a\r\nLocation: https://evil.example", "/\x00", "/a\x7f",
		"/..//evil.example", "/.//evil.example", "/a/..//evil.example", "/a/../../evil.example", "//app.localhost@evil.example", "/@evil.example\\", "http://app.localhost@evil.example",
		"／／evil.example", "/／evil.example", "。。", "/\u2028", "/\u2029/x", "/\ufeff/evil.example", "\u00a0//evil.example", "/%e3%80%82", "//evil。example", "/%ef%bc%8fevil.example",
		"/bff/login", "/bff/logout?sid=x", "/BFF/logout", "/bff/callback?code=x&state=y", "/bff", "/%62ff/login", "/bff/../bff/login", "/;/evil.example", "/x;@evil.example",
		strings.Repeat("/a", 2000),
	}
	// Characters of other scripts in a path are a path: encoded, and on our origin.
	for _, target := range away {
		for _, endpoint := range []string{"/bff/login?returnUrl=", "/bff/logout?sid=wrong&returnUrl="} {
			t.Run(endpoint+fmt.Sprintf("%.40q", target), func(t *testing.T) {
				got := v.visit(t, s.origin+endpoint+url.QueryEscape(target))
				location, err := got.Location()
				switch {
				case got.StatusCode >= 400 && got.StatusCode < 500:
				case err == nil && strings.HasPrefix(location.String(), s.idp.Issuer()+"/"):
					v.mustComeBackHome(t, location.String())
				default:
					t.Errorf("%d to %v", got.StatusCode, location)
				}
			})
		}
	}
	s.alive(t, v)
}

// mustComeBackHome ends the sign-in and looks where the browser is sent.
func (v *visitor) mustComeBackHome(t *testing.T, authorize string) {
	t.Helper()
	back := v.visit(t, authorize)
	for range 5 {
		next, err := back.Location()
		if err != nil {
			t.Fatalf("%d: %s", back.StatusCode, back.body)
		}
		if strings.HasPrefix(next.String(), v.origin) && next.Path != shared.PathCallback {
			if strings.Contains(next.Path, "//") || strings.Contains(next.Path, `\`) {
				t.Errorf("sent to %s", next)
			}
			return
		}
		if !strings.HasPrefix(next.String(), v.origin) && next.Host != strings.TrimPrefix(strings.Split(authorize, "/authorize")[0], "http://") {
			t.Fatalf("sent to %s", next)
		}
		back = v.visit(t, next.String())
	}
	t.Fatal("no end of redirects")
}

// FuzzRequest gives the handler any bytes that net/http takes for a request.
// Nobody is signed in, so nobody may be afterwards; the one route without a
// session leads below its prefix and nowhere else.
func FuzzRequest(f *testing.F) {
	s, u := offline(f)
	host := "Host: app.example.com\r\n"
	call := "X-CSRF: 1\r\nSec-Fetch-Site: same-origin\r\n"
	for _, seed := range []string{
		"GET /open/x HTTP/1.1\r\n" + host + call + "\r\n",
		"POST /open/x?y=%zz;a=b HTTP/1.1\r\n" + host + call + "Content-Length: 2\r\n\r\nab",
		"GET /open/..%2fadmin HTTP/1.1\r\n" + host + call + "\r\n",
		"GET /open/%2e%2e/admin HTTP/1.1\r\n" + host + call + "\r\n",
		"GET /open/..;/admin HTTP/1.1\r\n" + host + call + "\r\n",
		"GET /open/\\..\\admin HTTP/1.1\r\n" + host + call + "\r\n",
		"GET //evil.example/open/ HTTP/1.1\r\n" + host + call + "\r\n",
		"GET http://evil.example/open/ HTTP/1.1\r\n" + host + call + "\r\n",
		"CONNECT app.example.com:443 HTTP/1.1\r\n" + host + call + "\r\n",
		"TRACE /open/ HTTP/1.1\r\n" + host + call + "\r\n",
		"GET /open/ws HTTP/1.1\r\n" + host + "Origin: https://app.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET /open/events HTTP/1.1\r\n" + host + "Accept: text/event-stream\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n\r\n",
		"GET /bff/login?returnUrl=//evil.example HTTP/1.1\r\n" + host + "\r\n",
		"GET /bff/callback?state=a&code=b HTTP/1.1\r\n" + host + "Cookie: " + shared.CookieName + "-login-ca978112ca1bbdca=x\r\n\r\n",
		"GET /bff/logout?sid=a HTTP/1.1\r\n" + host + "Cookie: " + shared.CookieName + "=" + strings.Repeat("A", 43) + "\r\n\r\n",
		"GET /bff/user?slide=maybe HTTP/1.1\r\n" + host + call + "Cookie: " + shared.CookieName + "=x; " + shared.CookieName + "=y\r\n\r\n",
		"GET /bff/signed-out?state=a HTTP/1.1\r\n" + host + "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
		"HEAD / HTTP/1.1\r\n" + host + "Range: bytes=0-0,-1\r\nIf-None-Match: *\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"GET /a.%00html HTTP/1.0\r\n" + host + "Accept-Encoding: gzip;q=0, *;q=0.5\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
		r.RemoteAddr = "192.0.2.1:1234"
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if v := recover(); v != nil && v != http.ErrAbortHandler { // what cuts an answer off on purpose
					panic(v)
				}
			}()
			s.Handler().ServeHTTP(w, r)
		}()
		_, _ = io.Copy(io.Discard, r.Body)
		for _, line := range u.take() {
			if _, target, _ := strings.Cut(line, " "); !strings.HasPrefix(target, "/v2/") {
				t.Errorf("%q reached %q of the upstream", text, line)
			}
		}
		// The provider is not there, which is what 503 and nothing else says.
		got := answer{w.Result(), w.Body.String()}
		if w.Code >= 500 && (w.Code != http.StatusServiceUnavailable || r.URL.Path != shared.PathLogin) && !upstreamBroke(got) {
			t.Errorf("%q: %d %s", text, w.Code, w.Body)
		}
		for _, cookie := range got.Cookies() {
			if cookie.Name == shared.CookieName && cookie.Value != "" {
				t.Errorf("%q was given a session", text)
			}
		}
		mustBeClosed(t, r, got)
	})
}

// upstreamBroke: a WebSocket that the upstream does not speak, or a client that
// sent less than it said.
func upstreamBroke(got answer) bool { return got.code() == problem.UpstreamUnavailable }
