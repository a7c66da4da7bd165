package idp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/demo/idp"
)

func (p *party) endSession(params url.Values) string {
	return p.Issuer() + "/end_session?" + params.Encode()
}

func TestLogoutEndsTheSessionAndItsTokens(t *testing.T) {
	p := newParty(t)
	got := p.alice()
	page := p.visit(p.endSession(url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {afterLogout}, "state": {"bye"}}))
	if page.Callback != afterLogout+"?state=bye" {
		t.Fatalf("sent to %q (%d %s)", page.Callback, page.Status, page.Text)
	}
	if refreshed := p.post("/oauth/token", refreshForm(got.Refresh)); refreshed.Error != "invalid_grant" { // BBA-51
		t.Errorf("the refresh token outlived the logout: %s", refreshed.Body)
	}
	if status, _ := p.userinfo(got.Access); status != http.StatusUnauthorized {
		t.Errorf("the access token outlived the logout: %d", status)
	}
	if page = p.visit(p.authURL(nil)); !page.Has("password") {
		t.Errorf("still signed in: %s", page.Callback)
	}
}

func TestAnExpiredHintStillLogsOut(t *testing.T) {
	p := newParty(t)
	got := p.alice()
	p.clock.Advance(time.Hour)
	page := p.visit(p.endSession(url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {afterLogout}}))
	if page.Callback != afterLogout || len(p.Families()) != 0 {
		t.Errorf("sent to %q, families %+v", page.Callback, p.Families())
	}
}

func TestLogoutRefuses(t *testing.T) {
	p := newParty(t)
	got := p.alice()
	foreign, err := p.Sign("JWT", map[string]any{"iss": "https://elsewhere.example", "sub": "user-alice", "azp": clientID, "aud": clientID, "sid": p.Families()[0].SID})
	if err != nil {
		t.Fatal(err)
	}
	for name, params := range map[string]url.Values{
		"another URI":           {"id_token_hint": {got.ID}, "post_logout_redirect_uri": {afterLogout + "/"}},
		"an attacker's URI":     {"id_token_hint": {got.ID}, "post_logout_redirect_uri": {"http://attacker.example/"}},
		"a URI and no client":   {"post_logout_redirect_uri": {afterLogout}},
		"another client":        {"id_token_hint": {got.ID}, "client_id": {"other"}},
		"a broken hint":         {"id_token_hint": {got.ID[:len(got.ID)-4] + "AAAA"}},
		"a hint of another OP":  {"id_token_hint": {foreign}},
		"an access token":       {"id_token_hint": {got.Access}, "post_logout_redirect_uri": {"http://attacker.example/"}},
		"a parameter twice":     {"id_token_hint": {got.ID}, "state": {"a", "b"}},
		"an unknown client":     {"client_id": {"nobody"}},
		"an unregistered login": {"client_id": {clientID}, "post_logout_redirect_uri": {callback}},
	} {
		page := p.visit(p.endSession(params))
		if page.Callback != "" || page.Status != http.StatusBadRequest {
			t.Errorf("%s: %d, sent to %q", name, page.Status, page.Callback)
		}
	}
	if len(p.Families()) != 1 {
		t.Error("a refused logout logged out")
	}
}

func TestLogoutWithoutProofAsksFirst(t *testing.T) {
	p := newParty(t)
	p.alice()
	page := p.visit(p.endSession(url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {afterLogout}, "state": {"bye"}}))
	if page.Action == "" || !strings.Contains(page.Text, "Alice Liddell") || len(p.Families()) != 1 {
		t.Fatalf("not asked: %d %s %q", page.Status, page.Text, page.Callback)
	}
	forged := page.Submit(t, url.Values{"form_token": {"00"}})
	if forged.Status != http.StatusForbidden || len(p.Families()) != 1 {
		t.Fatalf("a forged yes: %d", forged.Status)
	}
	if page = page.Submit(t, nil); page.Callback != afterLogout+"?state=bye" || len(p.Families()) != 0 {
		t.Errorf("yes: sent to %q, families %+v", page.Callback, p.Families())
	}
	if page = p.visit(p.endSession(nil)); page.Action != "" || !strings.Contains(page.Text, "You are signed out") {
		t.Errorf("nobody signed in, and asked: %s", page.Text)
	}
}

