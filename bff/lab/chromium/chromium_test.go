package chromium_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/lab/chromium"
)

// serve answers every path with a page that says it, and sets two cookies.
func serve(t *testing.T) (origin string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "kept", Value: "k", Path: "/", HttpOnly: true, MaxAge: 600})
		http.SetCookie(w, &http.Cookie{Name: "passing", Value: "p", Path: "/elsewhere"})
		http.SetCookie(w, &http.Cookie{Name: "family", Value: "f", Domain: "lab.localhost", Path: "/"})
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>%s</title>", r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "one.lab.localhost", 1)
}

func open(t *testing.T) *chromium.Browser {
	t.Helper()
	b, err := chromium.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func names(t *testing.T, list []*http.Cookie, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range list {
		all = append(all, c.Name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestABrowserDoesWhatAttacksAskOfIt(t *testing.T) {
	origin, b, ctx := serve(t), open(t), t.Context()
	if version, err := b.Version(ctx); err != nil || !strings.Contains(version, "/") {
		t.Errorf("it calls itself %q: %v", version, err)
	}
	if err := b.Go(ctx, origin+"/page"); err != nil {
		t.Fatal(err)
	}
	var title string
	if err := b.Run(ctx, `document.title`, &title); err != nil || title != "/page" {
		t.Errorf("the page is %q: %v", title, err)
	}
	if err := b.Run(ctx, `new Promise(() => {})`, nil); err != nil {
		t.Errorf("it waits for a promise: %v", err)
	}
	if err := b.Run(ctx, `throw new Error("ouch")`, nil); err == nil || !strings.Contains(err.Error(), "ouch") {
		t.Errorf("what a page throws is %v", err)
	}
	list, err := b.Cookies(ctx, origin)
	if got := names(t, list, err); got != "family kept passing" {
		t.Errorf("the cookies are %q", got)
	}
	sibling := strings.Replace(origin, "one.", "two.", 1)
	if list, err = b.Cookies(ctx, sibling); names(t, list, err) != "family" {
		t.Errorf("the sibling's cookies are %v", list)
	}
	if err := b.Run(ctx, `localStorage.x = "y"`, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Forget(ctx, origin); err != nil {
		t.Fatal(err)
	}
	var left string
	if err := b.Run(ctx, `localStorage.x ?? "nothing"`, &left); err != nil || left != "nothing" {
		t.Errorf("%q is left: %v", left, err)
	}
	if list, err = b.Cookies(ctx, origin); strings.Contains(names(t, list, err), "kept") {
		t.Errorf("cookies are left: %v", list)
	}
	for _, outside := range []string{"http://example.com/", "http://192.0.2.1/"} {
		if err := b.Go(ctx, outside); err == nil {
			t.Errorf("it leaves the machine for %s", outside)
		}
	}
}

func TestAScriptCanComeBeforeThePagesOwnAndTheNetworkBeSlow(t *testing.T) {
	origin, b, ctx := serve(t), open(t), t.Context()
	if err := b.Early(ctx, `window.early = document.title`); err != nil {
		t.Fatal(err)
	}
	const latency = 300
	if err := b.Slow(ctx, chromium.Pace{Latency: latency, Down: 100_000, Up: 100_000}); err != nil {
		t.Fatal(err)
	}
	if err := b.Go(ctx, origin+"/page"); err != nil {
		t.Fatal(err)
	}
	var early string
	if err := b.Run(ctx, `typeof window.early + ":" + window.early`, &early); err != nil || early != "string:" {
		t.Errorf("the script saw %q: %v", early, err)
	}
	var took float64
	const call = `(() => { const r = new XMLHttpRequest(), began = performance.now(); r.open("GET", "/", false); r.send(); return performance.now() - began })()`
	if err := b.Run(ctx, call, &took); err != nil || took < latency {
		t.Errorf("an answer came after %v ms: %v", took, err)
	}
}

func TestTabsAreOfOneBrowser(t *testing.T) {
	origin, b, ctx := serve(t), open(t), t.Context()
	if err := b.Go(ctx, origin+"/first"); err != nil {
		t.Fatal(err)
	}
	second, closeTab, err := b.NewTab(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Go(ctx, origin+"/second"); err != nil {
		t.Fatal(err)
	}
	list, err := second.Cookies(ctx, origin)
	if got := names(t, list, err); !strings.Contains(got, "kept") {
		t.Errorf("the second tab has the cookies %q", got)
	}
	var title string
	if err := b.Run(ctx, `document.title`, &title); err != nil || title != "/first" {
		t.Errorf("the first tab is at %q: %v", title, err)
	}
	closeTab()
	if err := second.Run(ctx, `1`, nil); err == nil {
		t.Error("a closed tab still runs script")
	}
	if err := b.Run(ctx, `document.title`, &title); err != nil || title != "/first" {
		t.Errorf("then the first tab is at %q: %v", title, err)
	}
}

func TestARestartKeepsWhatIsOnDiskAndNothingElse(t *testing.T) {
	origin, b, ctx := serve(t), open(t), t.Context()
	if err := b.Go(ctx, origin+"/elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(ctx, `localStorage.x = sessionStorage.x = "y"`, nil); err != nil {
		t.Fatal(err)
	}
	looked := errors.New("nobody looked")
	if err := b.Restart(ctx, func(folder string) error {
		_, looked = os.Stat(folder + "/Default")
		return nil
	}); err != nil || looked != nil {
		t.Fatal(err, looked)
	}
	if err := b.Go(ctx, origin+"/after"); err != nil {
		t.Fatal(err)
	}
	var kept string
	if err := b.Run(ctx, `(localStorage.x ?? "-") + (sessionStorage.x ?? "-")`, &kept); err != nil || kept != "y-" {
		t.Errorf("kept: %q, %v", kept, err)
	}
	refuse := errors.New("not like that")
	if err := b.Restart(ctx, func(string) error { return refuse }); !errors.Is(err, refuse) {
		t.Errorf("the error of who looked is %v", err)
	}
	if err := b.Run(ctx, `1`, nil); err != nil {
		t.Errorf("after that it does not run: %v", err)
	}
}

func TestNobodyWaitsForABrowserForEver(t *testing.T) {
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(stuck.Close)
	b := open(t) // and closes before
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := b.Go(ctx, stuck.URL); err == nil {
		t.Error("a page that never comes has come")
	}
	if err := b.Run(t.Context(), `1`, nil); err != nil {
		t.Errorf("after that it does not run: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chromium.Open(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a browser that nobody wants any more: %v", err)
	}
	if _, _, err := b.NewTab(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a tab that nobody wants any more: %v", err)
	}
}

func TestItSaysHowToGetABrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("CHROMIUM", "")
	if _, err := chromium.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "apt-get install chromium") {
		t.Errorf("without one: %v", err)
	}
	t.Setenv("CHROMIUM", "/nowhere/chromium")
	if _, err := chromium.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "CHROMIUM") {
		t.Errorf("with one that is not there: %v", err)
	}
}
