package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/guard"
	"cloakroom/shared"
)

// attack is one way in which a page of another origin makes the browser of a
// signed-in person send a request.
type attack struct {
	name string
	// sends is the method that arrives at the server, for every target;
	// "OPTIONS" means a preflight and nothing after it, "" nothing at all.
	sends string
	// ticket: from the sibling, the browser adds the session cookie.
	ticket bool
	// script is the body of an async function of url. What it returns could be
	// read by the attacker; windows it opens go into the list opened.
	script string
}

var attacks = []attack{
	{"a form posts into a frame", "POST", true, `return frame((n) => form("post", "application/x-www-form-urlencoded", url, order, n))`},
	{"a form posts parts into a frame", "POST", true, `return frame((n) => form("post", "multipart/form-data", url, order, n))`},
	{"a form posts text that reads as JSON into a frame", "POST", true, `return frame((n) => form("post", "text/plain", url, asText, n))`},
	{"a form asks with GET into a frame", "GET", true, `return frame((n) => form("get", "", url, order, n))`},
	{"a form posts into a new tab", "POST", true, `form("post", "application/x-www-form-urlencoded", url, order, "_blank")`},
	{"a form posts parts into a new tab", "POST", true, `form("post", "multipart/form-data", url, order, "_blank")`},
	{"a form posts text that reads as JSON into a new tab", "POST", true, `form("post", "text/plain", url, asText, "_blank")`},
	{"a form asks with GET into a new tab", "GET", true, `form("get", "", url, order, "_blank")`},
	{"a form's post is redirected on with its body", "POST", true, `form("post", "text/plain", "/redirect-post?to=" + encodeURIComponent(url), asText, "_blank")`},

	{"fetch reads without cors", "GET", true, `return read(url, {mode: "no-cors"})`},
	{"fetch reads with cors", "GET", true, `return read(url, {mode: "cors"})`},
	{"fetch asks for the head", "HEAD", true, `return read(url, {method: "HEAD"})`},
	{"fetch posts text without cors", "POST", true, `return read(url, {mode: "no-cors", method: "POST", body: forged})`},
	{"fetch posts text with cors", "POST", true, `return read(url, {method: "POST", body: forged, headers: {"Content-Type": "text/plain"}})`},
	{"fetch posts a form with cors", "POST", true, `return read(url, {method: "POST", body: new URLSearchParams(order)})`},
	{"fetch that outlives its page posts text", "POST", true, `return read(url, {mode: "no-cors", method: "POST", body: forged, keepalive: true})`},
	{"fetch hides the header in a request without cors", "GET", true, `return read(url, {mode: "no-cors", headers: {"X-CSRF": "1"}})`},
	{"fetch posts JSON", "OPTIONS", false, `return read(url, {method: "POST", body: forged, headers: {"Content-Type": "application/json"}})`},
	{"fetch reads with the header", "OPTIONS", false, `return read(url, {headers: {"X-CSRF": "1"}})`},
	{"fetch posts with the header", "OPTIONS", false, `return read(url, {method: "POST", body: forged, headers: {"X-CSRF": "1", "Content-Type": "application/json"}})`},
	{"fetch deletes", "OPTIONS", false, `return read(url, {method: "DELETE"})`},
	{"fetch puts", "OPTIONS", false, `return read(url, {method: "PUT", body: forged})`},
	{"fetch patches with the header", "OPTIONS", false, `return read(url, {method: "PATCH", body: forged, headers: {"X-CSRF": "1"}})`},
	{"fetch uses a method nobody knows", "OPTIONS", false, `return read(url, {method: "FROB"})`},
	{"fetch claims to be of the same origin", "", false, `return read(url, {mode: "same-origin"})`},

	{"XHR reads", "GET", true, `return xhr("GET", url)`},
	{"XHR posts text", "POST", true, `return xhr("POST", url, {"Content-Type": "text/plain"}, forged)`},
	{"XHR reads with the header", "OPTIONS", false, `return xhr("GET", url, {"X-CSRF": "1"})`},
	{"XHR watches its upload", "OPTIONS", false, `return xhr("POST", url, {"Content-Type": "text/plain"}, forged, true)`},
	{"a beacon sends text", "POST", true, `navigator.sendBeacon(url, forged)`},
	{"a beacon sends a form", "POST", true, `navigator.sendBeacon(url, new URLSearchParams(order))`},
	{"a beacon sends JSON", "OPTIONS", false, `navigator.sendBeacon(url, new Blob([forged], {type: "application/json"}))`},
	{"a link is clicked that pings", "POST", true, `const l = document.createElement("a"); l.href = "#"; l.ping = url; document.body.append(l); l.click()`},

	{"an image", "GET", true, `return element("img", {src: url})`},
	{"an image with cors", "GET", true, `return element("img", {src: url, crossorigin: "use-credentials"})`},
	{"an image in SVG", "GET", true, `const s = document.createElementNS("http://www.w3.org/2000/svg", "image"); s.setAttribute("href", url);
		const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"); svg.append(s); document.body.append(svg)`},
	{"a button with an image", "GET", true, `return element("input", {type: "image", src: url})`},
	{"a script", "GET", true, `return element("script", {src: url})`},
	{"a script with cors", "GET", true, `return element("script", {src: url, crossorigin: "use-credentials"})`},
	{"a module", "GET", true, `return element("script", {src: url, type: "module", crossorigin: "use-credentials"})`},
	{"a dynamic import", "GET", false, `return JSON.stringify(await import(url))`},
	{"a style sheet", "GET", true, `return element("link", {rel: "stylesheet", href: url})`},
	{"a style sheet that imports", "GET", true, `const s = document.createElement("style"); s.textContent = "@import url(" + url + ");"; document.head.append(s);
		return [...s.sheet.cssRules].map((r) => r.styleSheet?.cssRules.length ?? "").join("")`},
	{"a background", "GET", true, `const d = document.createElement("div"); d.textContent = "x"; d.style.background = "url(" + url + ")"; document.body.append(d)`},
	{"a font", "GET", false, `await new FontFace("f" + Math.random(), "url(" + url + ")").load(); return "loaded"`},
	{"a video", "GET", true, `return element("video", {src: url, preload: "auto"})`},
	{"a sound", "GET", true, `return element("audio", {src: url, preload: "auto"})`},
	{"a prefetch", "GET", true, `element("link", {rel: "prefetch", href: url})`},
	{"a preload", "GET", true, `return element("link", {rel: "preload", as: "fetch", crossorigin: "use-credentials", href: url})`},
	{"a preloaded module", "GET", true, `return element("link", {rel: "modulepreload", crossorigin: "use-credentials", href: url})`},

	{"a frame", "GET", true, `return frame((n) => { document.getElementsByName(n)[0].src = url })`},
	{"a sandboxed frame", "GET", true, `element("iframe", {src: url, sandbox: "allow-scripts allow-forms allow-same-origin"})`},
	{"a frame without credentials", "GET", false, `element("iframe", {src: url, credentialless: ""})`},
	{"an object", "GET", true, `element("object", {data: url})`},
	{"an embedded thing", "GET", true, `element("embed", {src: url})`},

	{"an event stream", "GET", true, `return new Promise((done) => {
		const s = new EventSource(url, {withCredentials: true});
		s.onopen = () => done("opened"); s.onmessage = (e) => done(e.data); s.onerror = () => { s.close(); done("") } })`},
	{"a WebSocket", "GET", true, `return new Promise((done) => {
		const s = new WebSocket(url.replace("http:", "ws:"));
		s.onopen = () => s.send("who am I?"); s.onmessage = (e) => done(e.data); s.onclose = s.onerror = () => done("") })`},
	{"a worker that imports", "GET", true, `return new Promise((done) => {
		const w = new Worker(URL.createObjectURL(new Blob(["try { importScripts(" + JSON.stringify(url) + "); postMessage('loaded') } catch { postMessage('') }"])));
		w.onmessage = (e) => done(e.data); w.onerror = () => done("") })`},
	{"a worker", "", false, `new Worker(url); return "started"`},
	{"a shared worker", "", false, `new SharedWorker(url); return "started"`},
	{"a service worker", "", false, `await navigator.serviceWorker.register(url); return "registered"`},
	{"a service worker under our own scope", "", false, `await navigator.serviceWorker.register("/sw.js", {scope: url}); return "registered"`},

	{"a new window", "GET", true, `opened.push(open(url))`},
	{"a new window by link", "GET", true, `const l = document.createElement("a"); Object.assign(l, {href: url, target: "_blank", rel: "opener"}); document.body.append(l); l.click()`},
	{"a page that moves on by itself", "GET", true, `opened.push(open("/refresh?to=" + encodeURIComponent(url)))`},
	{"a redirect", "GET", true, `opened.push(open("/redirect?to=" + encodeURIComponent(url)))`},
	{"a window that is sent on", "GET", true, `const w = open("about:blank"); opened.push(w); w.location = url`},
}

