package main

import (
	"context"
	"os"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/lab/live"
	"cloakroom/bff/servers"
)

// scenes are the demo from beginning to end, a world of its own each.
var scenes = []struct {
	name string
	play func(*session)
}{
	{"unknown", unknown}, {"signed-out", signedOut}, {"signed-in", signedIn}, {"sessions", sessions},
	{"last-call", lastCall}, {"expired", expired}, {"down", down}, {"errors", errors},
	{"matrix", matrix}, {"try", try}, {"topologies", topologies},
}

const gate = `main .gate a[href^="/bff/login"]`

var pages = []struct{ name, path string }{{"home", "/"}, {"orders", "/orders"}, {"session", "/session"}, {"inspector", "/inspector"}, {"lab", "/lab"}, {"try", "/lab/try"}, {"topologies", "/lab/topologies"}}

func open(s *session, o stage.Options) (*stage.Stage, *stage.Browser, *stage.Tab) {
	world := stage.Open(s, o)
	b := world.Browser(s)
	b.Forgive(func(m stage.Message) bool { return m.Source == "network" })
	return world, b, b.NewTab(s)
}

func block(tab *stage.Tab, patterns ...string) {
	list := []*network.BlockPattern{}
	for _, pattern := range patterns {
		list = append(list, &network.BlockPattern{URLPattern: pattern, Block: true})
	}
	stage.Do(tab, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: list})
}

// unknown is what is seen until the program has loaded.
func unknown(s *session) {
	_, b, tab := open(s, stage.Options{})
	b.Forgive(func(stage.Message) bool { return true }) // go-app complains that the program does not come
	block(tab, "*://*:*/web/*/app.wasm")
	for _, page := range pages {
		tab.Go(page.path)
		tab.WaitVisible("h1")
		s.take(tab, page.name+"-unknown")
	}
}

func signedOut(s *session) {
	_, _, tab := open(s, stage.Options{})
	for _, page := range pages {
		tab.Go(page.path)
		tab.Booted()
		tab.Wait(`!document.querySelector("main .bones")`)
		s.take(tab, page.name+"-signed-out")
	}
	tab.Go("/nowhere")
	tab.Booted()
	s.take(tab, "not-found")
}

func signedIn(s *session) {
	_, _, tab := open(s, stage.Options{})
	tab.Go("/bff/login?returnUrl=/")
	tab.WaitVisible("#password")
	s.take(tab, "provider-sign-in")
	tab.Authenticate("alice", "looking-glass")
	tab.WaitVisible("[role=alert]")
	s.take(tab, "provider-wrong-password")
	tab.Authenticate("alice", "wonderland")
	tab.WaitVisible("button[value=allow]")
	s.take(tab, "provider-consent")
	tab.Agree("/")
	for _, page := range pages {
		tab.Go(page.path)
		tab.Booted()
		tab.Wait(`!document.querySelector("main .bones")`)
		s.take(tab, page.name+"-signed-in")
	}
	inspect(s, tab)
	change(s, tab)
}

func inspect(s *session, tab *stage.Tab) {
	tab.Eval(`document.querySelectorAll("#reach details").forEach((d) => { d.open = true; })`+", 1", nil)
	s.take(tab, "inspector-opened")
	tab.Eval(`(localStorage.setItem("access_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl"), 1)`, nil)
	tab.Click("#scan-again")
	tab.WaitVisible("#reach [data-source=localStorage].alarm")
	s.take(tab, "inspector-alarm")
	tab.Eval(`(localStorage.clear(), 1)`, nil)
}

