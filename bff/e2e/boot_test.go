package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/e2e/stage"
)

// policy is what every page of the application comes with.
var policy = []string{
	"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}

// TestThePagesBootWithoutAComplaint: no error on the console, no breach of the
// policy, in either colour scheme, signed out and in. That a breach would be
// noticed, the last lines prove.
func TestThePagesBootWithoutAComplaint(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	tab := b.NewTab(t)
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			tab.SignIn("alice", "wonderland", "/")
		}
		for _, dark := range []bool{false, true} {
			tab.Look(1280, 900, dark)
			for _, path := range []string{"/", "/orders", "/session", "/inspector"} {
				tab.Go(path)
				tab.Booted()
				tab.Wait(`!document.querySelector("main .bones")`)
				var scheme bool
				if tab.Eval(`matchMedia("(prefers-color-scheme: dark)").matches`, &scheme); scheme != dark {
					t.Errorf("%s is not looked at as it should be", path)
				}
			}
		}
	}
	if complaints := b.Unforgiven(); len(complaints) != 0 {
		t.Errorf("complaints: %v", complaints)
	}
	for _, e := range b.Sent("/") {
		if e.Status == 0 { // a page was left before it was answered
			continue
		}
		header := e.Header.Get("Content-Security-Policy")
		if strings.HasPrefix(e.Header.Get("Content-Type"), "text/html") && e.Status == http.StatusOK {
			for _, part := range policy {
				if !strings.Contains(header, part) {
					t.Errorf("%s: the policy %q lacks %s", e.URL, header, part)
				}
			}
			if strings.Contains(header, "'unsafe-inline'") || strings.Contains(header, "'unsafe-eval'") {
				t.Errorf("%s: the policy is %q", e.URL, header)
			}
		}
		if e.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", e.URL)
		}
	}

	// Injected markup runs nothing, and is noticed.
	tab.Eval(`(() => {
		const e = document.createElement("script");
		e.textContent = "window.ran = true";
		document.body.append(e);
		const i = document.createElement("img");
		i.setAttribute("onerror", "window.ran = true");
		i.src = "data:,x";
		document.body.append(i);
		return 1;
	})()`, nil)
	stage.Until(t, stage.Patience, "the breaches to be reported", func() bool {
		n := 0
		for _, m := range b.Unforgiven() {
			if m.Kind == "csp" {
				n++
			}
		}
		return n >= 2
	})
	b.Forgive(func(m stage.Message) bool {
		return m.Kind == "csp" || strings.Contains(m.Text, "Content Security Policy")
	})
	var ran bool
	if tab.Eval(`!!window.ran`, &ran); ran {
		t.Error("injected script ran")
	}
	var evaluated string // in a task of its own: what the protocol runs may use eval
	tab.Eval(`new Promise((done) => setTimeout(() => {
		try { done(String(new Function("return 'ran'")())); } catch (err) { done(err.name); }
	}))`, &evaluated)
	if evaluated != "EvalError" {
		t.Errorf("new Function gives %s", evaluated)
	}
}

func TestTheProgramIsSentOnce(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	tab := b.NewTab(t)
	tab.Go("/")
	tab.Booted()
	program := func() (list []stage.Exchange) {
		for _, e := range b.Sent("/web/") {
			if strings.HasSuffix(e.URL, "/app.wasm") {
				list = append(list, e)
			}
		}
		return list
	}
	first := program()
	if len(first) != 1 {
		t.Fatalf("the program was asked for %d times", len(first))
	}
	e := first[0]
	if e.Status != http.StatusOK || e.Header.Get("Content-Type") != "application/wasm" || e.Header.Get("Content-Encoding") != "br" ||
		!strings.Contains(e.Header.Get("Cache-Control"), "immutable") || !strings.Contains(e.Header.Get("Cache-Control"), "max-age=31536000") {
		t.Errorf("%d %v", e.Status, e.Header)
	}
	if !strings.HasPrefix(string(e.Body), "\x00asm") || e.Wire*3 > len(e.Body) {
		t.Errorf("%d bytes on the wire for %d bytes of program", e.Wire, len(e.Body))
	}

	tab.Go("/orders")
	tab.Booted()
	tab.Reload()
	tab.Booted()
	second := b.NewTab(t)
	second.Go("/inspector")
	second.Booted()
	if again := program(); len(again) != 1 {
		t.Errorf("four loads of pages asked for the program %d times", len(again))
	}
	stage.Until(t, stage.Patience, "three programs from the cache", func() bool {
		cached := 0
		for _, load := range b.Loads() {
			if strings.HasSuffix(load.URL, "/app.wasm") && load.Cached && load.MIME == "application/wasm" {
				cached++
			}
		}
		return cached == 3
	})
	for _, e := range b.Sent("/") {
		if strings.Contains(e.URL, "/web/") && e.RequestHeader.Get("Cookie") != "" {
			t.Errorf("%s was asked for with a cookie", e.URL)
		}
	}
}

func TestUnknownAddresses(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	b.ForgiveText("404 (Not Found)")
	tab := b.NewTab(t)
	tab.Go("/nowhere/at/all")
	tab.Booted()
	if tab.Count("h1") != 1 || tab.Count(`main a[href="/"]`) == 0 {
		t.Errorf("the page for unknown addresses: %s", tab.Text("body"))
	}
	if e := b.Sent("/nowhere")[0]; e.Status != http.StatusNotFound {
		t.Errorf("status %d", e.Status)
	}
	tab.Click(`main a[href="/"]`)
	tab.WaitAt("/")
	for _, c := range []struct {
		path, options string
		want          int
	}{
		{"/nowhere.js", "{}", http.StatusNotFound},
		{"/bff/nowhere", `{headers: {"X-CSRF": "1"}}`, http.StatusNotFound},
		{"/bff/user", `{}`, http.StatusForbidden},
		{"/bff/login", `{headers: {"X-CSRF": "1"}}`, http.StatusForbidden},
	} {
		b.ForgiveText(fmt.Sprintf("status of %d", c.want))
		if a := tab.Fetch(c.path, c.options); a.Status != c.want || a.Header["content-type"] != "application/problem+json" {
			t.Errorf("%s: %d %s %s", c.path, a.Status, a.Header["content-type"], a.Error)
		}
	}
}
