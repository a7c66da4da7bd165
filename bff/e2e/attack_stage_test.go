package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/guard"
	"cloakroom/shared"
)

// arena is where attacks take place: the demo at app.localhost, a browser in
// which alice is signed in, bob signed in elsewhere, and two origins of an
// attacker.
type arena struct {
	*stage.Stage
	browser   *stage.Browser
	tab       *stage.Tab // the attacker's, in alice's browser
	evil      string     // another site: no cookie of ours is ever sent from there
	sibling   string     // same site, another origin: SameSite=Strict does not stop it
	alice     *person
	bob       *person
	exchanges func() []stage.Exchange // what arrived at the server
	targets   []mark
	rounds    int // of attacks so far: every request bears its number
}

// mark is a path that attacks are aimed at.
type mark struct {
	path string
	kind guard.Kind
}

// attackerPage gives the attacks their tools. Everything here is what any page
// may do; nothing of it depends on the application.
const attackerPage = `<!doctype html><meta charset="utf-8"><title>attacker</title><body><script>
let frames_ = 0;
// element adds one and tells whether the browser says that it loaded.
const element = (tag, attributes, parent = document.body) => new Promise((done) => {
  const e = document.createElement(tag);
  e.onload = e.onloadeddata = () => done("loaded"); e.onerror = () => done("");
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  parent.append(e);
  setTimeout(() => done(""), 5000);
});
// form submits one to a frame of this page, or to a new tab.
const form = (method, enctype, url, fields, into) => {
  const f = document.createElement("form");
  Object.assign(f, {method, enctype, action: url, target: into});
  if (method === "get") for (const [name, value] of new URL(url).searchParams) fields = {...fields, [name]: value};
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, {type: "hidden", name, value});
    f.append(input);
  }
  document.body.append(f);
  f.submit();
};
const frame = async (how) => {
  const name = "frame" + frames_++;
  const loaded = element("iframe", {name});
  await loaded;
  const e = document.getElementsByName(name)[0];
  const again = new Promise((done) => { e.onload = done; setTimeout(done, 5000); });
  how(name);
  await again;
  try { return e.contentDocument?.body?.innerText ?? ""; } catch { return ""; }
};
const order = {item: "a present for the attacker", quantity: 1};
const forged = JSON.stringify(order);
// asText makes a text/plain form that reads as JSON.
const asText = {['{"item":"a present for the attacker","quantity":1,"x":"']: '"}'};
const read = async (url, options) => {
  try {
    const r = await fetch(url, {credentials: "include", ...options});
    return await r.text() + (r.type === "opaque" ? "" : "(status " + r.status + ")");
  } catch { return ""; }
};
const xhr = (method, url, headers = {}, body = null, upload = false) => new Promise((done) => {
  const x = new XMLHttpRequest();
  x.open(method, url); x.withCredentials = true;
  for (const [name, value] of Object.entries(headers)) x.setRequestHeader(name, value);
  if (upload) x.upload.onprogress = () => {};
  x.onloadend = () => done(x.responseText + (x.status || "") + x.getAllResponseHeaders());
  x.send(body);
});
</script>`

// openArena signs both people in. blind alters what passes between browser and
// server, for the tests that show what a layer is worth; nil for nothing.
func openArena(t *testing.T, blind *blinding) *arena {
	t.Helper()
	a := &arena{Stage: stage.Open(t, stage.Options{Host: "app.localhost", AccessTokenLifetime: time.Hour})}
	attacker := httptest.NewServer(http.HandlerFunc(serveAttacker))
	t.Cleanup(attacker.Close)
	port := attacker.Listener.Addr().(*net.TCPAddr).Port
	a.evil, a.sibling = fmt.Sprintf("http://evil.localhost:%d", port), fmt.Sprintf("http://sib.app.localhost:%d", port)

	flags := map[string]any{"disable-popup-blocking": true}
	if blind != nil {
		between := newBlindfold(t, a.Origin, *blind)
		flags["host-resolver-rules"] = between.resolverRules(a)
		a.exchanges = between.seen
	}
	a.browser = a.BrowserWith(t, stage.BrowserOptions{Flags: flags})
	if blind == nil {
		a.exchanges = a.browser.Exchanges
	}
	a.browser.Forgive(func(stage.Message) bool { return true }) // attacks that fail are errors by nature
	tab := a.browser.NewTab(t)
	tab.SignIn("alice", "wonderland", "/")
	tab.Go("about:blank") // the application is not open; its session is
	a.tab = tab
	a.alice = &person{arena: a, ticket: func() string {
		if c := a.tab.Cookie(shared.CookieName); c != nil {
			return c.Value
		}
		return ""
	}}
	a.bob = a.elsewhere(t, "bob", "builder")
	a.targets = a.marks(t)
	return a
}