func change(s *session, tab *stage.Tab) {
	const row = "main table tbody tr:not(.saving)"
	tab.Go("/orders?page=7")
	tab.WaitVisible(row)
	s.take(tab, "orders-page-7")
	tab.Go("/orders")
	tab.WaitVisible(row)
	tab.Click("#order-item")
	tab.Type("\r")
	tab.Wait(`document.querySelector("#order-item[aria-invalid=true]")`)
	s.take(tab, "orders-complaint")
	tab.Click("#order-item")
	tab.Type("A hook for a hat with a name that is far longer than the names of hooks commonly are, to see it break\r")
	tab.Wait(`document.querySelector("#order-notice").textContent !== ""`)
	s.take(tab, "orders-added")
	tab.Click(row + " button")
	tab.WaitVisible("#order-confirm")
	s.take(tab, "orders-question")
	tab.Go("/orders?page=4000")
	tab.WaitVisible("main .hollow")
	s.take(tab, "orders-no-such-page")
}

// sessions are three of one person.
func sessions(s *session) {
	world, _, tab := open(s, stage.Options{})
	for _, userAgent := range []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
	} {
		other := world.Browser(s).NewTab(s)
		stage.Do(other, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent})
		other.SignIn("alice", "wonderland", "/")
	}
	tab.SignIn("alice", "wonderland", "/session")
	tab.Wait(`document.querySelectorAll("#devices .device").length === 3`)
	s.take(tab, "sessions")
	tab.Click("#devices .device button")
	tab.WaitVisible("#devices-confirm")
	s.take(tab, "sessions-question")
	tab.Click("#devices-others")
	tab.WaitVisible("#devices .list-head #devices-confirm")
	s.take(tab, "sessions-question-others")
	tab.Click("#devices-confirm")
	tab.Wait(`document.querySelectorAll("#devices .device").length === 1`)
	s.take(tab, "sessions-ended")
	block(tab, "*://*:*/bff/sessions")
	tab.Reload()
	tab.WaitVisible("#devices .hollow")
	s.take(tab, "sessions-failed")
}

// lastCall is what is asked before a session ends.
func lastCall(s *session) {
	_, b, tab := open(s, stage.Options{SessionIdle: time.Minute, SessionAbsolute: time.Minute})
	tab.SignIn("alice", "wonderland", "/orders")
	tab.WaitVisible("main table")
	tab.WaitFor(time.Minute, `document.querySelector("dialog[open]")`)
	s.take(tab, "last-call")
	b.Cut()
	tab.Click("#stay-yes")
	tab.WaitVisible("dialog .notice.bad")
	s.take(tab, "last-call-failed")
	b.Mend()
	tab.Click("#stay-yes")
	tab.WaitVisible("a#stay-yes")
	s.take(tab, "last-call-final")
}

func expired(s *session) {
	world, _, tab := open(s, stage.Options{AccessTokenLifetime: time.Second})
	for _, page := range pages[1:3] {
		tab.SignIn("alice", "wonderland", "/orders")
		tab.Click("#order-item")
		tab.Type("half an order")
		for _, family := range world.Demo.IDP.Families() {
			world.Demo.IDP.Revoke(family.ID)
		}
		// With the next renewal the session is over, and the page is told.
		stage.Until(s, stage.Patience, "the session to end", func() bool { return tab.Call("GET", "/api/orders").Status == 401 })
		tab.WaitVisible(gate)
		if page.path != "/orders" {
			tab.Click(`header a[href="` + page.path + `"]`)
			tab.WaitVisible(gate)
		}
		s.take(tab, page.name+"-expired")
	}
}

func down(s *session) {
	_, b, tab := open(s, stage.Options{})
	tab.SignIn("alice", "wonderland", "/orders")
	tab.WaitVisible("main table")
	b.Cut()
	tab.Click(`nav a[href="/orders?page=2"]`)
	tab.WaitVisible(".banner .down")
	s.take(tab, "orders-down")
	for _, page := range pages {
		if page.path == "/orders" {
			continue
		}
		tab.Click(`header a[href="` + page.path + `"]`)
		tab.WaitAt(page.path)
		s.take(tab, page.name+"-down")
	}
	b.Mend()
	block(tab, "*://*:*/bff/user*")
	tab.Go("/session")
	tab.WaitVisible("main .gate .down")
	s.take(tab, "session-down-unknown")
	tab.Go("/")
	tab.WaitVisible("main .down")
	s.take(tab, "home-down-unknown")
}

