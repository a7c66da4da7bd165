package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Tab is one page of a Browser. Use a tab from one goroutine only.
type Tab struct {
	Browser *Browser
	t       T
	ctx     context.Context
}

func (b *Browser) open(t T) *Tab {
	t.Helper()
	ctx, _ := chromedp.NewContext(b.root, chromedp.WithListener(b.watch)) // ends with the browser
	tab := &Tab{Browser: b, t: t, ctx: ctx}
	// The first call must not have a deadline of its own: it would be the tab's.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("stage: open a tab: %v", err)
	}
	do(tab, network.Enable, network.EnableParams{})
	do(tab, audits.Enable, cdp.Empty{})
	// Every tab believes that it is in front, or only one would get keys.
	do(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return tab
}

// do sends a protocol command, within Patience.
func do[P, R any](tab *Tab, command cdp.Command[P, R], params P) R {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		tab.t.Fatalf("stage: %s: %v", command.Method, err)
	}
	return result
}

// Do sends any protocol command to a tab and fails the test if it fails.
func Do[P, R any](tab *Tab, command cdp.Command[P, R], params P) R {
	tab.t.Helper()
	return do(tab, command, params)
}

// Context is the tab's, for what this package does not offer.
func (tab *Tab) Context() context.Context { return tab.ctx }

// Go navigates as a person does who types an address, and waits until the page
// has loaded. An address that begins with a slash is the application's.
func (tab *Tab) Go(address string) {
	tab.t.Helper()
	if err := tab.TryGo(address); err != nil {
		tab.t.Fatalf("stage: go to %s: %v", address, err)
	}
}

// attempts at an address: a page that leaves at that very moment breaks one off.
const attempts = 3

// TryGo is Go for where the browser may have to show an error of its own.
func (tab *Tab) TryGo(address string) error {
	if strings.HasPrefix(address, "/") {
		address = tab.Browser.stage.Origin + address
	}
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	var err error
	for range attempts {
		if err = chromedp.Do(ctx, chromedp.Navigate(address)); err == nil || !strings.Contains(err.Error(), "net::ERR_ABORTED") {
			break
		}
	}
	return err
}

// Reload loads the page again.
func (tab *Tab) Reload() {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		tab.t.Fatalf("stage: reload: %v", err)
	}
}

// URL is the page's address.
func (tab *Tab) URL() string {
	tab.t.Helper()
	var u string
	tab.read(`location.href`, &u)
	return u
}

// Eval runs an expression in the page, awaits it if it is a promise, and reads
// its value as JSON into out, unless out is nil. The expression is not bound by
// the page's policy against eval; what it calls is.
func (tab *Tab) Eval(expression string, out any) {
	tab.t.Helper()
	if err := tab.TryEval(expression, out); err != nil {
		tab.t.Fatalf("stage: evaluate %s: %v%s", clip(expression), err, tab.describe())
	}
}

// TryEval is Eval that returns what went wrong: a *ScriptError if it was thrown.
func (tab *Tab) TryEval(expression string, out any) error {
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	yes := true
	got, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{
		Expression: expression, AwaitPromise: &yes, ReturnByValue: &yes,
	})
	switch {
	case err != nil:
		return err
	case got.ExceptionDetails != nil:
		text := got.ExceptionDetails.Text
		if got.ExceptionDetails.Exception != nil {
			text += " " + remote(got.ExceptionDetails.Exception)
		}
		return &ScriptError{text}
	case out == nil:
		return nil
	}
	return readValue(got.Result, out)
}

// read is Eval of what changes nothing: a page that is being replaced is looked
// at again.
func (tab *Tab) read(expression string, out any) {
	tab.t.Helper()
	var last error
	if !until(tab.ctx, Patience, func() bool { last = tab.TryEval(expression, out); return last == nil }) {
		tab.t.Fatalf("stage: read %s: %v%s", clip(expression), last, tab.describe())
	}
}

func readValue(o *runtime.RemoteObject, out any) error {
	if len(o.Value) == 0 {
		return errors.New("the value is undefined")
	}
	return json.Unmarshal(o.Value, out)
}

