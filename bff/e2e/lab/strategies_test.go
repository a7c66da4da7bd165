package lab_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
	var shown string
	deadline := time.Now().Add(stage.Patience)
	for time.Now().Before(deadline) {
		err := p.b.Run(p.t.Context(), `(document.documentElement.dataset.state ?? "") + ": " + (document.querySelector("#status")?.textContent ?? "")`, &shown)
		if err == nil && strings.HasPrefix(shown, state+":") {
			return
		}
	}
	p.t.Fatalf("the page is %q, want %q", shown, state)
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
			stage.Until(t, stage.Patience, "the token to end", func() bool { return time.Now().After(expired) })
			p.again(3)
			if p.granted("/oauth/token") <= granted {
				t.Error("the token was not renewed")
			}
			revoked := p.granted("/revoke")
			p.click("#sign-out")
			p.awaitState("out")
			p.await(`document.querySelectorAll("#orders li").length === 0`)
			stage.Until(t, stage.Patience, "the refresh token to be revoked", func() bool { return p.granted("/revoke") > revoked })
			p.click("#again")
			p.await(`document.querySelector("#status").textContent.includes("any more")`)
			p.awaitState("out")
		})
	}
}