func errors(s *session) {
	world, _, tab := open(s, stage.Options{})
	tab.Go("/bff/login")
	tab.Authenticate("bob", "builder")
	tab.Click("button[value=deny]")
	tab.WaitVisible("p.code")
	s.take(tab, "error-denied")
	tab.Go("/bff/callback?state=none")
	tab.WaitVisible("p.code")
	s.take(tab, "error-state")
	tab.Go("/bff/login?returnUrl=https://elsewhere.example/")
	tab.WaitVisible("p.code")
	s.take(tab, "error-return-url")
	tab.Go("/bff/login")
	tab.WaitVisible("button[value=allow]")
	world.Demo.IDP.SetFault(idp.FaultTokenError)
	tab.Click("button[value=allow]")
	tab.WaitVisible("p.code")
	s.take(tab, "error-provider")
	world.Demo.IDP.SetFault(idp.FaultNone)
	tab.Go(world.IDPOrigin + "/interaction?request=none")
	tab.WaitVisible("h1")
	s.take(tab, "provider-error")
	tab.SignIn("bob", "builder", "/session")
	tab.Go(world.IDPOrigin + "/end_session?client_id=cloakroom-demo")
	tab.WaitVisible("button")
	s.take(tab, "provider-sign-out")
}

// matrix is the lab's report, with what opens in it.
func matrix(s *session) {
	_, _, tab := open(s, stage.Options{})
	tab.Go("/lab")
	tab.WaitVisible("#attacks a.box")
	tab.Eval(`(document.querySelectorAll("#attacks a.box")[7].focus(), 1)`, nil)
	tab.Wait(`!document.querySelector("#reason").textContent.startsWith("Point")`)
	s.take(tab, "matrix-reason")
	tab.Eval(`(document.querySelector("#lab-verdict").value = "held", document.querySelector("#lab-verdict").dispatchEvent(new Event("change", {bubbles: true})), 1)`, nil)
	tab.WaitVisible("#attacks a.box.muted")
	s.take(tab, "matrix-held")
	tab.Click("#lab-text")
	tab.Type("zebra")
	tab.WaitVisible("main .hollow")
	s.take(tab, "matrix-nothing")
	for name, cell := range map[string]string{"broken": "local-storage,A1", "held": "bff-memory,X1", "unknown": "nowhere,A1"} {
		tab.Go("/lab?cell=" + cell)
		tab.WaitVisible("dialog#evidence")
		s.take(tab, "matrix-evidence-"+name)
	}
	block(tab, "*://*:*/web/*/lab/strategies.json")
	tab.Go("/lab")
	tab.WaitVisible("main .hollow")
	s.take(tab, "matrix-failed")
}

// try is an attack from its choice to its verdict.
func try(s *session) {
	lab, err := live.Open(live.Config{})
	if err != nil {
		s.Fatalf("open the lab: %v", err)
	}
	s.Cleanup(func() { _ = lab.Close() })
	_, b, tab := open(s, stage.Options{Lab: lab.Upstream()})
	b.Forgive(func(stage.Message) bool { return true })
	tab.Go("/lab/try?strategy=bff-memory&attack=X1")
	tab.WaitVisible("#try-start")
	s.take(tab, "try-not-here")
	tab.Go("/lab/try?strategy=local-storage&attack=A1")
	tab.WaitVisible("#try-start:not([disabled])")
	s.take(tab, "try-choice")
	victim := tab.Opened("http://idp.lab.localhost:", func() { tab.Click("#try-start") })
	tab.WaitVisible("#run .notice.turn")
	s.take(tab, "try-your-turn")
	victim.Authenticate("alice", "wonderland")
	victim.Click("button[value=allow]")
	tab.WaitFor(time.Minute, `document.querySelector("#run[data-phase=done]")`)
	s.take(tab, "try-verdict")
}

