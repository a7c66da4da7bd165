package e2e_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"cloakroom/bff/e2e/stage"
	payload "cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/live"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// committed is the report that is built into the application.
func committed(t *testing.T) lab.Report {
	t.Helper()
	file, err := os.ReadFile("../../static/web/lab/strategies.json")
	if err != nil {
		t.Fatal(err)
	}
	var report lab.Report
	if err := json.Unmarshal(file, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

const (
	boxes    = `#attacks a.box:not(.muted)`
	evidence = `dialog#evidence[open]`
)

// Nobody is signed in, and no mouse is touched.
func TestTheMatrixIsReadWithTheKeyboard(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	tab := s.Browser(t).NewTab(t)
	tab.Go("/lab")
	tab.Booted()
	tab.WaitVisible(boxes)
	report := committed(t)
	if n := tab.Count(boxes); n != len(report.Cells) {
		t.Errorf("%d boxes for %d cells", n, len(report.Cells))
	}
	noFaults(t, tab, "/lab")
	sensibleFocus(t, tab, "/lab")

	// One stop for all of the table, and arrows from there.
	tab.TabTo(`#attacks a.box`)
	focused := func() (id string) { tab.Eval(`document.activeElement.id`, &id); return id }
	first := focused()
	tab.Type(kb.ArrowRight)
	tab.Wait(`document.activeElement.id !== "` + first + `"`)
	right := focused()
	tab.Type(kb.ArrowDown)
	tab.Wait(`document.activeElement.id !== "` + right + `"`)
	tab.Type(kb.ArrowUp)
	tab.Wait(`document.activeElement.id === "` + right + `"`)
	var why, said string
	tab.Eval(`document.activeElement.ariaLabel`, &why)
	tab.Wait(`document.querySelector("#reason").textContent === document.activeElement.ariaLabel`)
	tab.Eval(`document.activeElement.querySelector(".word").textContent`, &said)
	if said == "" || !strings.Contains(why, said) {
		t.Errorf("%q says nothing of %q", why, said)
	}

	// Enter opens the evidence, at an address; Escape leads back to the box.
	box := focused()
	tab.Enter()
	tab.WaitVisible(evidence)
	tab.Wait(`location.search.startsWith("?cell=")`)
	var at struct{ URL, Inside, Title string }
	tab.Eval(`({URL: location.pathname + location.search, Inside: String(document.querySelector("dialog#evidence").contains(document.activeElement)), Title: document.querySelector("#evidence-title").textContent})`, &at)
	k := strings.Split(strings.TrimPrefix(at.URL, "/lab?cell="), ",")
	if len(k) != 2 || at.Inside != "true" || "cell-"+k[0]+"-"+k[1] != box {
		t.Fatalf("%+v for %s", at, box)
	}
	for _, c := range report.Cells {
		if c.Strategy != k[0] || c.Attack != k[1] {
			continue
		}
		text := tab.Text(evidence)
		for _, step := range c.Evidence.Steps {
			if !strings.Contains(text, step) {
				t.Errorf("%q is not shown", step)
			}
		}
		for _, loot := range c.Evidence.Taken {
			if !strings.Contains(text, loot.Fingerprint) {
				t.Errorf("what was taken is not shown: %+v", loot)
			}
		}
	}
	noFaults(t, tab, "the evidence")
	tab.Type(kb.Escape)
	tab.WaitGone(evidence)
	tab.WaitAt("/lab")
	tab.Wait(`document.activeElement.id === "` + box + `"`)

	tab.Go(at.URL)
	tab.WaitVisible(evidence + " #evidence-title")
	if title := tab.Text("#evidence-title"); title != at.Title {
		t.Errorf("by its address it is %q, not %q", title, at.Title)
	}
	tab.Click("#evidence-close")
	tab.WaitGone(evidence)
}

func TestTheMatrixIsFiltered(t *testing.T) {
	tab := stage.Open(t, stage.Options{}).Browser(t).NewTab(t)
	tab.Go("/lab")
	tab.WaitVisible(boxes)
	want := map[lab.Verdict]int{}
	for _, c := range committed(t).Cells {
		want[c.Verdict]++
	}
	for _, v := range []lab.Verdict{lab.Broken, lab.Held} {
		tab.Eval(`(document.querySelector("#lab-verdict").value = "`+string(v)+`", document.querySelector("#lab-verdict").dispatchEvent(new Event("change", {bubbles: true})), 1)`, nil)
		words := `Array.from(document.querySelectorAll("` + boxes + ` .word"), (e) => e.textContent)`
		tab.Wait(words + `.every((word) => word === "` + string(v) + `")`)
		var n int
		tab.Eval(words+".length", &n)
		if n != want[v] {
			t.Errorf("of %s there are %d, want %d", v, n, want[v])
		}
	}
	tab.Eval(`(document.querySelector("#lab-verdict").value = "every", document.querySelector("#lab-verdict").dispatchEvent(new Event("change", {bubbles: true})), 1)`, nil)
	tab.Wait(`!document.querySelector("#attacks a.box.muted")`)
	tab.Click("#lab-text")
	tab.Type("localstorage")
	tab.Wait(`Array.from(document.querySelectorAll("#attacks tbody tr"), (e) => e.dataset.strategy).join() === "local-storage"`)
	tab.Type(" that is not")
	tab.WaitVisible("main .hollow")
}

// A build without a report says so.
func TestAMissingReportIsSaid(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	b.ForgiveText("net::ERR_")
	b.ForgiveText("Failed to fetch")
	tab := b.NewTab(t)
	block(tab, "*://*:*/web/*/lab/strategies.json")
	tab.Go("/lab")
	tab.WaitVisible("main .hollow button")
	noFaults(t, tab, "/lab without an answer")
	block(tab)
	tab.Click("main .hollow button")
	tab.WaitVisible(boxes)
}

// openLive is a live lab that starts what it needs as the demo's does.
func openLive(t *testing.T) *live.Lab {
	t.Helper()
	m := machine.New(t.Context(), servers.Build(t, "../..", "./bff", "cloakroom"), os.Stderr)
	l, err := live.Open(live.Config{Cloakroom: m.Cloakroom, Store: m.Store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), m.Close()); err != nil {
			t.Errorf("end the lab: %v", err)
		}
	})
	return l
}

