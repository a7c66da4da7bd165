package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// TestAPersonWithAKeyboard does all one can do, without a mouse.
func TestAPersonWithAKeyboard(t *testing.T) {
	s := stage.Open(t, stage.Options{AccessTokenLifetime: 3 * time.Second})
	b := s.Browser(t)
	tab := b.NewTab(t)

	// In, by way of the provider.
	tab.Go("/")
	tab.Booted()
	tab.TabTo(`main a[href^="/bff/login"]`)
	tab.Enter()
	tab.TabTo("#username")
	tab.Type("alice")
	tab.TabTo("#password")
	tab.Type("wonderland")
	tab.Enter()
	tab.TabTo("button[value=allow]")
	tab.Enter()
	tab.WaitAt("/")
	tab.Booted()
	tab.WaitVisible(whoIsThere)
	loaded := born(tab)

	// The orders, and their second page.
	tab.TabTo(`header a[href="/orders"]`)
	tab.Enter()
	tab.WaitAt("/orders")
	first := orderPage(t, tab, 0)
	if first.Total != 1200 {
		t.Errorf("%d orders", first.Total)
	}
	shows(tab, first)
	tab.TabTo(`nav a[href="/orders?page=2"]`)
	tab.Enter()
	tab.WaitAt("/orders?page=2")
	shows(tab, orderPage(t, tab, 20))

	// Another order: there at once, and after a reload.
	tab.TabTo(`nav a[href="/orders"]:not([aria-current])`)
	tab.Enter()
	shows(tab, first)
	const item = "A hook for one hat"
	tab.TabTo("#order-item")
	tab.Type(item)
	tab.TabTo("#order-quantity")
	tab.Type("3")
	tab.Enter()
	tab.Wait(hasRow(item))
	if again := born(tab); again != loaded {
		t.Error("a page was loaded on the way: the application did not stay")
	}
	tab.Reload()
	tab.Booted()
	tab.Wait(hasRow(item))
	if got := orderPage(t, tab, 0); got.Total != 1201 || got.Orders[0].Item != item || got.Orders[0].Quantity != 3 {
		t.Errorf("the API keeps %+v of %d", got.Orders[0], got.Total)
	}

	// And away with it.
	tab.TabTo(deleteButton(tab, item))
	tab.Enter()
	tab.TabTo("#order-confirm")
	tab.Enter()
	tab.Wait("!" + hasRow(item))
	shows(tab, first)
	if got := orderPage(t, tab, 0); got.Total != 1200 {
		t.Errorf("%d orders after deleting", got.Total)
	}

	// Past the access token's life nothing is to be noticed.
	loaded, renewed := born(tab), s.Demo.IDP.Requests(idp.GrantRefresh)
	outlive(t, s)
	asked := len(b.Sent("/api/orders"))
	tab.TabTo(`nav a[href="/orders?page=2"]`)
	tab.Enter()
	tab.WaitAt("/orders?page=2")
	stage.Until(t, stage.Patience, "the second page", func() bool {
		calls := b.Sent("/api/orders")[asked:]
		return len(calls) > 0 && calls[len(calls)-1].Status != 0
	})
	tab.WaitVisible(orderRows)
	for _, e := range b.Sent("/api/orders")[asked:] {
		if e.Status != http.StatusOK {
			t.Errorf("%s: %d", e.URL, e.Status)
		}
	}
	stage.Until(t, stage.Patience, "a renewal", func() bool { return s.Demo.IDP.Requests(idp.GrantRefresh) > renewed })
	if again := born(tab); again != loaded {
		t.Error("a page was loaded: the renewal was seen")
	}

	// Who is it, and for how long?
	tab.TabTo(`header nav a[href="/session"]`)
	tab.Enter()
	tab.WaitAt("/session")
	tab.Wait(`document.querySelector("main .stub h2")?.textContent === "Alice Liddell"`)
	tab.WaitVisible(`main .timer[role=timer]`)
	before := tab.Text(`main .timer`)
	tab.Wait(`document.querySelector("main .timer").innerText !== "` + before + `"`)

	// Out, and out for whoever copied the ticket.
	ticket := tab.Cookie(shared.CookieName).Value
	if status, _, _ := replay(t, s, shared.PathUser, ticket); status != http.StatusOK {
		t.Errorf("before the sign-out the ticket is good for %d", status)
	}
	if n := len(s.Demo.IDP.Families()); n != 1 {
		t.Errorf("%d living grants while signed in", n)
	}
	tab.TabTo(logoutLink)
	tab.Enter()
	tab.WaitAt("/")
	tab.Booted()
	tab.WaitVisible(signInLink)
	for _, path := range []string{shared.PathUser, "/api/orders", shared.PathInspect} {
		status, contentType, d := replay(t, s, path, ticket)
		if status != http.StatusUnauthorized || contentType != problem.ContentType || d.Code != problem.SessionRequired || d.LoginURL == "" {
			t.Errorf("the old ticket on %s: %d %s %+v", path, status, contentType, d)
		}
	}
	if a := tab.Call("GET", "/api/orders"); a.Status != http.StatusUnauthorized {
		t.Errorf("the API answers the page: %d", a.Status)
	}
	if families := s.Demo.IDP.Families(); len(families) != 0 {
		t.Errorf("the provider still honours %+v", families)
	}
}