// topologies are the choice of one, and some with something happening to them.
func topologies(s *session) {
	build := servers.NewStage(context.Background(), os.Stderr)
	program := ""
	if err := build.Try(func() { program = servers.Build(build, "../..", "./bff", "cloakroom") }); err != nil {
		s.Fatalf("build the program: %v", err)
	}
	world := stage.OpenPlayground(s, program)
	b := world.Browser(s)
	b.Forgive(func(stage.Message) bool { return true })
	tab := b.NewTab(s)
	tab.Go("/lab/topologies")
	tab.WaitVisible("#start-memory-1")
	s.take(tab, "topologies-choice")
	for _, one := range []struct {
		id, name string
		play     func()
	}{
		{"memory-n-round-robin", "round-robin", func() {
			for range 6 {
				tab.Click("#play-call")
				tab.Wait(`!document.querySelector("#play-call[aria-disabled]")`)
				if tab.Text("#gone") != "" {
					break
				}
			}
			s.take(tab, "topologies-lost")
		}},
		{"memory-n-sticky-app-cookie", "sticky", func() {
			tab.Click("#event-kill-app")
			tab.Wait(`document.querySelector("#gone").textContent !== ""`)
			tab.Click("#play-call")
			tab.Wait(`document.querySelector("#called").textContent !== "" && document.querySelector("#play-sign-in")`)
			s.take(tab, "topologies-dead")
		}},
		{"redis-sentinel-n", "sentinel", func() {
			tab.Click("#event-failover")
			tab.Wait(`document.querySelector("#log").textContent.includes("is the primary now")`)
			s.take(tab, "topologies-failover")
		}},
		{"memory-n-replicated", "replicated", func() {}},
		{"redis-n-sticky-near-cache", "near-cache", func() {
			tab.Click("#event-cut-store")
			tab.Wait(`document.querySelector("#log").textContent.includes("is cut from the store")`)
			tab.Eval(`(document.querySelector("#play-call").click(), 1)`, nil)
			tab.Wait(`document.querySelector("#called").textContent.startsWith("Call 2")`)
			s.take(tab, "topologies-cut")
		}},
		{"cookie-n-round-robin", "browser", func() {
			tab.Click("#event-provider-down")
			tab.Wait(`document.querySelector("#log").textContent.includes("refuses connections")`)
			tab.Click("#event-flush-store")
			tab.Wait(`document.querySelector("#log").textContent.includes("flushed")`)
			s.take(tab, "topologies-provider-down")
		}},
		{"file-1", "file", func() {
			tab.Click("#event-kill-app")
			tab.Wait(`document.querySelector("#log").textContent.includes("was killed")`)
			tab.Eval(`(document.querySelector("#play-call").click(), 1)`, nil)
			tab.Wait(`document.querySelector("#called").textContent.startsWith("Call 2")`)
			s.take(tab, "topologies-nobody")
		}},
		{"redis-cluster-n", "cluster", func() {}},
	} {
		tab.Go("/lab/topologies")
		tab.Click("#start-" + one.id)
		tab.WaitFor(2*time.Minute, `location.host.startsWith("topology.") && document.querySelector("[data-play=running]")`)
		tab.Booted()
		if one.id == "memory-n-round-robin" {
			s.take(tab, "topologies-signed-out")
		}
		tab.Follow("#play-sign-in")
		tab.Wait(`document.querySelector("#password") || location.host.startsWith("topology.")`)
		if tab.Count("#password") > 0 {
			tab.Authenticate("alice", "wonderland")
		}
		tab.Wait(`document.querySelector("button[value=allow]") || location.host.startsWith("topology.")`)
		if tab.Count("button[value=allow]") > 0 {
			tab.Click("button[value=allow]")
		}
		tab.Wait(`document.querySelector("[data-play=running]")`)
		tab.Booted()
		tab.Click("#play-call")
		tab.Wait(`document.querySelector("#called").textContent !== ""`)
		time.Sleep(500 * time.Millisecond) // for the counters to be read
		s.take(tab, "topologies-"+one.name)
		one.play()
		tab.Click("#play-end")
		tab.WaitVisible("#start-memory-1")
	}
}
