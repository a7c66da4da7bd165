package interop_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// TestAPersonAtAProviderOfAnotherHouse signs in, works past the life of the
// access token, and signs out, all by clicking.
func TestAPersonAtAProviderOfAnotherHouse(t *testing.T) {
	t.Parallel()
	w := open(t, options{embedded: true, provider: map[string]any{"accessSeconds": longLived, "renewedSeconds": 3600}})
	tab := w.browser.NewTab(t)

	// In, by way of the provider's own pages.
	tab.Go("/")
	tab.Booted()
	tab.Click(signInLink)
	authenticate(tab)
	agree(tab, "/")
	expiry := w.expiry()
	tab.Booted()
	tab.WaitVisible(whoIsThere)
	said := claims(t, tab)
	if said["sub"] != user || said["email"] != user+"@example.org" || said["name"] != user+" of another house" {
		t.Errorf("the page is told %v", said)
	}
	if asked := w.authorization(t); asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") == "" {
		t.Error("the sign-in was asked for without PKCE")
	}

	// The API lets the first token in.
	tab.Click(`header a[href="/orders"]`)
	tab.WaitVisible(orderRows)
	if text := tab.Text(orderRows); !strings.Contains(text, hat) {
		t.Errorf("the page shows %q", text)
	}
	first := w.api.admitted(t)
	if issued := w.tokens(shared.TokenAccess); first.Token != issued[0] {
		t.Error("the API was not given the token of the sign-in")
	}

	// Past its life the next calls, all at once, bring one new token.
	outlive(t, expiry)
	orders(t, tab, 8)
	if second := w.api.admitted(t); second.Token == first.Token || second.Token != w.last(t, shared.TokenAccess) {
		t.Error("the API was not given the new token")
	}
	if n := len(w.renewals()); n != 1 {
		t.Errorf("%d renewals", n)
	}
	if again := claims(t, tab); again["bff:session_state"] != said["bff:session_state"] || again["sub"] != user {
		t.Error("the session is another one after the renewal")
	}

	// Out. The provider asks whether it is meant; the tokens are dead already.
	access, refresh, id := w.last(t, shared.TokenAccess), w.last(t, shared.TokenRefresh), w.last(t, shared.TokenID)
	if !w.alive(t, access) || !w.alive(t, refresh) {
		t.Error("the tokens are dead before the sign-out")
	}
	ticket := tab.Cookie(shared.CookieName).Value
	leave(t, tab, "/orders")
	if at := tab.URL(); !strings.HasPrefix(at, w.IDPOrigin+pathEndSession+"?") {
		t.Errorf("the question is asked at %.60s", at)
	}
	if w.alive(t, access) || w.alive(t, refresh) {
		t.Error("the provider honours tokens of an ended session")
	}
	if tab.Cookie(shared.CookieName) != nil {
		t.Error("the session cookie is still there")
	}
	hint := w.asked(pathEndSession)[0].Query
	if hint.Get("id_token_hint") != id || hint.Get("post_logout_redirect_uri") != w.Origin+shared.PathSignedOut || hint.Get("state") == "" {
		t.Error("the provider was not told who signs out, or where to go then")
	}
	tab.Click(confirmYes)
	tab.WaitAt("/orders")
	tab.WaitVisible(closedGate)
	if status := w.replay(t, "/api/orders", ticket); status != http.StatusUnauthorized {
		t.Errorf("the old ticket is good for %d", status)
	}

	// Out at the provider too: it asks for the password again.
	tab.Follow(closedGate)
	tab.WaitVisible(loginName)

	w.noTokenIsInReach(t, tab)
	w.provider.stop()
	if told := w.provider.told("grant.error", "introspection.error", "revocation.error", "server_error", "authorization.error"); len(told) > 0 {
		t.Errorf("the provider complained: %+v", told)
	}
	if told := w.provider.told("end_session.success"); len(told) != 1 {
		t.Errorf("the provider ended %d sessions", len(told))
	}
}

// noTokenIsInReach searches what the browser saw and kept, and our log, for
// every token that the provider gave out. Only the ID token may be found: as
// the hint of the sign-out, and as the provider's pages then tell their own
// origin where they were.
func (w *world) noTokenIsInReach(t *testing.T, tab *stage.Tab) {
	t.Helper()
	w.mu.Lock()
	needles := stage.Needles(w.issued)
	w.mu.Unlock()
	hays := append(w.browser.Wire(), tab.Remains()...)
	hays = append(append(hays, w.browser.Consoles()...), stage.Hay{Place: "the application's log", Text: w.log.String()})
	hints := 0
	for _, f := range stage.Search(hays, needles) {
		hint := slices.Contains([]string{
			"GET " + w.Origin + shared.PathLogout + " response header Location",
			"GET " + w.Origin + shared.PathLogout + " response body",
			"GET " + w.IDPOrigin + pathEndSession + " URL",
			"POST " + w.IDPOrigin + pathEndSession + "/confirm request header Referer",
			"GET " + w.IDPOrigin + "/favicon.ico request header Referer",
		}, f.Place)
		if f.Kind != shared.TokenID || !hint {
			t.Errorf("a token is in reach: %v", f)
			continue
		}
		hints++
	}
	if hints == 0 {
		t.Error("the search did not find even the hint")
	}
}

