package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared/problem"
)

// faults is what is wrong with a page for those who use it without a mouse,
// with a screen reader, on a small screen or with weak eyes: one sentence each.
// Colours are put through a canvas, whatever notation they are written in.
const faults = `(() => {
  const out = [];
  const shown = (e) => e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && e.getClientRects().length > 0;
  const name = (e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (typeof e.className === "string" && e.className ? "." + e.className.trim().replace(/\s+/g, ".") : "");
  const all = (selector) => Array.from(document.querySelectorAll(selector)).filter(shown);

  if (document.querySelectorAll("h1").length !== 1) out.push("there are " + document.querySelectorAll("h1").length + " h1");
  if (all("main").length !== 1) out.push("there are " + all("main").length + " main landmarks");
  if (!document.documentElement.lang) out.push("no language is named");
  if (!document.title) out.push("the page has no title");
  let level = 0;
  for (const h of all("h1, h2, h3, h4, h5, h6")) {
    const now = Number(h.tagName[1]);
    if (now > level + 1) out.push(name(h) + " skips a level of headings: " + h.textContent);
    level = now;
  }
  const ids = Array.from(document.querySelectorAll("[id]"), (e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) out.push("the id " + id + " is given twice");

  const label = (e) => (e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ") ||
    Array.from(e.labels ?? [], (l) => l.textContent).join(" ") || (["A", "BUTTON", "SUMMARY"].includes(e.tagName) ? e.textContent : "") || e.querySelector?.("img")?.alt || "").trim();
  for (const e of all("input:not([type=hidden]), textarea, select, button, a[href], summary")) if (!label(e)) out.push(name(e) + " has no name");
  for (const e of all("img")) if (!e.hasAttribute("alt")) out.push(name(e) + " has no alt");
  for (const e of all("svg")) if (e.getAttribute("aria-hidden") !== "true" && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby") && !e.querySelector("title")) out.push(name(e) + " is a picture without a name");
  for (const e of document.querySelectorAll("[aria-describedby]")) for (const id of e.getAttribute("aria-describedby").split(" ")) if (!document.getElementById(id)) out.push(name(e) + " is described by " + id + ", which is not there");
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) out.push(name(e) + " has a tabindex of " + e.tabIndex);

  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) {
    const guilty = all("body *").filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 3).map(name);
    out.push("the page scrolls sideways by " + wide + " px: " + guilty.join(", "));
  }
  for (const e of all("main a.button, main button, nav a")) {
    const r = e.getBoundingClientRect();
    if (r.width < 24 || r.height < 24) out.push(name(e) + " is a target of " + Math.round(r.width) + " by " + Math.round(r.height) + " px");
  }

  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null; // no single colour
      const color = rgba(style.backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    const paper = matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(document.documentElement).colorScheme.includes("dark") ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reverse().reduce((below, layer) => over(layer, below), paper);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const weak = new Map();
  let checked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e || !shown(e) || e.closest("svg, noscript, script, .aside, [aria-hidden=true], :disabled, .off")) continue;
    const below = ground(e);
    if (!below) continue;
    const style = getComputedStyle(e);
    let text = over(rgba(style.color), below);
    for (let at = e; at; at = at.parentElement) { const o = Number(getComputedStyle(at).opacity); if (o < 1) text = over([text[0], text[1], text[2], o], below); }
    const [a, b] = [light(text), light(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    checked++;
    if (ratio < (large ? 3 : 4.5)) weak.set(name(e), ratio.toFixed(2) + " (" + walker.currentNode.data.trim().slice(0, 30) + ")");
  }
  for (const [who, ratio] of weak) out.push(who + " has a contrast of " + ratio);
  if (checked < 3) out.push("only " + checked + " texts were checked for contrast");
  return out;
})()`

// noFaults looks at the page as it is, narrow and wide, light and dark.
func noFaults(t *testing.T, tab *stage.Tab, page string) {
	t.Helper()
	for _, width := range []int{360, 1280} {
		for _, dark := range []bool{false, true} {
			tab.Look(width, 800, dark)
			tab.Wait(fmt.Sprintf(`matchMedia("(width: %dpx)").matches && matchMedia("(prefers-color-scheme: dark)").matches === %v`, width, dark))
			tab.Loaded()
			var list []string
			tab.Eval(faults, &list)
			for _, fault := range list {
				t.Errorf("%s at %d px, dark %v: %s", page, width, dark, fault)
			}
		}
	}
}