// A person chooses, presses start, signs in in the window that opens, and sees
// what it comes to: with the payload, the attacker and the judge of the lab.
func TestAnAttackIsTriedInThePersonsOwnBrowser(t *testing.T) {
	s := stage.Open(t, stage.Options{Lab: openLive(t).Upstream()})
	b := s.Browser(t)
	b.Forgive(func(m stage.Message) bool { return !strings.HasPrefix(m.URL, s.Origin) }) // attacks that fail are errors by nature
	for _, row := range []struct {
		order   lab.Order
		verdict lab.Verdict
		says    string
	}{
		{lab.Order{Strategy: "local-storage", Attack: "A1"}, lab.Broken, "for the access token from localStorage"},
		{lab.Order{Strategy: "bff-memory", Attack: "A1"}, lab.Held, "found nothing of use"},
		{lab.Order{Strategy: "bff-memory", Attack: "X10"}, lab.Broken, "for the cookie from cookie jar"},
		{lab.Order{Strategy: "local-storage", Attack: "A3"}, lab.Broken, "tokens"},
		{lab.Order{Strategy: "bff-memory", Attack: "X1"}, lab.Held, "403"},
		{lab.Order{Strategy: "cookie-jwt", Attack: "X3"}, lab.Broken, "went into the attacker's account"},
	} {
		name := row.order.Strategy + " " + row.order.Attack
		tab := b.NewTab(t)
		tab.Go("/lab/try?strategy=" + row.order.Strategy + "&attack=" + row.order.Attack)
		tab.WaitVisible("#try-start:not([disabled])")
		for _, p := range payload.Payloads(row.order.Attack) {
			if code := tab.Text(".payloads pre"); code != p.Code {
				t.Errorf("%s: the code that is shown is not that of %s", name, p.Name)
			}
		}
		victim := tab.Opened("http://idp.lab.localhost:", func() { tab.Click("#try-start") })
		tab.Wait(`document.querySelector("#run .notice.turn")?.textContent.includes("sign in as alice")`)
		if row.order.Attack == "A1" {
			noFaults(t, tab, "/lab/try while it runs")
		}
		victim.Authenticate("alice", "wonderland")
		victim.Wait(`document.querySelector("button[value=allow]") || !location.host.startsWith("idp.")`)
		if victim.Count("button[value=allow]") > 0 {
			victim.Click("button[value=allow]")
		}
		tab.WaitFor(time.Minute, `document.querySelector("#run[data-phase=done]")`)
		if text := tab.Text("#run"); tab.Count(`#run[data-verdict="`+string(row.verdict)+`"]`) != 1 || !strings.Contains(text, row.says) {
			t.Errorf("%s: want %s and %q in %s", name, row.verdict, row.says, text)
		}
	}
}

// Where there is no live lab, the page says where there is one.
func TestWithoutALiveLabThePageSaysSo(t *testing.T) {
	b := stage.Open(t, stage.Options{}).Browser(t)
	tab := b.NewTab(t)
	for _, page := range []string{"/lab/try", "/lab/topologies"} {
		tab.Go(page)
		tab.WaitVisible("main .hollow a")
		if text := tab.Text("main .hollow"); !strings.Contains(text, "cloakroom demo") {
			t.Error(text)
		}
		noFaults(t, tab, page+" without a lab")
	}
}