// ScriptError is what an expression threw.
type ScriptError struct{ Text string }

func (e *ScriptError) Error() string { return "thrown: " + e.Text }

// Wait looks at a JavaScript expression until it is truthy. A page that is
// being replaced is looked at again.
func (tab *Tab) Wait(expression string) {
	tab.t.Helper()
	tab.WaitFor(Patience, expression)
}

// WaitFor is Wait with a patience of its own.
func (tab *Tab) WaitFor(patience time.Duration, expression string) {
	tab.t.Helper()
	var last error
	if !until(tab.ctx, patience, func() bool {
		var holds bool
		last = tab.TryEval("!!("+expression+")", &holds)
		return last == nil && holds
	}) {
		tab.t.Fatalf("stage: gave up waiting for %s after %v (last error: %v)%s", expression, patience, last, tab.describe())
	}
}

// WaitVisible waits until an element matches selector and takes up space.
func (tab *Tab) WaitVisible(selector string) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf(`(e => e && e.checkVisibility() && e.getClientRects().length > 0)(document.querySelector(%s))`, quote(selector)))
}

// WaitGone waits until no element matches selector.
func (tab *Tab) WaitGone(selector string) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf(`!document.querySelector(%s)`, quote(selector)))
}

// WaitAt waits until the page of an address has loaded. One that begins with a
// slash is the application's; a query must match only if it is given.
func (tab *Tab) WaitAt(address string) {
	tab.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = tab.Browser.stage.Origin + address
	}
	here := "location.origin + location.pathname"
	if strings.Contains(address, "?") {
		here += " + location.search"
	}
	tab.Wait(fmt.Sprintf(`%s === %s && document.readyState === "complete"`, here, quote(address)))
}

// Text is the visible text of the first element that matches selector; "" if
// there is none.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	var text string
	tab.read(fmt.Sprintf(`document.querySelector(%s)?.innerText ?? ""`, quote(selector)), &text)
	return text
}

// Count is how many elements match selector.
func (tab *Tab) Count(selector string) int {
	tab.t.Helper()
	var n int
	tab.read(fmt.Sprintf(`document.querySelectorAll(%s).length`, quote(selector)), &n)
	return n
}

// Type sends text to whatever has the focus, key by key.
func (tab *Tab) Type(text string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(text)); err != nil {
		tab.t.Fatalf("stage: type: %v", err)
	}
}

// Enter presses the Enter key.
func (tab *Tab) Enter() { tab.t.Helper(); tab.Type(kb.Enter) }

// mostTabs is how often Tab is pressed to reach an element.
const mostTabs = 120

// TabTo presses the Tab key until an element that matches selector has the
// focus, and returns how many presses it took.
func (tab *Tab) TabTo(selector string) int {
	tab.t.Helper()
	tab.WaitVisible(selector)
	tab.Loaded() // a page that comes puts the keyboard where it wants it
	focused := fmt.Sprintf(`!!document.activeElement?.matches(%s)`, quote(selector))
	for n := range mostTabs {
		var there bool
		if tab.Eval(focused, &there); there {
			return n
		}
		tab.Type(kb.Tab)
	}
	tab.t.Fatalf("stage: %d presses of Tab did not reach %s%s", mostTabs, selector, tab.describe())
	return 0
}

// Booted waits until the application on the page runs and has heard who is there.
func (tab *Tab) Booted() {
	tab.t.Helper()
	tab.Wait(`document.querySelector(".who") && !document.querySelector(".who .bone") && !document.querySelector("#app-wasm-loader")?.checkVisibility()`)
}

// SignIn signs a user of the demo in, from wherever the tab is, and comes back
// to a path of the application. Whoever is signed in at the provider already is
// not asked again.
func (tab *Tab) SignIn(user, password, path string) {
	tab.t.Helper()
	tab.Go("/bff/login?returnUrl=" + url.QueryEscape(path))
	tab.Wait(tab.back(path) + ` || document.querySelector("#password") || document.querySelector("button[value=allow]")`)
	if tab.Count("#password") > 0 {
		tab.Authenticate(user, password)
	}
	tab.Agree(path)
	tab.Booted()
}

