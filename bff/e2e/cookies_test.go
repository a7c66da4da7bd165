package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// ours are the cookies of the application's host in the jar.
func ours(tab *stage.Tab) (list []*network.Cookie) {
	for _, c := range tab.Cookies() {
		if !strings.HasPrefix(c.Name, "cloakroom_idp_") {
			list = append(list, c)
		}
	}
	return list
}

func TestTheSessionCookieAsTheBrowserKeepsIt(t *testing.T) {
	for _, host := range []string{"localhost", "app.localhost"} {
		s, b, tab := alice(t, stage.Options{Host: host}, "/session")
		list := ours(tab)
		if len(list) != 1 || list[0].Name != shared.CookieName {
			t.Fatalf("on %s the browser keeps %+v", host, list)
		}
		c := list[0]
		if !c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || c.Path != "/" || !c.Session {
			t.Errorf("Secure %v, HttpOnly %v, SameSite %v, Path %q, ends with the browser %v", c.Secure, c.HTTPOnly, c.SameSite, c.Path, c.Session)
		}
		if c.Domain != host { // one for subdomains too would begin with a dot
			t.Errorf("the cookie is for %q", c.Domain)
		}
		if len(c.Value) < 43 { // 256 bits in base64url
			t.Errorf("%d characters", len(c.Value))
		}
		for _, e := range b.Sent(s.IDPOrigin) {
			if strings.Contains(e.RequestHeader.Get("Cookie"), shared.CookieName) {
				t.Errorf("the provider got our cookie: %s", e.URL)
			}
		}

		tab.Follow(logoutLink)
		tab.WaitVisible(signInLink)
		if left := ours(tab); len(left) != 0 {
			t.Errorf("after signing out the browser keeps %+v", left)
		}
	}
}

func TestScriptNeitherSeesNorMakesOurCookies(t *testing.T) {
	_, _, tab := alice(t, stage.Options{}, "/session")
	var seen []string
	tab.Eval(`(async () => [document.cookie, ...(await cookieStore.getAll()).map((c) => c.name)])()`, &seen)
	if all := strings.Join(seen, " "); strings.Contains(all, "cloakroom") {
		t.Errorf("script sees %q", all)
	}

	ticket := tab.Cookie(shared.CookieName).Value
	for _, name := range []string{shared.CookieName, shared.CookieName + "-login-0123456789abcdef", "__Host-Http-anything"} {
		for _, c := range []struct{ how, script string }{
			{"document.cookie", `document.cookie = %q + "=evil; Secure; Path=/"`},
			{"document.cookie, as host-only HttpOnly", `document.cookie = %q + "=evil; Secure; Path=/; HttpOnly; SameSite=Lax"`},
			{"document.cookie, with a path", `document.cookie = %q + "=evil; Secure; Path=/bff/"`},
			{"document.cookie, for the domain", `document.cookie = %q + "=evil; Secure; Path=/; Domain=localhost"`},
			{"document.cookie, in other letters", `document.cookie = %q.toUpperCase() + "=evil; Secure; Path=/"`},
			{"document.cookie, without a name", `document.cookie = "=" + %q + "=evil; Secure; Path=/"`},
			{"cookieStore", `await cookieStore.set({name: %q, value: "evil", path: "/"})`},
		} {
			// Refused in silence or aloud, but not for want of being JavaScript.
			if err := tab.TryEval(fmt.Sprintf(`(async () => { `+c.script+`; return 1; })()`, name), nil); err != nil && strings.Contains(err.Error(), "SyntaxError") {
				t.Fatal(err)
			}
			for _, kept := range ours(tab) {
				if strings.Contains(kept.Value, "evil") || kept.Name == "" {
					t.Errorf("%s set %q=%q", c.how, kept.Name, kept.Value)
				}
			}
		}
	}
	if now := tab.Cookie(shared.CookieName); now == nil || now.Value != ticket {
		t.Error("the session cookie was changed")
	}
	// The same call with a name that is free works: it is the prefix that is
	// refused, not the script.
	tab.Eval(`document.cookie = "__free=good; Secure; Path=/"`, nil)
	if c := tab.Cookie("__free"); c == nil {
		t.Error("script can set no cookie at all: the test proves nothing")
	}
}

func TestLoginTransactionsLeaveNoCookies(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	tab := s.Browser(t).NewTab(t)
	for range 8 { // eight times begun
		tab.Go("/bff/login")
		tab.WaitVisible("#password")
	}
	begun := ours(tab)
	if len(begun) == 0 || len(begun) > 6 {
		t.Errorf("%d cookies of sign-ins under way", len(begun))
	}
	for _, c := range begun {
		if !strings.HasPrefix(c.Name, shared.CookieName+"-login-") || !c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax || c.Path != "/" {
			t.Errorf("%+v", c)
		}
	}
	tab.Authenticate("alice", "wonderland")
	tab.Agree("/")
	tab.Booted()
	tab.Go("/session")
	tab.Follow(logoutLink)
	tab.WaitVisible(signInLink)
	if left := ours(tab); len(left) != 0 {
		t.Errorf("after signing out the browser keeps %+v", left)
	}
}
