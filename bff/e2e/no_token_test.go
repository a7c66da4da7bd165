package e2e_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// secrets are the forms of everything the provider gave out.
func secrets(s *stage.Stage) []stage.Needle { return stage.Needles(s.Issued()) }

// allowed tells the two exceptions: the ID token as a hint in the redirect that
// signs out at the provider, and a code in the redirect that brings it. Both
// are in a Location, in the short body Go writes under it, and in the address
// the browser then asks for.
func allowed(s *stage.Stage, f stage.Finding) bool {
	var places []string
	switch f.Kind {
	case shared.TokenID:
		places = []string{
			"GET " + s.Origin + shared.PathLogout + " response header Location",
			"GET " + s.Origin + shared.PathLogout + " response body",
			"GET " + s.IDPOrigin + "/end_session URL",
		}
	case idp.KindCode:
		places = []string{
			"GET " + s.IDPOrigin + "/interaction response header Location",
			"GET " + s.IDPOrigin + "/interaction response body",
			"GET " + s.Origin + shared.PathCallback + " URL",
		}
	}
	if f.Kind == idp.KindCode && slices.Contains([]string{"address", "performance", "console"}, f.Place) {
		// A callback that fails stays in the address bar.
		return strings.Contains(f.Around, s.Origin+shared.PathCallback+"?code=[")
	}
	if strings.HasPrefix(f.Place, "profile ") {
		// The browser's history has the addresses above; it is the person's.
		return f.Kind == shared.TokenID || f.Kind == idp.KindCode
	}
	return slices.Contains(places, f.Place)
}

// TestNoTokenIsInReachOfTheBrowser goes every way through the application and
// searches everything the browser saw, kept or could read for everything the
// provider gave out.
func TestNoTokenIsInReachOfTheBrowser(t *testing.T) {
	s := stage.Open(t, stage.Options{AccessTokenLifetime: 2 * time.Second})
	b := s.Browser(t)
	b.ForgiveText("403 (Forbidden)")
	b.ForgiveText("400 (Bad Request)")
	tab := b.NewTab(t)
	var hays []stage.Hay
	look := func() { hays = append(hays, tab.Remains()...) }

	// Denied first, then allowed.
	tab.Go("/")
	tab.Booted()
	look()
	tab.Follow(`main a[href^="/bff/login"]`)
	tab.Authenticate("alice", "wonderland")
	tab.WaitVisible("button[value=deny]")
	look()
	tab.Follow("button[value=deny]")
	errorPage(t, b, tab, problem.LoginDenied)
	look()
	tab.Follow(`a[href^="/bff/login"]`)
	tab.Agree("/")
	tab.Booted()
	look()

	// A callback that is tampered with, and one that is used again.
	tab.Go("/bff/callback?code=tampered&state=tampered")
	errorPage(t, b, tab, problem.LoginStateInvalid)
	look()
	callbacks := b.Sent(shared.PathCallback + "?code=ey")
	tab.Go(callbacks[0].URL)
	errorPage(t, b, tab, problem.LoginStateInvalid)
	look()

	// All pages, changes, a renewal, and the API's own echo of its headers.
	for _, path := range []string{"/orders", "/session", "/inspector"} {
		tab.Go(path)
		tab.Booted()
		tab.WaitVisible(map[string]string{"/orders": orderRows, "/session": logoutLink, "/inspector": "#held .coat"}[path])
		look()
	}
	tab.Go("/orders")
	tab.Click("#order-item")
	tab.Type("a token of thanks\r")
	tab.Wait(hasRow("a token of thanks"))
	tab.Click(deleteButton(tab, "a token of thanks"))
	tab.Click("#order-confirm")
	tab.Wait("!" + hasRow("a token of thanks"))
	outlive(t, s)
	tab.Click(`nav a[href="/orders?page=2"]`)
	tab.WaitAt("/orders?page=2")
	tab.WaitVisible(orderRows)
	stage.Until(t, stage.Patience, "a renewal: without one there is less to find than there should be", func() bool {
		return s.Demo.IDP.Requests(idp.GrantRefresh) > 0
	})
	for _, path := range []string{"/api/debug/headers", "/api/orders/none", "/api/none", shared.PathInspect, shared.PathUser, "/bff/none"} {
		tab.Call("GET", path)
	}
	b.ForgiveText("404 (Not Found)")
	look()
	hays = append(hays, tab.Heap())
	hays = append(hays, memoryOf(t, tab)...)

	// A second sign-in over the first, and out.
	tab.SignIn("alice", "wonderland", "/session")
	tab.Follow(logoutLink)
	tab.WaitAt("/")
	tab.WaitVisible(signInLink)
	look()
	hays = append(hays, tab.Heap())
	hays = append(hays, memoryOf(t, tab)...)

	for _, kind := range []string{shared.TokenAccess, shared.TokenRefresh, shared.TokenID, idp.KindCode} {
		if len(s.Issued(kind)) < 2 {
			t.Errorf("only %d of %s were issued", len(s.Issued(kind)), kind)
		}
	}
	hays = slices.Concat(hays, b.Wire(), b.Consoles(), b.Disk(), s.Logs(), []stage.Hay{{Place: "log past the server's logger", Text: stray.String()}})
	bytes := 0
	for _, hay := range hays {
		bytes += len(hay.Text)
	}
	t.Logf("searched %d texts of %d bytes for %d forms of %d values", len(hays), bytes, len(secrets(s)), len(s.Issued()))
	hints := 0
	for _, f := range stage.Search(hays, secrets(s)) {
		switch {
		case !allowed(s, f):
			t.Errorf("found %v", f)
		case strings.HasPrefix(f.Place, "profile "):
			t.Logf("on disk: %s (%s) in %s", f.Kind, f.Form, f.Place)
		case f.Kind == shared.TokenID && f.Form == "whole":
			hints++
		}
	}
	// The exception occurs, once in each of its places, and as what it is said to be.
	if hints != 3 {
		t.Errorf("the ID token was found in %d places as a hint, want 3", hints)
	}
	ends := b.Sent(s.IDPOrigin + "/end_session?")
	if len(ends) != 1 {
		t.Fatalf("%d visits to the provider's end_session", len(ends))
	}
	address, _ := url.Parse(ends[0].URL)
	if hint := address.Query().Get("id_token_hint"); hint != s.Last(shared.TokenID) {
		t.Error("id_token_hint is not the session's ID token")
	}
	checkUseOfCodes(t, s, b)
}

