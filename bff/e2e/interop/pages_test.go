package interop_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// What the tests find on the pages: the application's,
const (
	signInLink = `.who a[href^="/bff/login"]`
	whoIsThere = `.who a[href="/session"]`
	closedGate = `main .gate a[href^="/bff/login"]`
	orderRows  = `main table tbody tr:not(.saving)`
)

// and the provider's.
const (
	loginName   = `input[name=login]`
	consentForm = `form:has(input[name=prompt][value=consent])`
	submit      = `button.login-submit`
	confirmYes  = `button[name=logout][value=yes]`
	confirmNo   = `button[form="op.logoutForm"]:not([name])`
)

// authenticate signs in on the provider's page.
func authenticate(tab *stage.Tab) {
	tab.Click(loginName)
	tab.Type(user)
	tab.Click(`input[name=password]`)
	tab.Type("any will do")
	tab.Click(submit)
}

// agree consents on the provider's page, and waits for the way back to end.
func agree(tab *stage.Tab, path string) {
	tab.WaitVisible(consentForm)
	tab.Click(submit)
	tab.WaitAt(path)
}

// signIn is the whole way in, to the bare page; query is more of the login's,
// such as "&prompt=consent".
func (w *world) signIn(t *testing.T, query string) *stage.Tab {
	t.Helper()
	tab := w.browser.NewTab(t)
	tab.Go(shared.PathLogin + "?returnUrl=/" + query)
	authenticate(tab)
	agree(tab, "/")
	return tab
}

// leave follows the link to sign out, as far as the provider's question
// whether that is meant.
func leave(t *testing.T, tab *stage.Tab, returnURL string) {
	t.Helper()
	link, _ := claims(t, tab)[shared.ClaimLogoutURL].(string)
	tab.Eval(`void (location.href = `+quote(link+"&"+shared.ParamReturnURL+"="+returnURL)+`)`, nil)
	tab.WaitVisible(confirmYes)
}

// quote makes a JavaScript string literal.
func quote(text string) string {
	literal, _ := json.Marshal(text)
	return string(literal)
}

// claims is what the application tells its page of who is there.
func claims(t *testing.T, tab *stage.Tab) map[string]any {
	t.Helper()
	a := tab.Call("GET", shared.PathUser)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", shared.PathUser, a.Status, a.Body)
	}
	var list []shared.Claim
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	for _, claim := range list {
		said[claim.Type] = claim.Value
	}
	return said
}

// orders calls the API from the page, n times at once, and wants every call
// answered.
func orders(t *testing.T, tab *stage.Tab, n int) {
	t.Helper()
	var statuses []int
	tab.Eval(`Promise.all(Array.from({length: `+strconv.Itoa(n)+`}, () => fetch("/api/orders", {headers: {"X-CSRF": "1"}}).then((r) => r.status)))`, &statuses)
	for _, status := range statuses {
		if status != http.StatusOK {
			t.Errorf("the API answered %d", status)
		}
	}
	if len(statuses) != n {
		t.Errorf("%d answers to %d calls", len(statuses), n)
	}
}
