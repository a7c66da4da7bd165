package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// from is both of the attacker's origins.
func (a *arena) from() map[string]string {
	return map[string]string{"another site": a.evil, "a sibling": a.sibling}
}

// sent has the attacker's page send the whole tab to an address, and waits
// until an answer is shown.
func (a *arena) sent(origin, address string) {
	a.tab.Go(origin + "/")
	a.tab.Eval(fmt.Sprintf(`void (location = %q)`, address), nil)
	a.tab.Wait(`location.origin !== ` + fmt.Sprintf("%q", origin) + ` && document.readyState === "complete"`)
}

// unchanged fails for everything that do changes.
func (a *arena) unchanged(t *testing.T, do func()) {
	t.Helper()
	before := a.affairs(t)
	do()
	for _, what := range before.differences(a.affairs(t)) {
		t.Error(what)
	}
}

// toProvider counts what the browser sent to the provider.
func (a *arena) toProvider() int { return len(a.browser.Sent(a.IDPOrigin)) }

// Login CSRF: who makes somebody sign in without meaning to gets them to act
// in a session they did not choose (RFC 6749 §10.12, RFC 9700 §4.7).
func TestAnotherPageStartsNoSignIn(t *testing.T) {
	a := openArena(t, nil)
	for name, origin := range a.from() {
		for _, query := range []string{"", "?returnUrl=%2Forders", "?prompt=none", "?prompt=login"} {
			t.Run(name+" "+query, func(t *testing.T) {
				asked := a.toProvider()
				a.unchanged(t, func() {
					a.onTab(t, func() {
						a.sent(origin, a.Origin+shared.PathLogin+query)
						if text := a.tab.Text("main"); !strings.Contains(text, "login_cross_site") {
							t.Errorf("the page says: %s", text)
						}
					})
				})
				if got := a.toProvider(); got != asked {
					t.Errorf("%d requests went to the provider", got-asked)
				}
			})
		}
	}
	t.Run("who means it goes on from the page", func(t *testing.T) {
		before := a.affairs(t)
		a.onTab(t, func() {
			a.sent(a.evil, a.Origin+shared.PathLogin)
			a.tab.Follow(`main a[href="/bff/login"]`)
			a.tab.WaitAt("/")
			a.tab.Booted()
		})
		if after := a.affairs(t); after.ticket == before.ticket || after.signedIn != http.StatusOK {
			t.Errorf("the person's own click did not sign in: %d", after.signedIn)
		}
	})
}

// The sid in the link is what guards it where Fetch Metadata are missing; here
// the attacker knows it, and still nothing happens.
func TestAnotherPageSignsNobodyOut(t *testing.T) {
	a := openArena(t, nil)
	var claims string
	_, claims = a.alice.call(t, shared.PathUser)
	_, rest, found := strings.Cut(claims, shared.PathLogout+"?sid=")
	if !found {
		t.Fatalf("no sign-out link among the claims: %s", claims)
	}
	sid, _, _ := strings.Cut(rest, `"`)
	for name, origin := range a.from() {
		for _, query := range []string{"?sid=" + sid, "?sid=" + sid + "&returnUrl=%2F", "", "?sid=guessed"} {
			t.Run(name+" "+query[:min(5, len(query))], func(t *testing.T) {
				asked := a.toProvider()
				a.unchanged(t, func() {
					a.onTab(t, func() {
						a.sent(origin, a.Origin+shared.PathLogout+query)
						if text := a.tab.Text("main"); !strings.Contains(text, "login_cross_site") {
							t.Errorf("the page says: %s", text)
						}
					})
				})
				if got := a.toProvider(); got != asked {
					t.Errorf("%d requests went to the provider", got-asked)
				}
			})
		}
	}
}

// mallory begins a sign-in of their own and keeps the callback for others,
// with the transaction cookie that belongs to it.
func (a *arena) mallory(t *testing.T) (callback string, transaction *http.Cookie) {
	t.Helper()
	client := newClient(t)
	callback = idptest.SignIn(t, client, a.Origin+shared.PathLogin, "bob", "builder")
	u, err := url.Parse(a.Origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, shared.CookieName+"-login-") {
			return callback, c
		}
	}
	t.Fatal("a sign-in under way left no cookie")
	return "", nil
}

