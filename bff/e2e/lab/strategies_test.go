package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"

	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// person is somebody in front of the lab's browser.
type person struct {
	t *testing.T
	w *strategy.World
	b attack.Browser
}

func (p person) do(expression string) {
	p.t.Helper()
	if err := p.b.Run(p.t.Context(), "void ("+expression+")", nil); err != nil {
		p.t.Fatal(err)
	}
}

// await waits until an expression, which may fail while pages change, is true.
func (p person) await(expression string) {
	p.t.Helper()
	stage.Until(p.t, stage.Patience, expression, func() bool {
		var is bool
		return p.b.Run(p.t.Context(), "!!("+expression+")", &is) == nil && is
	})
}

func (p person) awaitState(state string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`document.documentElement.dataset.state === %q`, state))
}

func (p person) click(selector string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

// again loads the orders again, and waits for them.
func (p person) again(calls int) {
	p.t.Helper()
	p.click("#again")
	p.await(fmt.Sprintf(`document.documentElement.dataset.calls === "%d"`, calls))
}

// open opens an application in a browser that has nothing of it, and waits
// until it knows that nobody is signed in.
func (p person) open(s lab.Strategy) {
	p.t.Helper()
	for _, origin := range []string{p.w.Origin(s.ID), p.w.Issuer()} {
		if err := p.b.Forget(p.t.Context(), origin); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.b.Go(p.t.Context(), p.w.Origin(s.ID)+"/"); err != nil {
		p.t.Fatal(err)
	}
	p.awaitState("out")
}

func (p person) signIn() {
	p.t.Helper()
	p.click("#sign-in")
	p.await(`document.querySelector("#password")`)
	p.do(fmt.Sprintf(`document.querySelector("#username").value = %q, document.querySelector("#password").value = %q, document.querySelector("#password").form.requestSubmit()`,
		strategy.Victim.Name, strategy.Victim.Password))
	const allow, in = `document.querySelector("button[value=allow]")`, `document.documentElement.dataset.state === "in"`
	p.await(allow + " || " + in)
	p.do(allow + `?.click()`) // asked once for each application
	p.awaitState("in")
}

// granted counts what was asked for at an endpoint of the provider, and granted.
func (p person) granted(path string) int {
	n := 0
	for _, v := range p.w.Visits(0) {
		if v.Method == "POST" && v.Path == path && v.Status == 200 {
			n++
		}
	}
	return n
}

// brief is how long access tokens live here.
const brief = 2 * time.Second

// What every application of the lab can do, whatever it keeps its tokens in.
func TestEveryApplicationSignsInCallsRenewsAndSignsOut(t *testing.T) {
	w := openLab(t, strategy.Config{AccessTokenLifetime: brief})
	v := newVictim(t)
	for _, s := range w.Strategies() {
		t.Run(s.ID, func(t *testing.T) {
			p := person{t, w, v}
			p.open(s)
			p.signIn()
			p.await(`document.querySelectorAll("#orders li").length === 3`)
			granted, expired := p.granted("/oauth/token"), time.Now().Add(brief)
			p.again(2)
			if s.ID != "implicit" { // which has no refresh token
				stage.Until(t, stage.Patience, "the token to end", func() bool { return time.Now().After(expired) })
				p.again(3)
				stage.Until(t, stage.Patience, "the token to be renewed", func() bool { return p.granted("/oauth/token") > granted })
			}
			revoked := p.granted("/revoke")
			p.click("#sign-out")
			p.awaitState("out")
			p.await(`document.querySelectorAll("#orders li").length === 0`)
			if s.ID != "cookie-jwt" { // whose server drops its cookies and leaves it at that
				stage.Until(t, stage.Patience, "the token to be revoked", func() bool { return p.granted("/revoke") > revoked })
			}
			p.click("#again")
			p.await(`document.querySelector("#status").textContent.includes("any more")`)
			p.awaitState("out")
		})
	}
}

// The implicit grant has no refresh token: once its token is dead to the API,
// which grants the issuer's clock some seconds, nobody is signed in.
func TestTheImplicitGrantEndsWithItsToken(t *testing.T) {
	w := openLab(t, strategy.Config{AccessTokenLifetime: brief, Strategies: pick(t, lab.FindStrategy, "implicit")})
	p := person{t, w, newVictim(t)}
	p.open(w.Strategies()[0])
	p.signIn()
	stage.Until(t, stage.Patience, "the token to end", func() bool {
		var state string
		p.click("#again")
		return p.b.Run(t.Context(), `document.documentElement.dataset.state`, &state) == nil && state == "out"
	})
	if p.granted("/oauth/token") != 0 {
		t.Error("it used the token endpoint")
	}
}

// A browser stops a service worker when it likes, and what that kept in its
// memory is gone: the page learns it by its next call.
func TestAServiceWorkerThatIsStoppedForgetsItsTokens(t *testing.T) {
	w := openLab(t, strategy.Config{Strategies: pick(t, lab.FindStrategy, "service-worker")})
	b := (&stage.Stage{Origin: w.Issuer()}).Browser(t)
	b.Forgive(func(stage.Message) bool { return true }) // a 401 is what this is about
	v := inspected{b.NewTab(t)}
	p := person{t, w, v}
	p.open(w.Strategies()[0])
	p.signIn()
	if err := p.b.Go(t.Context(), w.Origin("service-worker")+"/"); err != nil {
		t.Fatal(err)
	}
	p.awaitState("in") // it outlives the page
	stage.Do(v.tab, serviceworker.Enable, cdp.Empty{})
	stage.Do(v.tab, serviceworker.StopAllWorkers, cdp.Empty{})
	stage.Until(t, stage.Patience, "the worker to have stopped", func() bool { // it may answer a call yet
		var state string
		p.click("#again")
		return p.b.Run(t.Context(), `document.documentElement.dataset.state`, &state) == nil && state == "out"
	})
	p.click("#sign-in") // by the worker that was started for that call; the provider knows who it is
	p.awaitState("in")
}

// What keeps tokens in memory stores them nowhere else: the service worker, too,
// whose stores the page reads as well (BBA-60), and the page of a mediator,
// which needs none (BBA-42).
func TestNoStoreHasATokenThatIsKeptInMemory(t *testing.T) {
	w := openLab(t, strategy.Config{Strategies: pick(t, lab.FindStrategy,
		"js-closure", "wasm-memory", "web-worker", "service-worker", "token-mediating", "indexeddb")})
	v := newVictim(t)
	for _, s := range w.Strategies() {
		p := person{t, w, v}
		p.open(s)
		p.signIn()
		p.again(2)
		p.do(`(async () => {
			const done = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
			const found = [document.cookie, JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})];
			for (const {name} of await indexedDB.databases()) {
				const database = await done(indexedDB.open(name));
				for (const store of database.objectStoreNames) found.push(JSON.stringify(await done(database.transaction(store).objectStore(store).getAll())));
				database.close();
			}
			for (const name of await caches.keys()) {
				const cache = await caches.open(name);
				for (const request of await cache.keys()) found.push(request.url, await (await cache.match(request)).text());
			}
			document.documentElement.dataset.found = "stores: " + found.join("\n");
		})()`)
		p.await(`document.documentElement.dataset.found`)
		var found string
		if err := v.Run(t.Context(), `document.documentElement.dataset.found`, &found); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(found, "eyJ"); got != (s.ID == "indexeddb") {
			t.Errorf("%s: a token lies in a store: %t", s.ID, got)
		}
	}
}

// The key that DPoP's tokens are bound to lies in a store that every script
// reads, and none gets more of it than its use (BBA-62, BBA-64).
func TestNoScriptReadsTheKeyThatTokensAreBoundTo(t *testing.T) {
	w := openLab(t, strategy.Config{Strategies: pick(t, lab.FindStrategy, "dpop")})
	v := newVictim(t)
	p := person{t, w, v}
	p.open(w.Strategies()[0])
	p.signIn()
	p.do(`(async () => {
		const {store} = await import("/store.js");
		const {privateKey, publicKey} = await store("key").load();
		const shown = {public: (await crypto.subtle.exportKey("jwk", publicKey)).kty, text: JSON.stringify(privateKey), formats: []};
		for (const format of ["jwk", "pkcs8"]) {
			shown.formats.push(await crypto.subtle.exportKey(format, privateKey).then(() => "exported", (problem) => problem.name));
		}
		const signature = await crypto.subtle.sign({name: "ECDSA", hash: "SHA-256"}, privateKey, new Uint8Array(1));
		document.documentElement.dataset.key = JSON.stringify({...shown, signed: signature.byteLength});
	})()`)
	p.await(`document.documentElement.dataset.key`)
	var got string
	if err := v.Run(t.Context(), `document.documentElement.dataset.key`, &got); err != nil {
		t.Fatal(err)
	}
	if want := `{"public":"EC","text":"{}","formats":["InvalidAccessError","InvalidAccessError"],"signed":64}`; got != want {
		t.Errorf("script gets %s, want %s", got, want)
	}
	for _, visit := range w.Visits(0) {
		if visit.Host == strings.TrimPrefix(w.API(), "http://") && visit.Method == "GET" && visit.Status != 200 {
			t.Errorf("the API answered the page %d", visit.Status)
		}
	}
}

// inspected is a browser whose service workers can be stopped.
type inspected struct{ tab *stage.Tab }

func (i inspected) Go(_ context.Context, address string) error { return i.tab.TryGo(address) }

func (i inspected) Run(_ context.Context, expression string, out any) error {
	return i.tab.TryEval(expression, out)
}

func (i inspected) Cookies(context.Context, string) ([]*http.Cookie, error) {
	return nil, errors.ErrUnsupported
}

func (i inspected) Forget(context.Context, string) error { return nil } // it is new