// Authenticate fills in the provider's sign-in form, once it is there, and sends
// it off with both fields as they were filled in.
func (tab *Tab) Authenticate(user, password string) {
	tab.t.Helper()
	tab.clickWhen("button[type=submit]", fmt.Sprintf(`((fields) => Object.entries(fields).every(([id, text]) => {
		const field = document.getElementById(id);
		return field && (field.value === text || (field.value = text, false));
	}))({username: %s, password: %s})`, quote(user), quote(password)))
}

// Agree gives the provider consent if it asks, and waits for the way back to end.
func (tab *Tab) Agree(path string) {
	tab.t.Helper()
	back := tab.back(path)
	tab.Wait(back + ` || document.querySelector("button[value=allow]")`)
	if tab.Count("button[value=allow]") > 0 {
		tab.Click("button[value=allow]")
	}
	tab.Wait(back)
}

// back is a condition: the tab is on a path of the application, loaded.
func (tab *Tab) back(path string) string {
	return fmt.Sprintf(`(location.href === %s && document.readyState === "complete")`, quote(tab.Browser.stage.Origin+path))
}

// Answer is what a fetch of the page got.
type Answer struct {
	Status int               `json:"status"`
	Type   string            `json:"type"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
	Error  string            `json:"error"` // what fetch threw, if it did
}

// Fetch runs fetch(url, options) in the page; options is a JavaScript
// expression, such as `{headers: {"X-CSRF": "1"}}`.
func (tab *Tab) Fetch(url, options string) Answer {
	tab.t.Helper()
	var a Answer
	tab.Eval(fmt.Sprintf(`fetch(%s, %s).then(
		async (r) => ({status: r.status, type: r.type, header: Object.fromEntries(r.headers), body: await r.text()}),
		(err) => ({error: String(err)}))`, quote(url), options), &a)
	return a
}

// Call is Fetch as the application's own client does it.
func (tab *Tab) Call(method, path string) Answer {
	tab.t.Helper()
	return tab.Fetch(path, fmt.Sprintf(`{method: %s, headers: {"X-CSRF": "1", "Accept": "application/json"}, redirect: "manual"}`, quote(method)))
}

// Cookies is the whole jar of the browser, HttpOnly ones and other origins' included.
func (tab *Tab) Cookies() []*network.Cookie {
	tab.t.Helper()
	return do(tab, storage.GetCookies, storage.GetCookiesParams{}).Cookies
}

// Cookie is the one cookie of a name in the jar; nil if there is none.
func (tab *Tab) Cookie(name string) *network.Cookie {
	tab.t.Helper()
	for _, c := range tab.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Look sets the width of the page and whether it is dark.
func (tab *Tab) Look(width, height int, dark bool) {
	tab.t.Helper()
	do(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(width), Height: int64(height), DeviceScaleFactor: 1, Mobile: width < 600,
	})
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	do(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// Screenshot writes the whole page, as far as it scrolls, to a PNG file.
func (tab *Tab) Screenshot(file string) {
	tab.t.Helper()
	beyond := true
	metrics := do(tab, page.GetLayoutMetrics, cdp.Empty{})
	shot := do(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond,
		Clip:                  &page.Viewport{Width: metrics.CSSContentSize.Width, Height: metrics.CSSContentSize.Height, Scale: 1},
	})
	if err := os.WriteFile(file, []byte(shot.Data), 0o644); err != nil {
		tab.t.Fatalf("stage: screenshot: %v", err)
	}
}

// describe says where the tab is, for a failure.
func (tab *Tab) describe() string {
	var where string
	if err := tab.TryEval(`location.href + "\n" + document.title + "\n" + (document.body?.innerText ?? "").slice(0, 1500)`, &where); err != nil {
		return "\n(the page cannot be read: " + err.Error() + ")"
	}
	return "\nthe page was: " + where
}

func clip(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

// quote makes a JavaScript string literal.
func quote(text string) string {
	literal, _ := json.Marshal(text)
	return string(literal)
}