// A code and state that are good, but of the attacker's own sign-in, must not
// sign a victim in as the attacker (RFC 9700 §4.7.1).
func TestACallbackOfTheAttackerSignsNobodyIn(t *testing.T) {
	a := openArena(t, nil)
	for name, origin := range a.from() {
		for _, toss := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cookie tossed: %v", name, toss), func(t *testing.T) {
				callback, transaction := a.mallory(t)
				a.unchanged(t, func() {
					a.onTab(t, func() {
						if toss {
							a.tab.Go(origin + "/")
							for _, cookie := range tossed(transaction.Name, transaction.Value) {
								a.toss(cookie)
							}
						}
						a.sent(origin, callback)
						if text := a.tab.Text("main"); !strings.Contains(text, "login_state_invalid") {
							t.Errorf("the page says: %s", text)
						}
					})
				})
			})
		}
	}
	t.Run("nor somebody who is signing in just now", func(t *testing.T) {
		callback, _ := a.mallory(t)
		a.onTab(t, func() {
			a.tab.Go("/bff/login?prompt=login") // alice's own, as far as the provider's form
			a.tab.WaitVisible("#password")
			a.unchanged(t, func() {
				a.sent(a.evil, callback)
				if text := a.tab.Text("main"); !strings.Contains(text, "login_state_invalid") {
					t.Errorf("the page says: %s", text)
				}
			})
		})
	})
	t.Run("while it works for whoever began it", func(t *testing.T) {
		client := newClient(t)
		visit(t, client, idptest.SignIn(t, client, a.Origin+shared.PathLogin, "bob", "builder"))
		if cookieOf(t, client, a.Origin, shared.CookieName) == "" {
			t.Error("the callback is no good at all, so the tests above prove nothing")
		}
	})
}

// tossed are the ways to write a cookie so that it might be taken for ours.
func tossed(name, value string) []string {
	const everywhere = "; Domain=app.localhost; Path=/"
	return []string{
		name + "=" + value + everywhere,
		name + "=" + value + everywhere + "; Secure",
		name + "=" + value + everywhere + "; Secure; HttpOnly; SameSite=Strict",
		name + "=" + value + "; Domain=app.localhost; Path=/bff/; Secure", // a longer path comes first
		name + "=" + value + "; Domain=app.localhost; Path=/api/; Secure",
		strings.ToUpper(name) + "=" + value + everywhere + "; Secure",
		"=" + name + "=" + value + everywhere + "; Secure", // no name, and the value reads as one
		name + "==" + value + everywhere + "; Secure",
		" \t" + name + " =" + value + everywhere + "; Secure",
		name + "=" + value + "; Path=/; Secure", // the sibling's own: stays there
	}
}

// toss sets a cookie from the attacker's page, by script and by an answer.
func (a *arena) toss(cookie string) {
	a.tab.Eval(fmt.Sprintf(`document.cookie = %q, fetch("/set-cookie?cookie=" + encodeURIComponent(%q)).then(() => 0)`, cookie, cookie), nil)
}

// A sibling may set cookies for the parent domain. None of them may replace or
// shadow ours: that would sign alice in as the attacker (BBA-25).
func TestACookieOfASiblingIsNotTaken(t *testing.T) {
	a := openArena(t, nil)
	ours := a.alice.ticket()
	plain := strings.TrimPrefix(shared.CookieName, "__Host-Http-")
	for what, value := range map[string]string{"a session of the attacker's own": a.bob.ticket(), "nothing": "", "nonsense": "AAAA"} {
		for _, name := range []string{shared.CookieName, "__Host-" + plain, "__Secure-" + plain, plain} {
			t.Run(what+" as "+name, func(t *testing.T) {
				a.onTab(t, func() {
					a.tab.Go(a.sibling + "/")
					for _, cookie := range tossed(name, value) {
						a.toss(cookie)
					}
					a.tab.Go("/robots.txt") // any page of the application's origin
					if got := a.tab.Call(http.MethodGet, shared.PathUser); got.Status != http.StatusOK || !strings.Contains(got.Body, `"user-alice"`) {
						t.Errorf("the application now sees: %d %s", got.Status, got.Body)
					}
					if got := a.tab.Call(http.MethodGet, "/api/orders?limit=1"); got.Status != http.StatusOK {
						t.Errorf("the API now answers %d %s", got.Status, got.Body)
					}
					a.holdsOnly(t, ours)
				})
			})
		}
	}
	t.Run("while the plain ones are, by the browser, so that they were tossed at all", func(t *testing.T) {
		for _, c := range a.tab.Cookies() {
			if c.Name == plain && c.Domain == ".app.localhost" {
				return
			}
		}
		t.Error("the jar has none of the sibling's cookies")
	})
}

