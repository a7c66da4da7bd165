package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// What the tests find of sessions on the pages.
const (
	deviceRows  = `#devices .device`
	otherDevice = `#devices .device button`
	lastCall    = `dialog#stay[open]`
	expired     = `.shell[data-state=expired]`
)

// shortIdle is long enough that a slow machine reaches a dialog before it is over.
const shortIdle = 16 * time.Second

// callsItself gives a tab's requests another user agent.
func callsItself(tab *stage.Tab, userAgent string) {
	stage.Do(tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent})
}

// another browser of alice's, on a page of the application.
func another(t *testing.T, s *stage.Stage, userAgent, path string) *stage.Tab {
	t.Helper()
	tab := s.Browser(t).NewTab(t)
	callsItself(tab, userAgent)
	tab.SignIn("alice", "wonderland", path)
	tab.WaitVisible(whoIsThere)
	return tab
}

const (
	firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safariOnIPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)

// ends waits until the session of a tab is over on the page, with nothing left
// of it.
func ends(t *testing.T, tab *stage.Tab) {
	t.Helper()
	tab.WaitVisible(expired)
	tab.WaitVisible(closedGate)
	tab.WaitGone(orderRows + ", " + whoIsThere + ", " + deviceRows)
}

// hide makes a tab believe that nobody sees it, and show that somebody does.
func hide(tab *stage.Tab) { seen(tab, "hidden") }
func show(tab *stage.Tab) { seen(tab, "visible") }

func seen(tab *stage.Tab, state string) {
	tab.Eval(fmt.Sprintf(`(Object.defineProperty(document, "visibilityState", {value: %q, configurable: true}), document.dispatchEvent(new Event("visibilitychange")), 1)`, state), nil)
}

func TestASessionIsEndedFromAnotherBrowser(t *testing.T) {
	s, _, tab := alice(t, stage.Options{}, "/session")
	victim := another(t, s, firefoxOnWindows, "/orders?page=2")
	victim.WaitVisible(orderRows)
	loaded := born(victim)

	tab.Reload()
	tab.Booted()
	tab.Wait(`document.querySelectorAll("` + deviceRows + `").length === 2`)
	tab.Wait(`document.querySelector("#devices").innerText.includes("Firefox on Windows")`)
	if text := tab.Text(deviceRows + ":has(.badge)"); text == "" || tab.Count(deviceRows+":has(.badge) button") != 0 {
		t.Errorf("which one is this? %q", text)
	}

	// With a keyboard: asked, kept, asked again, ended.
	tab.TabTo(otherDevice)
	tab.Enter()
	tab.Wait(`document.activeElement.id === "devices-confirm"`)
	tab.TabTo(`#devices .ask .quiet`)
	tab.Enter()
	tab.Wait(`document.activeElement.matches("` + otherDevice + `") && !document.querySelector("#devices .ask")`)
	tab.Enter()
	tab.Wait(`document.activeElement.id === "devices-confirm"`)
	tab.Enter()
	tab.Wait(`document.querySelector("#devices-notice").textContent === "Ended: Firefox on Windows."`)
	tab.Wait(`document.querySelectorAll("` + deviceRows + `").length === 1`)

	ends(t, victim)
	if born(victim) != loaded {
		t.Error("the other browser's page was loaded again: it did not hear of the end by itself")
	}
	if a := victim.Call("GET", "/api/orders"); a.Status != http.StatusUnauthorized {
		t.Errorf("the other browser's ticket is still good for %d", a.Status)
	}
	if a := tab.Call("GET", "/bff/user"); a.Status != http.StatusOK {
		t.Errorf("this browser is signed out too: %d", a.Status)
	}
}

func TestAllOtherSessionsAreEndedTogether(t *testing.T) {
	s, _, tab := alice(t, stage.Options{}, "/orders")
	others := []*stage.Tab{another(t, s, firefoxOnWindows, "/orders"), another(t, s, safariOnIPhone, "/session")}
	tab.Click(`header a[href="/session"]`)
	tab.Wait(`document.querySelectorAll("` + deviceRows + `").length === 3`)
	tab.Click("#devices-others")
	tab.Click("#devices-confirm")
	tab.Wait(`document.querySelectorAll("` + deviceRows + `").length === 1`)
	for _, other := range others {
		ends(t, other)
	}
	tab.WaitVisible(whoIsThere)
}