// memoryOf is the program's memory, which must be there to be searched.
func memoryOf(t *testing.T, tab *stage.Tab) []stage.Hay {
	t.Helper()
	memory := tab.Memory()
	if len(memory) == 0 || len(memory[0].Text) < 1<<20 {
		t.Errorf("%d programs' memory was read", len(memory))
	}
	return memory
}

// checkUseOfCodes: every code that was given out came back once, except where
// the test brought it twice.
func checkUseOfCodes(t *testing.T, s *stage.Stage, b *stage.Browser) {
	t.Helper()
	for i, code := range s.Issued(idp.KindCode) {
		n := 0
		for _, e := range b.Sent(shared.PathCallback) {
			address, _ := url.Parse(e.URL)
			if address.Query().Get("code") == code.Value {
				n++
			}
			if referrer := e.RequestHeader.Get("Referer"); strings.Contains(referrer, "code=") {
				t.Errorf("a referrer shows a code: %s", referrer)
			}
		}
		if want := map[bool]int{true: 2, false: 1}[i == 0]; n != want {
			t.Errorf("code %d was in %d addresses, want %d", i, n, want)
		}
	}
}

// TestTheSearchFindsWhatIsThere plants a really issued token in every place
// that the test above searches, and must find it there. Otherwise that test
// would prove nothing.
func TestTheSearchFindsWhatIsThere(t *testing.T) {
	s, b, tab := alice(t, stage.Options{}, "/orders")
	tab.WaitVisible(orderRows)
	b.Forgive(func(m stage.Message) bool { return m.Source == "network" })
	access, refresh := s.Last(shared.TokenAccess), s.Last(shared.TokenRefresh)
	payload := strings.Split(access, ".")[1]
	everywhere := func() []stage.Hay {
		return slices.Concat(tab.Remains(), b.Wire(), b.Consoles(), s.Logs())
	}
	for _, f := range stage.Search(everywhere(), secrets(s)) {
		if !allowed(s, f) {
			t.Fatalf("before anything was planted: %v", f)
		}
	}
	for _, c := range []struct{ place, script, value string }{
		{"localStorage", `localStorage.setItem("a", V)`, access},
		{"sessionStorage", `sessionStorage.setItem("a", btoa("xy" + V + "z"))`, access},
		{"document.cookie", `document.cookie = "a=" + V`, payload},
		{"cookie jar a", `1`, payload}, // of the line before
		{"IndexedDB planted", `new Promise((done) => {
			const open = indexedDB.open("planted", 1);
			open.onupgradeneeded = () => open.result.createObjectStore("s");
			open.onsuccess = () => {
				const change = open.result.transaction("s", "readwrite");
				change.objectStore("s").put(new TextEncoder().encode(V), "k");
				change.oncomplete = () => { open.result.close(); done(1); };
			};
		})`, access},
		{"Cache Storage " + s.Origin + "/planted", `caches.open("p").then((c) => c.put("/planted", new Response(V))).then(() => 1)`, refresh},
		{"window.planted", `(window.planted = {deep: [V]}, 1)`, refresh},
		{"DOM", `(document.body.dataset.planted = V, 1)`, strings.Split(access, ".")[2]},
		{"fields", `(document.querySelector("#order-item").value = V, 1)`, access},
		{"address", `(history.replaceState({v: V}, ""), 1)`, refresh},
		{"console", `(console.info("here", V), 1)`, access},
		{"GET " + s.Origin + "/api/orders URL", `fetch("/api/orders?x=" + encodeURIComponent(V)).then((r) => r.text())`, refresh},
		{"POST " + s.Origin + "/api/orders request body", `fetch("/api/orders", {method: "POST", body: V}).then(() => 1)`, access},
		{"GET " + s.Origin + "/robots.txt request header X-Planted", `fetch("/robots.txt", {headers: {"X-Planted": V}}).then(() => 1)`, access},
		{"performance", `1`, refresh}, // the address fetched above
	} {
		tab.Eval(fmt.Sprintf(`(async (V) => await (%s))(%q)`, c.script, c.value), nil)
		stage.Until(t, stage.Patience, "the token planted in "+c.place, func() bool {
			return slices.ContainsFunc(stage.Search(everywhere(), secrets(s)), func(f stage.Finding) bool { return f.Place == c.place })
		})
	}

	// The echo of the API, did it not hold back, would be a response body.
	planted := []stage.Hay{{Place: "a body", Text: "Authorization: Bearer " + access}}
	if len(stage.Search(planted, secrets(s))) == 0 {
		t.Error("a bearer token is not found in a body")
	}
	tab.Eval(fmt.Sprintf(`(globalThis.kept = ((v) => () => v)(%q), 1)`, refresh), nil) // in a closure only
	if len(stage.Search([]stage.Hay{tab.Heap()}, secrets(s))) == 0 {
		t.Error("a token in a closure is not found in the heap")
	}
	tab.Eval(`(document.querySelector("#order-item").value = "", document.querySelector("#order-item").focus(), 1)`, nil)
	tab.Type(access)
	stage.Until(t, stage.Patience, "a token that was typed in, in the program's memory", func() bool {
		return len(stage.Search(memoryOf(t, tab), secrets(s))) > 0
	})
}

// TestTheSearchKnowsTheDisguises: what is hidden in another text is found, what
// is not there is not.
func TestTheSearchKnowsTheDisguises(t *testing.T) {
	value := "head1234567890.payload-payload-payload.sign-sign-sign/sign+sign="
	needles := stage.Needles([]stage.Issued{{Kind: shared.TokenAccess, Value: value}})
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"whole", "x" + value + "x", true},
		{"its payload alone", `{"p":"payload-payload-payload"}`, true},
		{"its signature, percent-encoded", "sig=" + url.QueryEscape("sign-sign-sign/sign+sign="), true},
		{"its header alone, which all share", "head1234567890", false},
		{"half of its payload", "payload-payload-pay", false},
		{"nothing", "", false},
	} {
		found := stage.Search([]stage.Hay{{Place: c.name, Text: c.text}}, needles)
		if (len(found) > 0) != c.want {
			t.Errorf("%s: %v", c.name, found)
		}
	}
}