func TestAHintOfAnotherSessionAsksFirst(t *testing.T) {
	p := newParty(t)
	stolen := p.alice().ID
	p.browser = newBrowser(t)
	p.tokensFor("bob", "builder")
	page := p.visit(p.endSession(url.Values{"id_token_hint": {stolen}, "post_logout_redirect_uri": {afterLogout}}))
	if page.Action == "" || len(p.Families()) != 2 {
		t.Errorf("bob was signed out with alice's token: %s", page.Callback)
	}
}

func TestAnotherPersonAtTheSameBrowserEndsTheFirstSession(t *testing.T) {
	p := newParty(t)
	p.alice()
	p.signIn("bob", "builder", url.Values{"prompt": {"login"}})
	for _, family := range p.Families() {
		if family.Subject == "user-alice" {
			t.Error("alice's tokens live on behind bob's session")
		}
	}
}

// listener is a client's back-channel logout endpoint.
func listener(t *testing.T, status int) (uri string, received func() []string) {
	t.Helper()
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			got <- r.PostFormValue("logout_token")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		var all []string
		for {
			select {
			case token := <-got:
				all = append(all, token)
			default:
				return all
			}
		}
	}
}

func TestBackChannelLogoutReachesTheClientsOfTheSession(t *testing.T) {
	uri, received := listener(t, http.StatusOK)
	otherURI, otherReceived := listener(t, http.StatusOK)
	p := newParty(t, func(cfg *idp.Config) {
		cfg.Clients[0].BackChannelLogoutURI = uri
		cfg.Clients[1].BackChannelLogoutURI = otherURI
	})
	got := p.alice()
	sid := p.Families()[0].SID
	p.visit(p.endSession(url.Values{"id_token_hint": {got.ID}}))

	tokens := received()
	if len(tokens) != 1 || len(otherReceived()) != 0 {
		t.Fatalf("the client got %d logout tokens, the one that was not used %d", len(tokens), len(otherReceived()))
	}
	typ, claims := p.mustVerify(tokens[0])
	jti, _ := claims["jti"].(string)
	now := float64(p.clock.Now().Unix())
	want := map[string]any{ // OIDC Back-Channel Logout 1.0 §2.4
		"iss": p.Issuer(), "aud": clientID, "sub": "user-alice", "sid": sid, "iat": now, "exp": now + 120, "jti": jti,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("logout token (-want +got):\n%s", diff)
	}
	if typ != "logout+jwt" || jti == "" {
		t.Errorf("typ %q, jti %q", typ, jti)
	}
	if seen := p.seen(idp.KindLogout); len(seen) != 1 || seen[0] != tokens[0] {
		t.Error("OnIssue was not told")
	}
}

func TestAnAdministratorEndsASession(t *testing.T) {
	uri, received := listener(t, http.StatusInternalServerError)
	p := newParty(t, func(cfg *idp.Config) { cfg.Clients[0].BackChannelLogoutURI = uri })
	p.alice()
	sid := p.Families()[0].SID
	if err := p.EndSession(t.Context(), sid); err != nil {
		t.Fatal(err)
	}
	if len(received()) != 1 || len(p.Families()) != 0 {
		t.Error("the client was not told, or the tokens live on")
	}
	if err := p.EndSession(t.Context(), sid); err == nil {
		t.Error("a session ended twice")
	}
}

func TestACodeOfAnEndedSessionIsWorthless(t *testing.T) {
	p := newParty(t)
	first := p.alice()
	code := answer(t, p.visit(p.authURL(nil)).Callback).Get("code")
	p.visit(p.endSession(url.Values{"id_token_hint": {first.ID}}))
	if got := p.post("/oauth/token", codeForm(code)); got.Error != "invalid_grant" {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}