// mount lets one attack loose on every target and returns what came of it that
// must not, in words.
func (a *arena) mount(t *testing.T, from string, row attack) (findings []string) {
	t.Helper()
	before := a.affairs(t)
	a.onTab(t, func() { findings = a.assault(t, from, row) })
	return append(findings, before.differences(a.affairs(t))...)
}

func (a *arena) assault(t *testing.T, from string, row attack) []string {
	t.Helper()
	a.tab.Go(from + "/")
	a.rounds++
	signs, urls := make([]string, len(a.targets)), make([]string, len(a.targets))
	for i, target := range a.targets {
		signs[i] = fmt.Sprintf("round=%d&target=%d.", a.rounds, i)
		urls[i] = a.Origin + target.path + "?" + signs[i]
	}
	list, err := json.Marshal(urls)
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	a.tab.Eval(fmt.Sprintf(`(() => { window.opened = []; return Promise.all(%s.map(async (url) => {
		try { return String(await (async (url) => { %s })(url) ?? "") } catch { return "" }
	})) })()`, list, row.script), &read)

	var seen []stage.Exchange
	stage.Until(t, stage.Patience, "every request to be answered", func() bool {
		seen = a.exchanges()
		return row.sends == "" || !slices.ContainsFunc(signs, func(sign string) bool { return !answered(bearing(seen, sign), row.sends) })
	})
	var findings []string
	for i, target := range a.targets {
		if read[i] != "" {
			findings = append(findings, fmt.Sprintf("%s: the attacker read %q", target.path, clip(read[i])))
		}
		for _, e := range bearing(seen, signs[i]) {
			findings = append(findings, a.judge(target, from, row, e)...)
		}
	}
	// A window that came to us is out of reach: to its opener it looks closed.
	a.tab.Wait(`opened.every((w) => w.closed)`)
	for _, shown := range a.framed(t) {
		findings = append(findings, "framed: "+shown)
	}
	return findings
}

