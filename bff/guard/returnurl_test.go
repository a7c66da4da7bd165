package guard_test

import (
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/guard"
	"cloakroom/shared/problem"
)

var returnRows = []struct {
	name, raw, want string // want "" is a refusal
}{
	{"nothing", "", "/"},
	{"the root", "/", "/"},
	{"a path", "/orders/5", "/orders/5"},
	{"a path with a query and a fragment", "/orders?page=2&q=a+b#row-7", "/orders?page=2&q=a+b#row-7"},
	{"another address in the query", "/go?to=https://evil.example/", "/go?to=https://evil.example/"},
	{"a colon in a later segment", "/a/b:c", "/a/b:c"},
	{"an umlaut", "/café", "/caf%C3%A9"},
	{"a space", "/a b", "/a%20b"},
	{"markup in the query", `/a?"><script>`, "/a?%22%3E%3Cscript%3E"},
	{"a malformed escape in the query", "/a?100%", "/a?100%25"},
	{"a name that only begins like the BFF's", "/bffalo", "/bffalo"},
	{"another host", "//evil.example", ""},
	{"another host with three slashes", "///evil.example", ""},
	{"another host with a scheme", "https://evil.example/", ""},
	{"our own host with a scheme", "https://app.example.com/", ""},
	{"a scheme without slashes", "https:evil.example", ""},
	{"a script", "javascript:alert(1)", ""},
	{"a user", "//app.example.com@evil.example/", ""},
	{"a backslash first", `\evil.example`, ""},
	{"a slash and a backslash", `/\evil.example`, ""},
	{"a backslash in the query", `/a?\`, ""},
	{"encoded slashes", "/%2f%2fevil.example", ""},
	{"an encoded backslash", "/%5cevil.example", ""},
	{"an encoded tab", "/%09/evil.example", ""},
	{"a tab", "/\t/evil.example", ""},
	{"a line break", "/\r\nSet-Cookie: x=y", ""},
	{"a line break before it", "\n//evil.example", ""},
	{"a space before it", " //evil.example", ""},
	{"NUL", "/\x00", ""},
	{"dot segments", "/a/../../x", ""},
	{"dots before slashes", "/.//evil.example", ""},
	{"encoded dots", "/%2e%2e//evil.example", ""},
	{"a relative path", "orders", ""},
	{"a query alone", "?x", ""},
	{"a fragment alone", "#x", ""},
	{"the sign-out endpoint", "/bff/logout?sid=1", ""},
	{"the BFF in capitals", "/BFF/logout", ""},
	{"the BFF encoded", "/%62ff/logout", ""},
	{"the BFF without a slash", "/bff", ""},
	{"not UTF-8", "/\xff", ""},
	{"too long once it is encoded", "/?" + strings.Repeat("|", 700), ""},
	{"too long", "/" + strings.Repeat("a", 2<<10), ""},
}

func TestReturnURL(t *testing.T) {
	for _, c := range returnRows {
		t.Run(c.name, func(t *testing.T) {
			got, err := guard.ReturnURL(c.raw)
			if c.want == "" {
				if err == nil || problem.CodeOf(err) != problem.ReturnURLInvalid {
					t.Errorf("got %q, %v, must be refused with %s", got, err, problem.ReturnURLInvalid)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func FuzzReturnURL(f *testing.F) {
	for _, c := range returnRows {
		f.Add(c.raw)
	}
	base, err := url.Parse(origin + "/deep/page?x#y")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := guard.ReturnURL(raw)
		if err != nil {
			return
		}
		// As a Location header has it and as a browser reads that.
		for _, reading := range []string{got, asBrowsersRead(got)} {
			u, err := base.Parse(reading)
			if err != nil || u.Scheme != "https" || u.Host != "app.example.com" || u.User != nil {
				t.Fatalf("%q became %q, which leads to %v, %v", raw, got, u, err)
			}
			if !strings.HasPrefix(reading, "/") || strings.HasPrefix(reading, "//") || strings.HasPrefix(strings.ToLower(u.Path), "/bff/") {
				t.Fatalf("%q became %q", raw, got)
			}
		}
		for _, c := range []byte(got) {
			if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
				t.Fatalf("%q became %q, which has the byte %q", raw, got, c)
			}
		}
		if again, err := guard.ReturnURL(got); err != nil || again != got {
			t.Fatalf("%q became %q, and that %q, %v", raw, got, again, err)
		}
	})
}

// asBrowsersRead does what the URL Standard (§4.4) does before it looks for a host.
func asBrowsersRead(s string) string {
	s = strings.TrimFunc(s, func(c rune) bool { return c <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	path, rest, _ := strings.Cut(s, "?")
	path = strings.ReplaceAll(path, `\`, "/")
	if rest != "" {
		return path + "?" + rest
	}
	return path
}