// The provider ends all grants of a session that signs out there. Whoever
// never gets there, as here, must have lost the tokens all the same.
func TestASignOutRevokesByItself(t *testing.T) {
	s, _, tab := alice(t, stage.Options{}, "/session")
	tab.WaitVisible(logoutLink)
	var link string
	tab.Eval(`document.querySelector("main a[href^='/bff/logout']").href`, &link)
	r, err := http.NewRequest(http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", shared.CookieName+"="+tab.Cookie(shared.CookieName).Value)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	if n := len(s.Demo.IDP.Families()); n != 1 {
		t.Fatalf("%d living grants while signed in", n)
	}
	resp, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, s.IDPOrigin+"/end_session?") {
		t.Errorf("%d to %.60s", resp.StatusCode, to)
	}
	if families := s.Demo.IDP.Families(); len(families) != 0 {
		t.Errorf("the provider still honours %+v", families)
	}
}

// Wherever it was signed out, no tab goes on showing what was there.
func TestASignOutIsSeenInTheOtherTabs(t *testing.T) {
	_, b, first := alice(t, stage.Options{}, "/session")
	var others []*stage.Tab
	for _, path := range []string{"/orders", "/session"} {
		other := b.NewTab(t)
		other.Go(path)
		other.WaitVisible(whoIsThere)
		others = append(others, other)
	}
	first.Follow(logoutLink)
	first.WaitAt("/")
	first.WaitVisible(signInLink)
	for _, other := range others {
		ends(t, other)
		other.WaitVisible(signInLink)
	}
}

func TestADeepLinkComesBackToWhereItLed(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	tab := s.Browser(t).NewTab(t)
	tab.Go("/orders?page=3")
	tab.Follow(closedGate)
	tab.Authenticate("alice", "wonderland")
	tab.Agree("/orders?page=3")
	tab.Booted()
	shows(tab, orderPage(t, tab, 40))
}

func TestConsentDenied(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := s.Browser(t)
	b.ForgiveText("403 (Forbidden)")
	tab := b.NewTab(t)
	tab.Go("/orders")
	tab.Follow(closedGate)
	tab.Authenticate("bob", "builder")
	tab.Follow("button[value=deny]")
	errorPage(t, b, tab, problem.LoginDenied)
	if c := tab.Cookie(shared.CookieName); c != nil {
		t.Error("there is a session")
	}
	if tokens := s.Issued(shared.TokenAccess, shared.TokenID, shared.TokenRefresh); len(tokens) != 0 {
		t.Errorf("%d tokens were issued", len(tokens))
	}
	// A change of mind.
	tab.Follow(`a[href^="/bff/login"]`)
	tab.Agree("/")
	tab.Booted()
	tab.WaitVisible(whoIsThere)
}

// TestWhatGoesWrongWhileSigningIn ends at an error page that says what and
// how to go on, never at a session, and heals once the cause is gone.
func TestWhatGoesWrongWhileSigningIn(t *testing.T) {
	for _, c := range []struct {
		name   string
		before idp.Fault // from the start
		fault  idp.Fault // once the person is at the provider
		spoil  func(t *testing.T, s *stage.Stage, tab *stage.Tab)
		want   problem.Code
	}{
		{name: "the provider was never there", before: idp.FaultDown, want: problem.ProviderUnavailable},
		{name: "the provider's token endpoint fails", fault: idp.FaultTokenError, want: problem.ProviderError},
		{name: "the provider's token endpoint is too slow", fault: idp.FaultTokenSlow, want: problem.ProviderTimeout},
		{name: "the answer is of another sign-in", fault: idp.FaultAuthorizeState, want: problem.LoginStateInvalid},
		{name: "the ID token is of another sign-in", fault: idp.FaultIDTokenNonce, want: problem.IDTokenNonce},
		{name: "the ID token is forged", fault: idp.FaultIDTokenSignature, want: problem.IDTokenSignature},
		{name: "the callback is made up", want: problem.LoginStateInvalid, spoil: func(_ *testing.T, s *stage.Stage, tab *stage.Tab) {
			tab.Go("/bff/callback?code=made-up&state=made-up&iss=" + s.IDPOrigin)
		}},
		{name: "the callback comes a second time", want: problem.LoginStateInvalid, spoil: func(t *testing.T, s *stage.Stage, tab *stage.Tab) {
			callback := ""
			for _, e := range tab.Browser.Sent(shared.PathCallback) {
				callback = e.URL
			}
			tab.Go(callback)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var o stage.Options
			if o.Fault = c.before; c.want == problem.ProviderTimeout {
				o.ProviderTimeout = 3 * time.Second
			}
			s := stage.Open(t, o)
			b := s.Browser(t)
			b.Forgive(func(m stage.Message) bool { return m.Source == "network" && strings.Contains(m.URL, "/bff/") })
			tab := b.NewTab(t)
			tab.Go("/orders")
			tab.Booted()
			tab.Follow(closedGate)
			if c.before == idp.FaultNone {
				tab.WaitVisible("#password")
				tab.Authenticate("alice", "wonderland")
				tab.WaitVisible("button[value=allow]")
				s.Demo.IDP.SetFault(c.fault)
				tab.Follow("button[value=allow]")
				if c.spoil != nil {
					tab.Wait(`location.pathname === "/orders" && document.readyState === "complete"`)
					tab.Click(whoIsThere)
					tab.Follow(logoutLink)
					tab.WaitVisible(signInLink)
					c.spoil(t, s, tab)
				}
			}
			errorPage(t, b, tab, c.want)
			if tab.Cookie(shared.CookieName) != nil {
				t.Error("there is a session")
			}
			s.Demo.IDP.SetFault(idp.FaultNone)
			// The BFF looks for a provider that was down only now and then.
			stage.Until(t, stage.Patience, "the provider to be found", func() bool {
				tab.Go("/bff/login?returnUrl=/session")
				return tab.Count("p.code") == 0
			})
			tab.SignIn("alice", "wonderland", "/session")
			tab.WaitVisible(whoIsThere)
		})
	}
}
