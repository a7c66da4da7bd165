package guard_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"cloakroom/bff/guard"
	"cloakroom/shared/problem"
)

var pathRows = []struct {
	name, target, want string // want "" is a refusal
}{
	{"the root", "/", "/"},
	{"a file", "/web/app.wasm", "/web/app.wasm"},
	{"a folder", "/api/", "/api/"},
	{"an encoded space", "/a%20b", "/a b"},
	{"an encoded letter", "/%61pi/", "/api/"},
	{"an encoded umlaut", "/caf%C3%A9", "/café"},
	{"an encoded question mark stays in the path", "/a%3Fb", "/a?b"},
	{"characters that need no encoding", "/a:b@c,d(e)*!$&'+=~", "/a:b@c,d(e)*!$&'+=~"},
	{"a bar, which browsers leave bare", "/a|b", "/a|b"},
	{"three dots", "/.../x", "/.../x"},
	{"a dot file", "/.well-known/x", "/.well-known/x"},
	{"dot segments", "/api/../bff/user", ""},
	{"one dot", "/api/./x", ""},
	{"dots at the end", "/api/..", ""},
	{"one dot at the end", "/api/.", ""},
	{"encoded dots", "/api/%2e%2e/bff/user", ""},
	{"half encoded dots", "/api/.%2E/bff", ""},
	{"one encoded dot in a name", "/a%2ejs", ""},
	{"an encoded slash", "/api%2Fx", ""},
	{"an encoded slash in small letters", "/api/..%2fbff", ""},
	{"a backslash", `/api\..\bff`, ""},
	{"an encoded backslash", "/api/..%5cbff", ""},
	{"an encoded percent", "/api/%252e%252e/", ""},
	{"NUL", "/api/%00", ""},
	{"a tab", "/api/%09/", ""},
	{"a line break", "/api/%0d%0aX", ""},
	{"DEL", "/api/%7f", ""},
	{"a C1 control", "/api/%C2%85", ""},
	{"an overlong slash", "/api/%c0%af", ""},
	{"Latin-1", "/caf%E9", ""},
	{"a path parameter", "/api/..;/admin", ""},
	{"a path parameter with a value", "/api/x;jsessionid=1", ""},
	{"an encoded path parameter", "/api/..%3b/admin", ""},
	{"two slashes in front", "//evil.example/x", ""},
	{"two slashes inside", "/api//x", ""},
	{"two slashes at the end", "/api//", ""},
	{"a bare fragment sign", "/a#b", ""},
	{"the absolute form", "http://evil.example/api/", ""},
	{"our own absolute form", "https://app.example.com/api/", ""},
	{"the asterisk", "*", ""},
	{"a path over 4 KiB", "/" + strings.Repeat("a", 4<<10), ""},
	{"a path of 4 KiB", "/" + strings.Repeat("a", 4<<10-1), "/" + strings.Repeat("a", 4<<10-1)},
	{"a path that is too long once it is encoded", "/" + strings.Repeat("|", 1400), ""},
	{"encoding that makes it too long", "/" + strings.Repeat("%20", 1400), ""},
}

func TestCanonicalPath(t *testing.T) {
	for _, c := range pathRows {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.ParseRequestURI(c.target)
			if err != nil {
				if c.want != "" {
					t.Fatal(err)
				}
				return // net/http refuses it before us
			}
			got, err := guard.CanonicalPath(u)
			if c.want == "" {
				if err == nil {
					t.Fatalf("read as %q, must be refused", got)
				}
				if problem.CodeOf(err) != problem.PathAmbiguous {
					t.Errorf("refused with %v", err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestCanonicalPathOfAURLMadeByHand(t *testing.T) {
	for name, u := range map[string]*url.URL{
		"nothing":                      nil,
		"an empty path":                {},
		"a raw path of something else": {Path: "/api/x", RawPath: "/bff/user"},
		"a raw path that is no path":   {Path: "/api/x", RawPath: "/api/%zz"},
		"a percent sign":               {Path: "/100%"},
		"a semicolon":                  {Path: "/a;b"},
		"a backslash":                  {Path: `/a\b`},
		"bytes that are not UTF-8":     {Path: "/\xff"},
		"a host":                       {Host: "evil.example", Path: "/"},
		"a user":                       {User: url.User("x"), Path: "/"},
		"an opaque URL":                {Opaque: "x", Path: "/"},
	} {
		if got, err := guard.CanonicalPath(u); err == nil {
			t.Errorf("%s: read as %q", name, got)
		}
	}
}

// TestPathsOnTheWire sends the rows as they are, over TCP: what net/http makes
// of them is part of what must hold.
func TestPathsOnTheWire(t *testing.T) {
	g := newGuard(t)
	server := httptest.NewServer(g.Paths(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawPath != "" {
			t.Errorf("a second reading is left: %q", r.URL.RawPath)
		}
		w.Header().Set("X-Read-As", url.PathEscape(r.URL.Path))
	})))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for _, c := range append(pathRows, struct{ name, target, want string }{"CONNECT", "evil.example:443", ""}) {
		t.Run(c.name, func(t *testing.T) {
			method := "GET"
			if c.name == "CONNECT" {
				method = "CONNECT"
			}
			res := exchange(t, address, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n", method, c.target))
			switch {
			case c.want == "" && res.StatusCode != http.StatusBadRequest:
				t.Errorf("got %d as %q, want 400", res.StatusCode, res.Header.Get("X-Read-As"))
			case c.want != "" && (res.StatusCode != http.StatusOK || res.Header.Get("X-Read-As") != url.PathEscape(c.want)):
				t.Errorf("got %d as %q, want %q", res.StatusCode, res.Header.Get("X-Read-As"), c.want)
			}
		})
	}
}

func exchange(t *testing.T, address, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func FuzzCanonicalPath(f *testing.F) {
	for _, c := range pathRows {
		f.Add(c.target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		p, err := guard.CanonicalPath(u)
		if err != nil {
			return
		}
		if clean := path.Clean(p); clean != strings.TrimSuffix(p, "/") && clean != p {
			t.Fatalf("%q: cleaning makes %q of %q", target, clean, p)
		}
		encoded := (&url.URL{Path: p}).EscapedPath()
		again, err := url.Parse(encoded)
		if err != nil || again.Path != p || again.Host != "" || again.RawQuery != "" {
			t.Fatalf("%q: %q parses to %+v, %v", target, encoded, again, err)
		}
		if twice, err := guard.CanonicalPath(&url.URL{Path: p}); err != nil || twice != p {
			t.Fatalf("%q: the second reading is %q, %v", target, twice, err)
		}
		if decoded, err := url.PathUnescape(p); err != nil || decoded != p {
			t.Fatalf("%q: decoding twice makes %q of %q", target, decoded, p)
		}
	})
}
