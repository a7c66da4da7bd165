package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// patienceForServers bounds the start of a topology: several processes.
const patienceForServers = 3 * time.Minute

// openPlayground is a demo with topologies to play with, as the command makes it.
func openPlayground(t *testing.T) *stage.Stage {
	t.Helper()
	return stage.OpenPlayground(t, servers.Build(t, "../..", "./bff", "cloakroom"))
}

// play starts a topology from the catalogue and arrives at its own origin.
func play(t *testing.T, s *stage.Stage, tab *stage.Tab, id string) (origin string) {
	t.Helper()
	origin = strings.Replace(s.Origin, "localhost", lab.PlayHost, 1)
	tab.Go("/lab/topologies")
	tab.Click("#start-" + id)
	tab.WaitFor(patienceForServers, fmt.Sprintf(`location.origin === %q && document.querySelector("[data-play=running]")`, origin))
	tab.Booted()
	return origin
}

// signInHere takes the page's own way to sign in, and comes back to it.
func signInHere(tab *stage.Tab, back string) {
	tab.Follow("#play-sign-in")
	tab.Wait(`document.querySelector("#password") || document.querySelector("button[value=allow]") || location.host.startsWith("topology.")`)
	if tab.Count("#password") > 0 {
		tab.Authenticate("alice", "wonderland")
	}
	tab.Wait(`document.querySelector("button[value=allow]") || location.host.startsWith("topology.")`)
	if tab.Count("button[value=allow]") > 0 {
		tab.Click("button[value=allow]")
	}
	tab.WaitAt(back)
	tab.WaitVisible("[data-play=running]")
	tab.Booted()
}

// callUntil presses the page's button until a condition holds.
func callUntil(tab *stage.Tab, condition string) {
	for range 12 {
		var holds bool
		if tab.Eval(`!!(`+condition+`)`, &holds); holds {
			return
		}
		var before string
		tab.Eval(`document.querySelector("#called").textContent`, &before)
		tab.Click("#play-call")
		tab.Wait(fmt.Sprintf(`document.querySelector("#called").textContent !== %q || (%s)`, before, condition))
	}
	tab.Wait(condition)
}

// holder is the instance that has the session, as the control API has it.
func holder(t *testing.T, tab *stage.Tab) string {
	t.Helper()
	var play lab.Play
	stage.Until(t, stage.Patience, "somebody to have the session", func() bool {
		answer := tab.Call("GET", lab.PathPlay+"play?after=0")
		return json.Unmarshal([]byte(answer.Body), &play) == nil && len(play.You.At) > 0
	})
	return play.You.At[0]
}

// Each of three servers knows only whom it signed in: the person loses the
// session, reads why, and finds it again when their turn comes back.
func TestRoundRobinOverPrivateMemoryLosesTheSession(t *testing.T) {
	s := openPlayground(t)
	tab := s.Browser(t).NewTab(t)
	origin := play(t, s, tab, "memory-n-round-robin")
	noFaults(t, tab, "the topology, signed out")
	sensibleFocus(t, tab, "the topology, signed out")
	signInHere(tab, origin+"/lab/topologies")
	by := holder(t, tab)
	callUntil(tab, `document.querySelector("#gone").textContent.includes("has never seen your session")`)
	if text := tab.Text("#gone"); !strings.Contains(text, "it is in the memory of instance "+by) {
		t.Errorf("the session is at %s, and the page says %s", by, text)
	}
	tab.Wait(`document.querySelector("#log").textContent.includes("has never seen your session")`)
	noFaults(t, tab, "the topology, with the session not found")
	callUntil(tab, `document.querySelector("#called").textContent.includes("was answered")`)
}

// The balancer brings the person back to the instance that signed them in, until
// it dies. Then they sign in again and stand where they stood.
func TestAStickySessionDiesWithItsInstanceAndThePersonGoesOn(t *testing.T) {
	s := openPlayground(t)
	b := s.Browser(t)
	b.ForgiveText("ERR_INCOMPLETE_CHUNKED_ENCODING") // the stream of the instance that dies
	tab := b.NewTab(t)
	origin := play(t, s, tab, "memory-n-sticky-app-cookie")
	tab.Click("#play-auto")
	tab.Wait(`location.search === "?calls=auto"`)
	signInHere(tab, origin+"/lab/topologies?calls=auto")
	tab.Wait(`document.querySelector("#called").textContent.includes("was answered")`)
	by := holder(t, tab)
	for range 4 { // round robin would have missed it by now
		callUntil(tab, `document.querySelector("#last-hop").textContent.includes("instance `+by+`")`)
		if text := tab.Text("#gone"); text != "" {
			t.Fatalf("sticky, and all the same: %s", text)
		}
		tab.Click("#play-call")
	}
	tab.TabTo("#event-kill-app") // with the keyboard alone
	tab.Enter()
	tab.Wait(`document.querySelector("#gone").textContent.includes("Instance ` + by + ` was killed, and your session died with it")`)
	tab.Wait(`document.querySelector("#play-sign-in")?.textContent.includes("again")`)
	noFaults(t, tab, "the topology, with an instance dead")
	told := tab.Count("#log li")
	signInHere(tab, origin+"/lab/topologies?calls=auto")
	tab.Wait(`document.querySelector("#called").textContent.includes("was answered")`) // by itself, as before
	if now := holder(t, tab); now == by {
		t.Errorf("the new session is at %s, which is dead", now)
	}
	tab.Wait(fmt.Sprintf(`document.querySelectorAll("#log li").length > %d`, told))
	tab.Click("#play-mend")
	tab.Wait(`document.querySelector("#log").textContent.includes("Everything is put right")`)
}

