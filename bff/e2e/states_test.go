package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// block keeps the browser from fetching what matches, as a wall in between would.
func block(tab *stage.Tab, patterns ...string) {
	list := []*network.BlockPattern{}
	for _, pattern := range patterns {
		list = append(list, &network.BlockPattern{URLPattern: pattern, Block: true})
	}
	stage.Do(tab, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: list})
}

// A page is drawn before anybody knows who is there, and must not guess.
func TestStateUnknown(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	tab := b.NewTab(t)
	block(tab, "*://*:*/web/*/app.wasm")
	b.ForgiveText("app.wasm")
	b.ForgiveText("Failed to fetch")
	for _, path := range []string{"/", "/orders", "/session", "/inspector"} {
		tab.Go(path)
		tab.WaitVisible("h1")
		if tab.Count(".who .bone") != 1 || tab.Count(signInLink+", "+whoIsThere) != 0 {
			t.Errorf("%s claims to know who is there: %q", path, tab.Text(".who"))
		}
		if tab.Count(closedGate) != 0 {
			t.Errorf("%s is closed before anybody was asked", path)
		}
	}
}

func TestStateSignedOut(t *testing.T) {
	tab := stage.Open(t, stage.Options{}).Browser(t).NewTab(t)
	for _, path := range []string{"/", "/orders", "/session", "/inspector"} {
		tab.Go(path)
		tab.Booted()
		tab.WaitVisible(signInLink)
		if path != "/" {
			tab.WaitVisible(closedGate)
		}
		if tab.Count(whoIsThere+", "+orderRows+", "+logoutLink) != 0 {
			t.Errorf("%s shows what only a signed-in user sees", path)
		}
	}
}

// The provider takes the grant back; with the next renewal the session is over.
func TestStateExpired(t *testing.T) {
	s, _, tab := alice(t, stage.Options{AccessTokenLifetime: 2 * time.Second}, "/orders")
	tab.WaitVisible(orderRows)
	tab.Click("#order-item")
	tab.Type("half an order")
	for _, family := range s.Demo.IDP.Families() {
		s.Demo.IDP.Revoke(family.ID)
	}
	outlive(t, s)
	tab.Click(`nav a[href="/orders?page=2"]`)
	tab.WaitVisible(closedGate)
	if tab.Count(orderRows) != 0 || tab.Count(whoIsThere) != 0 {
		t.Error("the page still shows what was there")
	}

	// Signed in again, one stands where one stood, with what one had typed.
	tab.Follow(closedGate)
	tab.Agree("/orders?page=2")
	tab.Booted()
	shows(tab, orderPage(t, tab, 20))
	tab.Wait(`document.querySelector("#order-item").value === "half an order"`)
}

// A ticket that is gone is like a session that is over.
func TestStateExpiredByALostCookie(t *testing.T) {
	_, _, tab := alice(t, stage.Options{}, "/orders")
	tab.WaitVisible(orderRows)
	stage.Do(tab, network.ClearBrowserCookies, struct{}{})
	tab.Click(`nav a[href="/orders?page=2"]`)
	tab.WaitVisible(closedGate)
}

// Nobody is signed out because a server is down.
func TestStateServerDown(t *testing.T) {
	_, b, tab := alice(t, stage.Options{}, "/orders")
	b.ForgiveText("net::ERR_")
	tab.WaitVisible(orderRows)
	ticket := tab.Cookie(shared.CookieName).Value
	b.Cut()
	tab.Click(`nav a[href="/orders?page=2"]`)
	tab.WaitVisible(serverGone)
	if tab.Count(closedGate) != 0 || tab.Count(signInLink) != 0 {
		t.Error("the user is asked to sign in")
	}
	if c := tab.Cookie(shared.CookieName); c == nil || c.Value != ticket {
		t.Error("the ticket was not kept")
	}
	b.Mend()
	tab.Eval(`void document.querySelector("`+serverGone+` button")?.click()`, nil) // the page tries by itself, too, and may be there first
	tab.WaitVisible(whoIsThere)
	tab.WaitGone(serverGone)
	shows(tab, orderPage(t, tab, 20))
}

// Without a word from the server a page does not know who is there, says so,
// and finds out by itself.
func TestStateServerDownFromTheStart(t *testing.T) {
	_, b, tab := alice(t, stage.Options{}, "/")
	b.ForgiveText("net::ERR_")
	block(tab, "*://*:*/bff/user*")
	tab.Go("/orders")
	tab.WaitVisible("main .gate .down button")
	if tab.Count(closedGate) != 0 || tab.Count(signInLink) != 0 {
		t.Error("the user is asked to sign in")
	}
	block(tab)
	tab.WaitVisible(orderRows) // the page tries again
}