// sensibleFocus checks that the keyboard goes through a page in the order in
// which it is read, starts with the way past the navigation, and that one sees
// where it is.
func sensibleFocus(t *testing.T, tab *stage.Tab, page string) {
	t.Helper()
	tab.Look(1280, 900, false)
	tab.Eval(`(document.activeElement?.blur(), getSelection().removeAllRanges(), window.scrollTo(0, 0), 1)`, nil)
	var last, here struct {
		At, Of  int
		Outline bool
		Name    string
	}
	for n := range 25 {
		tab.Type("\t")
		tab.Eval(`(() => {
			const order = Array.from(document.querySelectorAll("a[href], button, input:not([type=hidden]), summary, [tabindex]"));
			const e = document.activeElement, style = getComputedStyle(e);
			return {At: order.indexOf(e), Of: order.length, Name: e.outerHTML.slice(0, 80),
				Outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== "none"};
		})()`, &here)
		if here.At < 0 {
			return // past the end of the page
		}
		if n == 0 && !strings.Contains(here.Name, "skip") {
			t.Errorf("%s: the first stop is %s", page, here.Name)
		}
		if n > 0 && here.At <= last.At {
			return // around, from the end
		}
		if !here.Outline {
			t.Errorf("%s: one does not see that the keyboard is at %s", page, here.Name)
		}
		last = here
	}
}

func TestThePagesAreForEverybody(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	tab := b.NewTab(t)
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			tab.Go("/bff/login")
			tab.WaitVisible("#password")
			noFaults(t, tab, "the provider's sign-in")
			tab.Authenticate("alice", "wonderland")
			tab.WaitVisible("button[value=allow]")
			noFaults(t, tab, "the provider's consent")
			tab.Agree("/")
		}
		for _, path := range []string{"/", "/orders", "/session", "/inspector", "/nowhere"} {
			b.ForgiveText("404 (Not Found)")
			tab.Go(path)
			tab.Booted()
			tab.Wait(`!document.querySelector("main .bones")`)
			page := fmt.Sprintf("%s, signed in %v,", path, signedIn)
			noFaults(t, tab, page)
			sensibleFocus(t, tab, page)
		}
	}

	// What appears only sometimes: complaints about a form, a question.
	tab.Go("/orders")
	tab.WaitVisible(orderRows)
	tab.Click("#order-item")
	tab.Enter()
	tab.Wait(`document.querySelector("#order-item[aria-invalid=true]")`)
	tab.Click(orderRows + " button")
	tab.WaitVisible("#order-confirm")
	noFaults(t, tab, "/orders with a complaint and a question")

	another(t, s, firefoxOnWindows, "/session")
	tab.Go("/session")
	tab.Click(otherDevice)
	tab.WaitVisible("#devices-confirm")
	noFaults(t, tab, "/session with a question")

	b.ForgiveText("400 (Bad Request)")
	tab.Go("/bff/callback?state=none")
	errorPage(t, b, tab, problem.LoginStateInvalid)
	noFaults(t, tab, "the error page")
}

func TestTheLastCallIsForEverybody(t *testing.T) {
	_, _, tab := alice(t, stage.Options{SessionIdle: 30 * time.Second, SessionAbsolute: 30 * time.Second}, "/orders")
	tab.WaitFor(time.Minute, `document.querySelector("`+lastCall+`")`)
	noFaults(t, tab, "the last call")
	tab.Click("#stay-yes")
	tab.WaitVisible("a#stay-yes")
	noFaults(t, tab, "the last call of all")
}

func TestTheAccessibilityCheckFindsFaults(t *testing.T) {
	tab := stage.Open(t, stage.Options{}).Browser(t).NewTab(t)
	tab.Go("/")
	tab.Booted()
	for fault, script := range map[string]string{
		"2 h1":            `document.querySelector("main").append(document.createElement("h1"))`,
		"has no name":     `document.querySelector("main").append(document.createElement("input"))`,
		"contrast of":     `(() => { const p = document.createElement("p"); p.textContent = "pale"; document.querySelector("main").append(p); p.style.color = "#bbb"; p.style.background = "#fff"; })()`,
		"scrolls":         `(() => { const p = document.createElement("div"); document.querySelector("main").append(p); p.style.width = "3000px"; p.style.height = "1px"; })()`,
		"tabindex of":     `document.querySelector("main a").tabIndex = 4`,
		"is given twice":  `document.querySelector("main a").id = "main"`,
		"main landmarks":  `document.querySelector("footer").append(Object.assign(document.createElement("main"), {textContent: "x"}))`,
		"skips a level":   `document.querySelector("footer").append(Object.assign(document.createElement("h5"), {textContent: "x"}))`,
		"without a name":  `document.querySelector("svg").removeAttribute("aria-hidden")`,
		"no language":     `document.documentElement.lang = ""`,
		"is a target of ": `(() => { const b = document.createElement("button"); b.textContent = "x"; document.querySelector("main").append(b); b.style.cssText = "width: 5px; height: 5px; padding: 0; min-width: 0; min-height: 0"; })()`,
	} {
		tab.Reload()
		tab.Booted()
		tab.Eval("("+script+", 1)", nil)
		var list []string
		tab.Eval(faults, &list)
		if !strings.Contains(strings.Join(list, "\n"), fault) {
			t.Errorf("%q was not found, but %q", fault, list)
		}
	}
}
