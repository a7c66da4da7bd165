package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// follow goes from the BFF's login to the provider and returns where the
// provider sends the browser on, without anybody doing anything.
func (v *visitor) follow(t testing.TB, query string) string {
	t.Helper()
	begun := v.visit(t, v.origin+shared.PathLogin+query)
	if begun.StatusCode != http.StatusSeeOther {
		t.Fatalf("login: %d %s", begun.StatusCode, begun.body)
	}
	answered := v.visit(t, begun.Header.Get("Location"))
	for range 3 { // the provider may have steps of its own
		next := answered.Header.Get("Location")
		if strings.HasPrefix(next, v.origin+shared.PathCallback) {
			return next
		}
		u, err := answered.Request.URL.Parse(next)
		if err != nil || next == "" {
			t.Fatalf("the provider answered %d to %q: %s", answered.StatusCode, next, answered.body)
		}
		answered = v.visit(t, u.String())
	}
	t.Fatal("the provider never came to an end")
	return ""
}

func TestASilentSignInAtTheProvider(t *testing.T) {
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	const silent = "?prompt=none&returnUrl=/orders"

	callback := v.follow(t, silent)
	if u, _ := url.Parse(callback); u.Query().Get("error") != "login_required" {
		t.Errorf("the provider says %s", callback)
	}
	back := v.visit(t, callback)
	if back.StatusCode != http.StatusSeeOther || back.Header.Get("Location") != "/orders" {
		t.Errorf("nobody is signed in at the provider: %d to %q", back.StatusCode, back.Header.Get("Location"))
	}
	v.mustBe(t, http.StatusUnauthorized)

	v.signIn(t)
	before := v.ticket(t)
	back = v.visit(t, v.follow(t, silent))
	if back.StatusCode != http.StatusSeeOther || back.Header.Get("Location") != "/orders" {
		t.Errorf("somebody is: %d to %q, %s", back.StatusCode, back.Header.Get("Location"), back.body)
	}
	if now := v.ticket(t); now == "" || now == before {
		t.Error("no new session")
	}
	v.mustBe(t, http.StatusOK)
}

func TestAFreshSignInAtTheProvider(t *testing.T) {
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	v.signIn(t)
	callback := idptest.SignIn(t, v.Client, v.origin+shared.PathLogin+"?max_age=0", "alice", password)
	if got := v.visit(t, callback); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a fresh sign-in: %d %s", got.StatusCode, got.body)
	}
	v.mustBe(t, http.StatusOK)
	for _, query := range []string{"?max_age=-1", "?max_age=soon", "?acr_values=%22"} {
		if got := v.visit(t, v.origin+shared.PathLogin+query); got.pageCode() != problem.ParameterInvalid {
			t.Errorf("%s: %d %s", query, got.StatusCode, got.body)
		}
	}
}

// The provider knows no ways of signing in and so says none.
func TestASignInThatIsTooWeakIsNone(t *testing.T) {
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	callback := idptest.SignIn(t, v.Client, v.origin+shared.PathLogin+"?acr_values=urn:gold", "alice", password)
	if got := v.visit(t, callback); got.pageCode() != problem.LoginTooWeak || got.StatusCode != http.StatusForbidden {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	v.mustBe(t, http.StatusUnauthorized)
}

// The stage's provider says all it knows in the ID token already: what shows
// here is that it takes our token and that both speak of the same user.
func TestASignInThatAsksForUserInfo(t *testing.T) {
	s := open(t, "http", "", "CLOAKROOM_PROVIDER_USERINFO=true")
	v := newVisitor(t, s.origin)
	v.signIn(t)
	if got := v.call(t, http.MethodGet, shared.PathUser); !strings.Contains(got.body, "alice@example.com") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// The stage's provider knows one resource, which is itself.
func TestASignInNamesItsResources(t *testing.T) {
	s := open(t, "http", "", `CLOAKROOM_API=[{path: /api/, upstream: "http://127.0.0.1:1/", resource: "urn:unknown"}]`)
	v := newVisitor(t, s.origin)
	callback := v.follow(t, "")
	if u, _ := url.Parse(callback); u.Query().Get("error") != "invalid_target" {
		t.Errorf("the provider says %s", callback)
	}
	if got := v.visit(t, callback); got.pageCode() != problem.ProviderError {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestTheConfigSaysHowLongTheProviderMayTake(t *testing.T) {
	s := open(t, "http", "", "CLOAKROOM_PROVIDER_TIMEOUT=1s")
	v := newVisitor(t, s.origin)
	callback := v.begin(t)
	s.idp.SetFault(idp.FaultTokenSlow)
	defer s.idp.SetFault(idp.FaultNone)
	v.Timeout = 12 * time.Second // less than the default, so that a lost setting fails here
	if got := v.visit(t, callback); got.pageCode() != problem.ProviderTimeout {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