func TestTheLastCall(t *testing.T) {
	_, _, tab := alice(t, stage.Options{SessionIdle: shortIdle}, "/orders")
	tab.WaitVisible(orderRows)
	tab.Click("#order-item")

	// It is put, has the keyboard and keeps it, and "later" is an answer.
	tab.WaitVisible(lastCall)
	for range 4 {
		tab.Wait(`document.activeElement.closest("dialog") || document.activeElement === document.body`)
		tab.Type(kb.Tab)
	}
	tab.Wait(`document.querySelector("dialog#stay").getAttribute("role") === "alertdialog" && document.getElementById("stay-title").innerText === "Stay signed in?"`)
	tab.Type(kb.Escape)
	tab.WaitGone(lastCall)
	tab.Wait(`document.activeElement.id === "order-item"`)
	tab.WaitVisible(whoIsThere)

	// What ends the silence puts off the end; the next time the answer is yes.
	tab.Click(`nav a[href="/orders?page=2"]`)
	tab.Wait(`document.querySelector("td.item")`)
	tab.WaitVisible(lastCall)
	tab.Wait(`document.activeElement.id === "stay-yes"`)
	before := expiresIn(t, tab)
	tab.Enter()
	tab.WaitGone(lastCall)
	if after := expiresIn(t, tab); after <= before {
		t.Errorf("%v left before, %v after staying", before, after)
	}

	// And when there is none, the session ends.
	tab.WaitVisible(lastCall)
	tab.WaitFor(shortIdle+stage.Patience, `document.querySelector("`+expired+`")`)
	tab.WaitGone(lastCall)
	ends(t, tab)
}

// Staying cannot put off an absolute end. The page says so, and how to go on.
func TestTheLastCallOfAll(t *testing.T) {
	_, _, tab := alice(t, stage.Options{SessionIdle: shortIdle, SessionAbsolute: shortIdle}, "/orders?page=2")
	tab.WaitVisible(lastCall)
	tab.Click("#stay-yes")
	tab.WaitVisible(`a#stay-yes[href="/bff/login?returnUrl=%2Forders%3Fpage%3D2"]`)
	tab.Wait(`document.activeElement.id === "stay-yes"`)
	tab.Leave(tab.Enter)
	tab.Agree("/orders?page=2")
	tab.Booted()
	shows(tab, orderPage(t, tab, 20))
}

// expiresIn is what is left of the session, asked without using it.
func expiresIn(t *testing.T, tab *stage.Tab) time.Duration {
	t.Helper()
	a := tab.Call("GET", "/bff/user?slide=false")
	var claims []shared.Claim
	if err := json.Unmarshal([]byte(a.Body), &claims); err != nil {
		t.Fatalf("user: %d %s", a.Status, a.Body)
	}
	for _, claim := range claims {
		if seconds, ok := claim.Value.(float64); ok && claim.Type == shared.ClaimSessionExpiresIn {
			return time.Duration(seconds) * time.Second
		}
	}
	t.Fatalf("%s is not among %s", shared.ClaimSessionExpiresIn, a.Body)
	return 0
}

func TestTheLastCallIsPutOnceForAllTabs(t *testing.T) {
	_, b, first := alice(t, stage.Options{SessionIdle: shortIdle}, "/orders")
	second, hidden := b.NewTab(t), b.NewTab(t)
	for _, tab := range []*stage.Tab{second, hidden} {
		tab.Go("/orders")
		tab.WaitVisible(whoIsThere)
	}
	hide(hidden)
	first.WaitVisible(lastCall)
	second.WaitVisible(lastCall)
	if hidden.Count(lastCall) != 0 {
		t.Error("a tab that nobody sees puts the question")
	}

	// Yes in one tab is yes in all.
	first.Click("#stay-yes")
	first.WaitGone(lastCall)
	second.WaitGone(lastCall)
	show(hidden)
	hidden.Wait(`document.querySelector(".who a")`)
	if hidden.Count(lastCall) != 0 {
		t.Error("a tab asks again what was answered")
	}

	// So is "later".
	first.WaitVisible(lastCall)
	second.WaitVisible(lastCall)
	hidden.WaitVisible(lastCall)
	first.Type(kb.Escape)
	for _, tab := range []*stage.Tab{first, second, hidden} {
		tab.WaitGone(lastCall)
		tab.WaitVisible(whoIsThere)
	}
}

// Over HTTP/1.1 a browser has six connections to a host. Were every tab to
// hold a stream, the sixth would take the last.
func TestSixTabsHoldOneStream(t *testing.T) {
	_, b, first := alice(t, stage.Options{}, "/orders")
	tabs := []*stage.Tab{first}
	for range 6 {
		tab := b.NewTab(t)
		tab.Go("/orders")
		tab.WaitVisible(orderRows)
		tabs = append(tabs, tab)
	}
	for _, tab := range tabs {
		tab.Click(`nav a[href="/orders?page=2"]`)
		shows(tab, orderPage(t, tab, 20))
	}
	streams := func() (open, all int) {
		for _, e := range b.Sent(shared.PathEvents) {
			if all++; e.Status == http.StatusOK {
				open++
			}
		}
		return open, all
	}
	stage.Until(t, stage.Patience, "the one stream", func() bool { open, _ := streams(); return open == 1 })
	if _, all := streams(); all != 1 {
		t.Errorf("%d streams were asked for by %d tabs", all, len(tabs))
	}

	// When the one that holds it goes, another takes over, and hears the end.
	tabs[0].Go("about:blank")
	stage.Until(t, stage.Patience, "another tab to take over", func() bool { open, _ := streams(); return open > 1 })
	if a := tabs[1].Call("DELETE", shared.PathSessions+"/"+current(t, tabs[1])); a.Status != http.StatusNoContent {
		t.Fatalf("ending the session: %d %s", a.Status, a.Body)
	}
	for _, tab := range tabs[1:] {
		ends(t, tab)
	}
}