// holdsOnly fails unless the jar has exactly one cookie that the application's
// origin would be sent as its session.
func (a *arena) holdsOnly(t *testing.T, ours string) {
	t.Helper()
	held := 0
	for _, c := range a.tab.Cookies() {
		alike := strings.EqualFold(c.Name, shared.CookieName) || c.Name == "" && strings.HasPrefix(c.Value, shared.CookieName)
		if !alike || c.Domain == "sib.app.localhost" {
			continue
		}
		if held++; c.Value != ours {
			t.Errorf("the jar holds %s=%s of %s", c.Name, c.Value, c.Domain)
		}
	}
	if held != 1 {
		t.Errorf("%d session cookies", held)
	}
}

// Windows are the last way in: an opener, a name, a frame of a frame, or a
// domain that is lowered until both are the same.
func TestTheSiblingReachesNoWindow(t *testing.T) {
	a := openArena(t, nil)
	a.onTab(t, func() {
		a.tab.Go(a.sibling + "/")
		var lowered string
		a.tab.Eval(`(() => { try { document.domain = "app.localhost" } catch (e) { return String(e) } return document.domain })()`, &lowered)
		a.tab.Eval(fmt.Sprintf(`void (window.w = open(%q, "known"))`, a.Origin+"/"), nil)
		a.tab.Wait(`w.closed`) // Cross-Origin-Opener-Policy has parted them
		var reached string
		a.tab.Eval(`(() => { let got = ""; for (const look of [() => w.document.title, () => w.location.href, () => w.frames[0].name, () => w.eval("1")])
			{ try { got += look() ?? "" } catch {} } w.postMessage("hello", "*"); w.close(); return got + w.length })()`, &reached)
		if reached != "0" {
			t.Errorf("after document.domain (%s) the sibling reached %q", lowered, reached)
		}
		page := a.lookInto(t, a.Origin+"/", `JSON.stringify([window.opener === null, window.name, document.domain, window.originAgentCluster])`)
		if page != `[true,"","app.localhost",true]` {
			t.Errorf("in the application, opener, name, domain and agent cluster are %s", page)
		}
	})
}

// lookInto evaluates an expression in the tab that shows an address.
func (a *arena) lookInto(t *testing.T, address, expression string) string {
	t.Helper()
	var id target.ID
	stage.Until(t, stage.Patience, "a tab at "+address, func() bool {
		for _, info := range stage.Do(a.tab, target.GetTargets, target.GetTargetsParams{}).TargetInfos {
			if info.Type == "page" && info.URL == address {
				id = info.TargetID
			}
		}
		return id != ""
	})
	ctx, leave := chromedp.NewContext(a.tab.Context(), chromedp.WithTargetID(id), chromedp.WithDetachOnCancel())
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, stage.Patience)
	defer cancel()
	yes := true
	got, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "(" + expression + ")", ReturnByValue: &yes})
	if err != nil || got.ExceptionDetails != nil {
		t.Fatalf("look into %s: %v %v", address, err, got.ExceptionDetails)
	}
	return strings.ReplaceAll(strings.Trim(string(got.Result.Value), `"`), `\"`, `"`)
}

// A name of the attacker's that resolves to our address carries no session and
// gets no answer (DNS rebinding).
func TestAReboundNameReachesNothing(t *testing.T) {
	a := openArena(t, nil)
	u, err := url.Parse(a.Origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"evil.localhost", "sib.app.localhost", "127.0.0.1", "localhost"} {
		t.Run(host, func(t *testing.T) {
			rebound := "http://" + host + ":" + u.Port()
			a.unchanged(t, func() {
				a.onTab(t, func() {
					for _, target := range a.targets {
						a.tab.Go(rebound + target.path)
						if text := a.tab.Text("main"); !strings.Contains(text, "host_unknown") {
							t.Errorf("%s: the page says: %s", target.path, text)
						}
					}
				})
			})
		})
	}
}
