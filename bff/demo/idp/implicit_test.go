package idp_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/secret"
	"cloakroom/shared"
)

// withImplicitClient makes one of the two public clients insecure.
func withImplicitClient(cfg *idp.Config) {
	withPublicClients(cfg)
	cfg.Clients[slices.IndexFunc(cfg.Clients, func(c idp.Client) bool { return c.ID == publicID })].InsecureImplicit = true
}

// forToken asks for a token, as the page or, with change, as somebody else.
func forToken(change url.Values) url.Values {
	asked := url.Values{
		"response_type": {"token"}, "client_id": {publicID}, "redirect_uri": {publicCallback}, "code_challenge": {""}, "code_challenge_method": {""},
	}
	for name, values := range change {
		asked[name] = values
	}
	return asked
}

func TestTheImplicitGrantPutsATokenIntoTheAddress(t *testing.T) {
	p := newParty(t, withImplicitClient)
	back, err := url.Parse(idptest.SignIn(t, p.browser, p.authURL(forToken(nil)), "alice", "wonderland"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := url.ParseQuery(back.Fragment)
	if err != nil || back.RawQuery != "" {
		t.Fatalf("%v; the query is %q", err, back.RawQuery)
	}
	if got.Get("state") != "state-1" || got.Get("iss") != p.Issuer() || got.Get("token_type") != "Bearer" || got.Get("expires_in") != "60" {
		t.Errorf("the answer is %v", got)
	}
	for _, name := range []string{"code", "refresh_token", "id_token"} {
		if got.Has(name) {
			t.Errorf("a %s is in it", name)
		}
	}
	typ, claims := p.mustVerify(got.Get("access_token"))
	if typ != "at+jwt" || claims["aud"] != audience || claims["sub"] != "user-alice" || claims["client_id"] != publicID {
		t.Errorf("%s %v", typ, claims)
	}
	if status, _ := p.userinfo(got.Get("access_token")); status != http.StatusOK {
		t.Errorf("userinfo answers %d", status)
	}
	if seen := p.seen(shared.TokenAccess); len(seen) != 1 || len(p.seen(shared.TokenID)) != 0 || len(p.seen(shared.TokenRefresh)) != 0 {
		t.Errorf("%d access tokens were issued, and others", len(seen))
	}
	t.Run("and the code grant is still there, with PKCE", func(t *testing.T) {
		if p.signIn("alice", "wonderland", asPage).Get("code") == "" {
			t.Error("no code")
		}
		if got := answer(t, p.visit(p.authURL(url.Values{"client_id": {publicID}, "redirect_uri": {publicCallback}, "code_challenge": {""}, "code_challenge_method": {""}})).Callback); got.Get("error") != "invalid_request" {
			t.Errorf("without: %v", got)
		}
	})
}

func TestTheImplicitGrantIsForNobodyElse(t *testing.T) { // BBA-57
	other := url.Values{"client_id": {"page2"}, "redirect_uri": {"http://two.localhost:8080/"}}
	for _, row := range []struct {
		name string
		edit func(*idp.Config)
		ask  url.Values
	}{
		{"another public client", withImplicitClient, forToken(other)},
		{"a client with a secret", withImplicitClient, forToken(url.Values{"client_id": {clientID}, "redirect_uri": {callback}})},
		{"the client, where it is off", withPublicClients, forToken(nil)},
		{"the client, into the query", withImplicitClient, forToken(url.Values{"response_mode": {"query"}})},
		{"the client, for another API", withImplicitClient, forToken(url.Values{"resource": {"https://api.example"}})},
		{"the client, with an ID token", withImplicitClient, forToken(url.Values{"response_type": {"id_token token"}})},
		{"the client, with a code", withImplicitClient, forToken(url.Values{"response_type": {"code token"}})},
		{"the client, elsewhere", withImplicitClient, forToken(url.Values{"redirect_uri": {publicCallback + "x"}})},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newParty(t, row.edit)
			p.signIn("alice", "wonderland", nil)
			before := len(p.seen(shared.TokenAccess))
			page := p.visit(p.authURL(row.ask))
			if page.Action != "" || strings.Contains(page.Callback, "access_token=") || len(p.seen(shared.TokenAccess)) != before {
				t.Errorf("%d %q", page.Status, page.Callback)
			}
		})
	}
	t.Run("a silent request that needs the person", func(t *testing.T) {
		p := newParty(t, withImplicitClient)
		back := p.visit(p.authURL(forToken(url.Values{"prompt": {"none"}}))).Callback
		if !strings.HasPrefix(back, publicCallback+"#") || !strings.Contains(back, "error=login_required") {
			t.Errorf("is answered %q", back)
		}
	})
	t.Run("a config with it for a client with a secret", func(t *testing.T) {
		_, err := idp.New(idp.Config{Issuer: "http://idp.localhost", SigningKey: oneKey(), Clients: []idp.Client{{
			ID: "a", Secret: secret.New("x"), RedirectURIs: []string{callback}, InsecureImplicit: true,
		}}})
		if err == nil {
			t.Error("is taken")
		}
	})
	t.Run("the metadata", func(t *testing.T) {
		for on, edit := range map[bool]func(*idp.Config){false: withPublicClients, true: withImplicitClient} {
			var got struct {
				Types  []string `json:"response_types_supported"`
				Grants []string `json:"grant_types_supported"`
			}
			newParty(t, edit).getJSON("/.well-known/openid-configuration", &got)
			if slices.Contains(got.Types, "token") != on || slices.Contains(got.Grants, "implicit") != on {
				t.Errorf("with it %t: %v", on, got)
			}
		}
	})
}