// current is the handle of the session a tab is in.
func current(t *testing.T, tab *stage.Tab) string {
	t.Helper()
	a := tab.Call("GET", shared.PathSessions)
	var devices []shared.Device
	if err := json.Unmarshal([]byte(a.Body), &devices); err != nil || a.Status != http.StatusOK {
		t.Fatalf("sessions: %d %s", a.Status, a.Body)
	}
	for _, one := range devices {
		if one.Current {
			return one.Handle
		}
	}
	t.Fatalf("none is current: %s", a.Body)
	return ""
}

// The chapter's last rule: a session that vanishes costs a sign-in, and no
// work. The page does not know yet: it listens to nothing here.
func TestAFormOutlivesItsSession(t *testing.T) {
	s, b, tab := alice(t, stage.Options{}, "/orders?page=3")
	b.ForgiveText(shared.PathEvents)
	b.ForgiveText("net::ERR_BLOCKED_BY_CLIENT")
	block(tab, "*://*:*"+shared.PathEvents)
	tab.Reload()
	tab.Booted()
	tab.WaitVisible(orderRows)
	block(tab, "*://*:*"+shared.PathEvents, "*://*:*"+shared.PathUser+"*") // who hears nothing asks
	tab.Click("#order-item")
	tab.Type("A hat with a brim")
	tab.Click("#order-quantity")
	tab.Type(kb.Backspace + "7")
	other := another(t, s, firefoxOnWindows, "/session")
	if a := other.Call("DELETE", shared.PathSessions+"/"+shared.HandleOthers); a.Status != http.StatusNoContent {
		t.Fatalf("ending the session: %d %s", a.Status, a.Body)
	}
	tab.Enter() // in the field: the form is sent
	tab.WaitVisible(closedGate)
	tab.Wait(`document.querySelector("main").innerText.includes("“A hat with a brim”")`)
	var refused int
	for _, e := range b.Sent("/api/orders") {
		if e.Method == http.MethodPost {
			refused = e.Status
		}
	}
	if refused != http.StatusUnauthorized {
		t.Errorf("the form was answered with %d", refused)
	}
	block(tab)

	tab.Follow(closedGate)
	tab.Agree("/orders?page=3")
	tab.Booted()
	shows(tab, orderPage(t, tab, 40))
	tab.Wait(`document.querySelector("#order-item").value === "A hat with a brim" && document.querySelector("#order-quantity").value === "7"`)
	tab.Click(".send button")
	tab.Wait(`document.querySelector("#order-notice").textContent === "Ordered: 7 × A hat with a brim."`)
	if got := orderPage(t, tab, 0); got.Total != 1201 || got.Orders[0].Item != "A hat with a brim" || got.Orders[0].Quantity != 7 {
		t.Errorf("the API keeps %+v of %d", got.Orders[0], got.Total)
	}
}

// A stream that breaks is mended by the page alone, and what it would have said
// meanwhile is found out.
func TestABrokenStreamIsMended(t *testing.T) {
	s, b, tab := alice(t, stage.Options{}, "/orders")
	b.ForgiveText("net::ERR_")
	tab.WaitVisible(orderRows)
	stage.Until(t, stage.Patience, "the stream", func() bool { return len(b.Sent(shared.PathEvents)) == 1 })
	other := another(t, s, firefoxOnWindows, "/session")
	b.Cut()
	if a := other.Call("DELETE", shared.PathSessions+"/"+shared.HandleOthers); a.Status != http.StatusNoContent {
		t.Fatalf("ending the session: %d %s", a.Status, a.Body)
	}
	b.Mend()
	ends(t, tab)
}

func TestTheFourClocks(t *testing.T) {
	_, _, tab := alice(t, stage.Options{AccessTokenLifetime: time.Hour}, "/session")
	for _, id := range []string{"idle", "absolute", "access", "refresh"} {
		tab.WaitVisible(`[data-lifetime=` + id + `] dt`)
	}
	tab.Wait(`document.querySelector("[data-lifetime=idle] .timer").innerText.startsWith("29 min")`)
	tab.Wait(`document.querySelector("[data-lifetime=absolute] .timer").innerText.startsWith("11 h")`)
	tab.Wait(`document.querySelector("[data-lifetime=access] .timer").innerText.startsWith("59 min")`)
}