// TestRotationIsNeverTakenForTheft renews again and again, one call after the
// other and many at once: no refresh token is used twice, which this provider
// would punish. When a thief does use one twice, the session is over.
func TestRotationIsNeverTakenForTheft(t *testing.T) {
	t.Parallel()
	w := open(t, options{provider: map[string]any{"accessSeconds": shortLived}})
	tab := w.signIn(t, "")
	const inTurn = 2
	for range inTurn {
		outlive(t, w.expiry())
		orders(t, tab, 1)
	}
	if n := len(w.renewals()); n != inTurn {
		t.Errorf("%d renewals for %d calls", n, inTurn)
	}
	outlive(t, w.expiry())
	orders(t, tab, 9)
	used := map[string]bool{}
	for _, one := range w.renewals() {
		if token := one.Form.Get("refresh_token"); one.Status != http.StatusOK || used[token] {
			t.Errorf("a renewal got %d, and its refresh token was used before: %v", one.Status, used[token])
		} else {
			used[token] = true
		}
	}

	status, answer, err := w.post(pathToken, clientID, clientSecret, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {w.tokens(shared.TokenRefresh)[0]},
	})
	if err != nil || status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Fatalf("the provider answers a used refresh token with %d %v (%v)", status, answer["error"], err)
	}
	outlive(t, w.expiry())
	if a := tab.Call("GET", "/api/orders"); a.Status != http.StatusUnauthorized || !strings.Contains(a.Body, string(problem.SessionEnded)) {
		t.Errorf("after the theft the API answers %d %s", a.Status, a.Body)
	}
	if a := tab.Call("GET", shared.PathUser); a.Status != http.StatusUnauthorized {
		t.Errorf("after the theft somebody is signed in: %d", a.Status)
	}

	w.provider.stop()
	revoked, refused := w.provider.told("grant.revoked"), w.provider.told("grant.error")
	if len(revoked) != 1 || len(refused) != 2 { // the thief, and then our own
		t.Errorf("the provider revoked %d grants and refused %+v", len(revoked), refused)
	}
}

// TestOfflineAccessAsTheStandardHasIt: this provider, left as it is, gives a
// refresh token only to who asks for offline_access and for consent (OIDC Core
// §11).
func TestOfflineAccessAsTheStandardHasIt(t *testing.T) {
	t.Parallel()
	w := open(t, options{provider: map[string]any{"accessSeconds": shortLived, "renewedSeconds": 3600, "strictOffline": true}})
	tab := w.signIn(t, "&prompt=consent")
	outlive(t, w.expiry())
	orders(t, tab, 1)
	if n := len(w.renewals()); n != 1 {
		t.Errorf("%d renewals", n)
	}
	if scope, _ := w.api.admitted(t).Facts["scope"].(string); !slices.Contains(strings.Fields(scope), "offline_access") {
		t.Errorf("the token is for %q", scope)
	}
}

// TestStayingSignedInAtTheProvider: who answers no to the provider's question
// is signed out of the application all the same, and back without a password.
func TestStayingSignedInAtTheProvider(t *testing.T) {
	t.Parallel()
	w := open(t, options{client: map[string]any{"token_endpoint_auth_method": "client_secret_post"},
		config: map[string]any{"client_auth": "client_secret_post"}})
	tab := w.signIn(t, "")
	access := w.last(t, shared.TokenAccess)
	leave(t, tab, "/")
	if w.alive(t, access) {
		t.Error("the provider honours a token of an ended session")
	}
	tab.Click(confirmNo)
	tab.WaitAt("/")
	if a := tab.Call("GET", shared.PathUser); a.Status != http.StatusUnauthorized {
		t.Errorf("somebody is signed in: %d", a.Status)
	}
	tab.Eval(`void (location.href = "/bff/login?returnUrl=/")`, nil)
	agree(tab, "/")
	orders(t, tab, 1)
	for _, one := range w.provider.told("grant.success") {
		if one.Auth != "client_secret_post" {
			t.Errorf("the client proved itself by %s", one.Auth)
		}
	}
}

// TestACancelledSignIn ends at our page that says so, and at no session.
func TestACancelledSignIn(t *testing.T) {
	t.Parallel()
	w := open(t, options{})
	w.browser.ForgiveText("403 (Forbidden)")
	tab := w.browser.NewTab(t)
	tab.Go(shared.PathLogin)
	tab.WaitVisible(loginName)
	tab.Click(`a[href$="/abort"]`)
	tab.WaitVisible("p.code")
	if text := tab.Text("p.code"); !strings.Contains(text, string(problem.LoginDenied)) {
		t.Errorf("the page says %q", text)
	}
	if tab.Cookie(shared.CookieName) != nil || len(w.asked(pathToken)) > 0 {
		t.Error("there is a session, or a code was redeemed")
	}
}

// replay asks the application with nothing but a ticket, as a thief's program
// would.
func (w *world) replay(t *testing.T, path, ticket string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.Origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", shared.CookieName+"="+ticket)
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
