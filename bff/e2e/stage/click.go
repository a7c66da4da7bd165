package stage

import (
	"context"
	"fmt"

	"github.com/chromedp/chromedp"
)

// loaded is a condition: the page has come, and its program, if it has one, runs.
const loaded = `(document.readyState === "complete" && !document.querySelector("#app-wasm-loader-icon.goapp-spin"))`

// aim is a function of a selector: the point to click at, or why it is not to
// be clicked at yet. It waits for what a person waits for: the page has come and
// its program runs, the element is seen, takes a click, something was painted
// (Chromium drops input before that), it stands still from one frame to the next,
// by the clock that animations go by, and nothing lies over it. Before that the
// mouse may hit what will be elsewhere once the style sheet is there.
const aim = `(async (selector) => {
  const frame = () => new Promise(requestAnimationFrame);
  if (!` + loaded + `) return {Not: "the page has not loaded"};
  const e = document.querySelector(selector);
  if (!e) return {Not: "it is not there"};
  if (!e.checkVisibility({visibilityProperty: true}) || !e.getClientRects().length) return {Not: "it is not seen"};
  if (e.matches(":disabled, [aria-disabled=true]")) return {Not: "it is disabled"};
  e.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
  const box = () => { const {x, y, width, height} = e.getClientRects()[0] ?? {}; return {x, y, width, height}; };
  await frame();
  const before = box(), since = document.timeline.currentTime;
  await frame();
  if (document.timeline.currentTime === since || e.getAnimations().some((a) => a.pending)) return {Not: "time stands still"};
  if (!performance.getEntriesByType("paint").length) return {Not: "nothing has not been painted"};
  const {x, y, width, height} = box();
  if (x !== before.x || y !== before.y || width !== before.width || height !== before.height || !(width * height)) return {Not: "it moves"};
  const [X, Y] = [x + width / 2, y + height / 2], hit = document.elementFromPoint(X, Y);
  return e.contains(hit) ? {X, Y} : {Not: "it is covered by " + (hit?.outerHTML.slice(0, 100) ?? "nothing, out of view")};
})`

// Click clicks on an element with the mouse, once it can be. A page that is
// being replaced is looked at again.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.clickWhen(selector, "true")
}

// Follow clicks on what leads to another page, and waits until that has come.
// Until then whoever looks, looks at the page that is left.
func (tab *Tab) Follow(selector string) {
	tab.t.Helper()
	tab.Leave(func() { tab.Click(selector) })
}

// Leave does what leads to another page, and waits until that has come.
func (tab *Tab) Leave(do func()) {
	tab.t.Helper()
	var left string
	tab.Eval(`String(performance.timeOrigin)`, &left) // of the document: the next has its own
	do()
	tab.Wait(fmt.Sprintf(`performance.timeOrigin !== %s`, left))
}

// Loaded waits until the page has come and is drawn, and its program runs.
func (tab *Tab) Loaded() {
	tab.t.Helper()
	var is bool
	if !until(tab.ctx, Patience, func() bool {
		return tab.TryEval(`(async () => {
			for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
			return `+loaded+`;
		})()`, &is) == nil && is
	}) {
		tab.t.Fatalf("stage: gave up waiting for the page to load after %v%s", Patience, tab.describe())
	}
}

// clickWhen is Click as soon as a condition holds, too, on the same page.
func (tab *Tab) clickWhen(selector, condition string) {
	tab.t.Helper()
	var at struct {
		X, Y float64
		Not  string
	}
	var last error
	if !until(tab.ctx, Patience, func() bool {
		at.Not = ""
		last = tab.TryEval(fmt.Sprintf(`(%s) ? %s(%s) : {Not: "the page is not ready for it"}`, condition, aim, quote(selector)), &at)
		return last == nil && at.Not == ""
	}) {
		tab.t.Fatalf("stage: gave up waiting to click on %s after %v: %s (last error: %v)%s", selector, Patience, at.Not, last, tab.describe())
	}
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
		tab.t.Fatalf("stage: click on %s: %v%s", selector, err, tab.describe())
	}
}