func serveAttacker(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch to := r.URL.Query().Get("to"); r.URL.Path {
	case "/redirect":
		http.Redirect(w, r, to, http.StatusFound)
	case "/redirect-post":
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	case "/set-cookie":
		w.Header()["Set-Cookie"] = []string{r.URL.Query().Get("cookie")}
	case "/refresh":
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><meta http-equiv="refresh" content="0; url=%s">`, to)
	case "/":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, attackerPage)
	default:
		http.NotFound(w, r)
	}
}

// marks walks the server's own list of routes, so that none is forgotten, and
// adds the API's paths behind it.
func (a *arena) marks(t *testing.T) []mark {
	t.Helper()
	var marks []mark
	for _, route := range a.Demo.App.Routes() {
		path := route.Pattern
		if path != "/" && strings.HasSuffix(path, "/") {
			path += "below"
		}
		marks = append(marks, mark{path, route.Guard})
	}
	order := a.alice.orders(t).Orders[0].ID
	for _, path := range []string{
		"/api/orders", "/api/orders/" + order, "/api/debug/headers", "/api/debug/stream", "/api/debug/echo",
	} {
		marks = append(marks, mark{path, guard.Call})
	}
	return marks
}

// person is somebody who is signed in, asked about without their browser.
type person struct {
	arena  *arena
	ticket func() string
}

// loopback reaches every *.localhost on this machine.
var loopback = &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}}

// elsewhere signs somebody in with a client of their own.
func (a *arena) elsewhere(t *testing.T, user, password string) *person {
	t.Helper()
	client := newClient(t)
	callback := idptest.SignIn(t, client, a.Origin+shared.PathLogin, user, password)
	visit(t, client, callback)
	ticket := cookieOf(t, client, a.Origin, shared.CookieName)
	if ticket == "" {
		t.Fatalf("%s is not signed in", user)
	}
	return &person{arena: a, ticket: func() string { return ticket }}
}

// newClient keeps cookies, trusts loopback and follows no redirect.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: trustworthy{jar}, Transport: typed{}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func visit(t *testing.T, client *http.Client, address string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func cookieOf(t *testing.T, client *http.Client, origin, name string) string {
	t.Helper()
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// trustworthy gives Secure cookies to plain http on localhost, as browsers do.
type trustworthy struct{ http.CookieJar }

func (j trustworthy) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(secured(u)) }
func (j trustworthy) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(secured(u), cookies)
}

func secured(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}

// typed makes every visit one of a typed address.
type typed struct{}

func (typed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Site") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	return loopback.RoundTrip(r)
}

// call asks the server as the person's own page would.
func (p *person) call(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.arena.Origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Cookie", shared.CookieName+"="+p.ticket())
	resp, err := loopback.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (p *person) orders(t *testing.T) shared.OrderPage {
	t.Helper()
	var list shared.OrderPage
	status, body := p.call(t, fmt.Sprintf("/api/orders?limit=%d", shared.MaxPageLimit))
	if err := json.Unmarshal([]byte(body), &list); status != http.StatusOK || err != nil {
		t.Fatalf("orders: %d %s", status, body)
	}
	return list
}

// affairs is everything an attack could change.
type affairs struct {
	ticket, alice, bob         string // the cookie; both people's orders
	signedIn                   int    // status of GET /bff/user
	user                       string
	families, issued           int
	codeRequests, freshRequest int
	sessionCookies             int
}

func (a *arena) affairs(t *testing.T) affairs {
	t.Helper()
	now := affairs{
		ticket: a.alice.ticket(), families: len(a.Demo.IDP.Families()), issued: len(a.Issued()),
		codeRequests: a.Demo.IDP.Requests(idp.GrantCode), freshRequest: a.Demo.IDP.Requests(idp.GrantRefresh),
	}
	_, now.alice = a.alice.call(t, fmt.Sprintf("/api/orders?limit=%d", shared.MaxPageLimit))
	_, now.bob = a.bob.call(t, fmt.Sprintf("/api/orders?limit=%d", shared.MaxPageLimit))
	var claims []shared.Claim
	var body string
	if now.signedIn, body = a.alice.call(t, shared.PathUser+"?slide=false"); json.Unmarshal([]byte(body), &claims) == nil {
		for _, claim := range claims {
			if claim.Type == "sub" {
				now.user = fmt.Sprint(claim.Value)
			}
		}
	}
	for _, c := range a.tab.Cookies() {
		if strings.Contains(strings.ToLower(c.Name+c.Value), "cloakroom") && strings.HasSuffix(c.Domain, "app.localhost") {
			now.sessionCookies++
		}
	}
	return now
}

// differences are what changed from before to after, in words.
func (before affairs) differences(after affairs) []string {
	var found []string
	note := func(changed bool, what string) {
		if changed {
			found = append(found, what)
		}
	}
	note(before.ticket != after.ticket, "the session cookie changed")
	note(before.sessionCookies != after.sessionCookies, fmt.Sprintf("%d cookies of ours, %d before", after.sessionCookies, before.sessionCookies))
	note(before.alice != after.alice, "alice's orders changed")
	note(before.bob != after.bob, "bob's orders changed")
	note(after.signedIn != http.StatusOK, fmt.Sprintf("alice is signed out (%d)", after.signedIn))
	note(before.user != after.user, "somebody else is signed in: "+after.user)
	note(before.families != after.families || before.issued != after.issued, "the provider issued something")
	note(before.codeRequests != after.codeRequests, "a code was redeemed")
	note(before.freshRequest != after.freshRequest, "a token was renewed")
	return found
}

// framed lists what of ours is shown inside a page of the attacker.
func (a *arena) framed(t *testing.T) []string {
	t.Helper()
	var shown []string
	var walk func(*page.FrameTree)
	walk = func(tree *page.FrameTree) {
		for _, child := range tree.ChildFrames {
			if strings.HasPrefix(child.Frame.URL, a.Origin) {
				shown = append(shown, child.Frame.URL)
			}
			walk(child)
		}
	}
	stage.Until(t, stage.Patience, "every frame to show something", func() bool {
		shown = nil
		walk(stage.Do(a.tab, page.GetFrameTree, cdp.Empty{}).FrameTree)
		for _, info := range stage.Do(a.tab, target.GetTargets, target.GetTargetsParams{}).TargetInfos {
			if info.Type != "iframe" || !strings.HasPrefix(info.URL, a.Origin) {
				continue
			}
			href, err := a.addressOf(info.TargetID)
			if err != nil || href == "about:blank" {
				return false
			}
			if !strings.HasPrefix(href, "chrome-error:") {
				shown = append(shown, info.URL)
			}
		}
		return true
	})
	return shown
}

// addressOf is what a frame shows: the browser's own page, it may be, instead of
// what it was sent to, which is a target's address in both cases.
func (a *arena) addressOf(id target.ID) (href string, err error) {
	ctx, leave := chromedp.NewContext(a.tab.Context(), chromedp.WithTargetID(id), chromedp.WithDetachOnCancel())
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, stage.Patience)
	defer cancel()
	yes := true
	got, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "location.href", ReturnByValue: &yes})
	if err != nil {
		return "", err
	}
	err = json.Unmarshal(got.Result.Value, &href)
	return href, err
}

// onTab runs do with a new tab as the attacker's, and closes it and whatever it
// opened.
func (a *arena) onTab(t *testing.T, do func()) {
	t.Helper()
	home := a.tab
	a.tab = a.browser.NewTab(t)
	defer func() {
		a.closeOthers(t, home)
		a.tab = home
	}()
	do()
}

// closeOthers leaves one tab alone in the browser.
func (a *arena) closeOthers(t *testing.T, keep *stage.Tab) {
	t.Helper()
	ctx, cancel := context.WithTimeout(keep.Context(), stage.Patience)
	defer cancel()
	here := stage.Do(keep, target.GetTargetInfo, target.GetTargetInfoParams{}).TargetInfo.TargetID
	for _, info := range stage.Do(keep, target.GetTargets, target.GetTargetsParams{}).TargetInfos {
		if info.Type != "page" || info.TargetID == here {
			continue
		}
		browser := chromedp.FromContext(ctx).Browser
		_, _ = cdp.Call(ctx, browser, target.CloseTarget, target.CloseTargetParams{TargetID: info.TargetID}) // it may close by itself
	}
	stage.Until(t, stage.Patience, "the other tabs to close", func() bool {
		return !slices.ContainsFunc(stage.Do(keep, target.GetTargets, target.GetTargetsParams{}).TargetInfos, func(info *target.Info) bool {
			return info.Type == "page" && info.TargetID != here
		})
	})
}