// Where the session is in a store, an instance dies and nobody notices.
func TestASharedStoreLosesNothingWhenAnInstanceDies(t *testing.T) {
	s := openPlayground(t)
	b := s.Browser(t)
	b.ForgiveText("ERR_INCOMPLETE_CHUNKED_ENCODING")
	tab := b.NewTab(t)
	origin := play(t, s, tab, "redis-n-round-robin")
	signInHere(tab, origin+"/lab/topologies")
	tab.Click("#event-kill-app")
	tab.Wait(`document.querySelector("#log").textContent.includes("Instance a was killed.")`)
	seen := map[string]bool{}
	for n := range 6 {
		tab.Click("#play-call")
		tab.Wait(fmt.Sprintf(`document.querySelector("#called").textContent.startsWith("Call %d was answered")`, n+1))
		tab.Wait(`document.querySelector("#last-hop").textContent.includes("/api/orders: instance")`)
		for _, name := range []string{"a", "b", "c"} {
			if strings.Contains(tab.Text("#last-hop"), "/api/orders: instance "+name) {
				seen[name] = true
			}
		}
	}
	if seen["a"] || len(seen) == 0 {
		t.Errorf("served by %v", seen)
	}
	if text := tab.Text("#gone"); text != "" {
		t.Errorf("it is said to be gone: %s", text)
	}
	tab.Wait(`Array.from(document.querySelectorAll("svg.live path.hop:not(.idle)"), (e) => getComputedStyle(e).animationName).some((name) => name === "there-and-back" || name === "back-and-there")`)
	tab.Wait(`document.querySelector("svg.live").textContent.match(/[1-9][0-9]* r, /)`) // the store was read
	noFaults(t, tab, "the topology, with an instance dead")
}

// The control API is the demo's, in front of the balancer: guarded as all calls
// are, bounded, and there when no instance is.
func TestTheControlOfATopologyIsGuardedAndOutlivesItsInstances(t *testing.T) {
	s := openPlayground(t)
	b := s.Browser(t)
	for _, refused := range []string{"400 (Bad", "403 (Forbidden)", "503 (Service"} {
		b.ForgiveText(refused)
	}
	tab := b.NewTab(t)
	play(t, s, tab, "memory-1")
	const path = lab.PathPlay + "event"
	cue := `{"event": "kill-app"}`
	for name, options := range map[string]string{
		"without the header": `{method: "POST", body: '` + cue + `'}`,
		"a body too long":    `{method: "POST", headers: {"X-CSRF": "1"}, body: " ".repeat(5000) + '` + cue + `'}`,
		"an unknown field":   `{method: "POST", headers: {"X-CSRF": "1"}, body: '{"event": "kill-app", "signal": 9}'}`,
		"an unknown event":   `{method: "POST", headers: {"X-CSRF": "1"}, body: '{"event": "earthquake"}'}`,
		"an unknown server":  `{method: "POST", headers: {"X-CSRF": "1"}, body: '{"event": "kill-app", "server": "../../x"}'}`,
	} {
		if got := tab.Fetch(path, options); got.Status != 400 && got.Status != 403 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := tab.Fetch(path, `{method: "POST", headers: {"X-CSRF": "1"}, body: '`+cue+`'}`); got.Status != 204 {
		t.Fatalf("the cue: %d %s", got.Status, got.Body)
	}
	tab.Wait(`document.querySelector("#log").textContent.includes("Instance a was killed")`)
	if got := tab.Call("GET", "/bff/user"); got.Status != 503 || !strings.Contains(got.Body, "instance_unavailable") {
		t.Errorf("with nobody there: %d %s", got.Status, got.Body)
	}
	if got := tab.Call("GET", lab.PathPlay); got.Status != 200 || !strings.Contains(got.Body, `"phase":"running"`) {
		t.Errorf("the control: %d %s", got.Status, got.Body)
	}
	if got := tab.Call("POST", lab.PathPlay+"play"); got.Status != 400 {
		t.Errorf("a start without a choice: %d %s", got.Status, got.Body)
	}
	tab.Click("#play-end")
	tab.WaitAt("/lab/topologies")
	tab.WaitVisible("#start-memory-1")
}