// bearing lists the requests with a sign in their address.
func bearing(list []stage.Exchange, sign string) []stage.Exchange {
	var bear []stage.Exchange
	for _, e := range list {
		if strings.Contains(e.URL, sign) {
			bear = append(bear, e)
		}
	}
	return bear
}

// answered reports whether a request of that method arrived and was answered.
func answered(list []stage.Exchange, method string) bool {
	for _, e := range list {
		if e.Method == method && e.Status != 0 {
			return true
		}
	}
	return false
}

// judge says what is wrong with how the server took a request of an attacker.
func (a *arena) judge(target mark, from string, row attack, e stage.Exchange) []string {
	var findings []string
	wrong := func(format string, args ...any) {
		findings = append(findings, e.Method+" "+target.path+": "+fmt.Sprintf(format, args...))
	}
	if e.Method != row.sends {
		wrong("arrived, where %q was expected", row.sends)
	}
	if has := strings.Contains(e.RequestHeader.Get("Cookie"), shared.CookieName+"="); has != (row.ticket && from == a.sibling) {
		wrong("came with the session cookie: %v", has) // the premise, else the row proves nothing
	}
	for name := range e.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
			wrong("the answer has %s", name)
		}
	}
	if e.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" || e.Header.Get("X-Frame-Options") != "DENY" {
		wrong("the answer may be embedded")
	}
	ok := false
	switch target.kind {
	case guard.Call, guard.Peer:
		ok = e.Status == http.StatusForbidden
	case guard.Navigation:
		ok = e.Status == http.StatusForbidden || e.Status == http.StatusMethodNotAllowed
	case guard.Return:
		// Nobody's sign-in ends, and to be sent home from signed-out is no harm.
		home := target.path == shared.PathSignedOut && e.Status == http.StatusSeeOther && e.Header.Get("Location") == "/"
		ok = e.Status >= 400 && e.Status < 500 || home
	case guard.Page:
		ok = e.Status < 500 && (e.Method == http.MethodGet || e.Method == http.MethodHead || e.Status == http.StatusMethodNotAllowed)
	}
	if !ok {
		wrong("answered with %d", e.Status)
	}
	return findings
}

func clip(text string) string { return text[:min(len(text), 200)] }

// A page of another origin, be it of another site or a sibling subdomain that
// the session cookie goes along with, changes nothing and reads nothing
// (BBA-28 to BBA-32).
func TestAForeignPageChangesNothingAndReadsNothing(t *testing.T) {
	a := openArena(t, nil)
	for _, origin := range []struct{ name, from string }{{"another site", a.evil}, {"a sibling", a.sibling}} {
		for _, row := range attacks {
			t.Run(origin.name+"/"+row.name, func(t *testing.T) {
				for _, finding := range a.mount(t, origin.from, row) {
					t.Error(finding)
				}
			})
		}
	}
}
