package idp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/secret"
)

const (
	publicID       = "page"
	publicOrigin   = "http://page.localhost:8080"
	publicCallback = publicOrigin + "/"
)

// withPublicClients adds an application in the browser, and a second one that
// must not be taken for it.
func withPublicClients(cfg *idp.Config) {
	cfg.Clients = append(cfg.Clients,
		idp.Client{ID: publicID, Public: true, RedirectURIs: []string{publicCallback}, AllowedOrigins: []string{publicOrigin}},
		idp.Client{ID: "page2", Public: true, RedirectURIs: []string{"http://two.localhost:8080/"}, AllowedOrigins: []string{"http://two.localhost:8080"}})
}

var asPage = url.Values{"client_id": {publicID}, "redirect_uri": {publicCallback}}

func publicForm(form url.Values) url.Values {
	form.Set("client_id", publicID)
	if form.Has("redirect_uri") {
		form.Set("redirect_uri", publicCallback)
	}
	return form
}

func TestAPublicClientHasNoSecretAndMustUsePKCE(t *testing.T) { // BBA-45, BBA-52
	p := newParty(t, withPublicClients)
	code := func() string { return p.signIn("alice", "wonderland", asPage).Get("code") }
	with := func(name, value string) url.Values {
		form := publicForm(codeForm(code()))
		form.Set(name, value)
		return form
	}
	without := func(name string) url.Values { form := publicForm(codeForm(code())); form.Del(name); return form }

	for _, row := range []struct {
		name   string
		form   url.Values
		status int
		code   string
	}{
		{"its verifier alone is enough", publicForm(codeForm(code())), 200, ""},
		{"a secret is not believed, and not wanted", with("client_secret", "anything"), 200, ""},
		{"no verifier", without("code_verifier"), 400, "invalid_grant"},
		{"a wrong verifier", with("code_verifier", strings.Repeat("x", 43)), 400, "invalid_grant"},
		{"another public client", with("client_id", "page2"), 400, "invalid_grant"},
		{"a confidential client without its secret", with("client_id", clientID), 401, "invalid_client"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := p.post("/oauth/token", row.form); got.Status != row.status || got.Error != row.code || (got.Access != "") != (row.code == "") {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		})
	}
	t.Run("a request without a challenge never gets a code", func(t *testing.T) {
		for name, change := range map[string]url.Values{
			"none": {"code_challenge": {""}, "code_challenge_method": {""}}, "plain": {"code_challenge_method": {"plain"}},
		} {
			for k, v := range asPage {
				change[k] = v
			}
			page := p.visit(p.authURL(change))
			if got := answer(t, page.Callback); got.Get("error") != "invalid_request" || got.Get("code") != "" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

func TestAPublicClientsRefreshTokenIsGoodOnceAndAnOldOneEndsTheFamily(t *testing.T) { // BBA-48
	p := newParty(t, withPublicClients)
	first := p.post("/oauth/token", publicForm(codeForm(p.signIn("alice", "wonderland", asPage).Get("code"))))
	second := p.post("/oauth/token", publicForm(refreshForm(first.Refresh)))
	if second.Status != http.StatusOK || second.Refresh == "" || second.Refresh == first.Refresh {
		t.Fatalf("refresh: %d %s", second.Status, second.Body)
	}
	if again := p.post("/oauth/token", publicForm(refreshForm(first.Refresh))); again.Error != "invalid_grant" {
		t.Errorf("an old token: %d %s", again.Status, again.Body)
	}
	if after := p.post("/oauth/token", publicForm(refreshForm(second.Refresh))); after.Error != "invalid_grant" {
		t.Errorf("the family lives on: %d %s", after.Status, after.Body)
	}
}

func TestATokenIsForTheAPIThatIsNamed(t *testing.T) { // RFC 8707 §2.2
	p := newParty(t)
	form := refreshForm(p.alice().Refresh)
	form.Set("resource", "https://api.example")
	if got := p.post("/oauth/token", form); got.Error != "invalid_target" || got.Access != "" {
		t.Errorf("another API: %d %s", got.Status, got.Body)
	}
	form.Set("resource", audience)
	if got := p.post("/oauth/token", form); got.Status != http.StatusOK {
		t.Errorf("the API: %d %s", got.Status, got.Body)
	}
}

func TestAPublicClientMayRevokeItsTokensAndNoOthers(t *testing.T) {
	p := newParty(t, withPublicClients)
	page := p.post("/oauth/token", publicForm(codeForm(p.signIn("alice", "wonderland", asPage).Get("code"))))
	app := p.alice()
	if got := p.post("/revoke", url.Values{"client_id": {publicID}, "token": {app.Refresh}}); got.Status == http.StatusOK {
		t.Error("the token of another client is revoked")
	}
	if got := p.post("/oauth/token", refreshForm(app.Refresh)); got.Status != http.StatusOK {
		t.Errorf("the other client's token is dead: %s", got.Body)
	}
	if got := p.post("/revoke", url.Values{"client_id": {publicID}, "token": {page.Refresh}}); got.Status != http.StatusOK {
		t.Fatalf("revoke: %d %s", got.Status, got.Body)
	}
	if got := p.post("/oauth/token", publicForm(refreshForm(page.Refresh))); got.Error != "invalid_grant" {
		t.Errorf("a revoked token: %d %s", got.Status, got.Body)
	}
}

func TestAPageMayReadWhatItsClientIsToldAndNoMore(t *testing.T) { // BBA-56
	p := newParty(t, withPublicClients)
	const metadata, token, revoke = "/.well-known/openid-configuration", "/oauth/token", "/revoke"
	page, app := publicForm(refreshForm("x")), url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {idp.GrantRefresh}, "refresh_token": {"x"}}
	for _, row := range []struct {
		name, method, path, origin string
		form                       url.Values
		may                        bool
	}{
		{"the metadata, by the page", "GET", metadata, publicOrigin, nil, true},
		{"the keys, by the page", "GET", "/keys", publicOrigin, nil, true},
		{"a preflight for a token, by the page", "OPTIONS", token, publicOrigin, nil, true},
		{"the answer to its client, refused or not", "POST", token, publicOrigin, page, true},
		{"the answer to a revocation of its client", "POST", revoke, publicOrigin, url.Values{"client_id": {publicID}, "token": {"x"}}, true},
		{"the answer to another public client", "POST", token, "http://two.localhost:8080", page, false},
		{"the answer to a client with a secret", "POST", token, publicOrigin, app, false},
		{"the answer to a client that is not named", "POST", token, publicOrigin, refreshForm("x"), false},
		{"the metadata, by a stranger", "GET", metadata, "https://attacker.example", nil, false},
		{"a preflight, by a stranger", "OPTIONS", token, "https://attacker.example", nil, false},
		{"the answer to the client, by a stranger", "POST", token, "https://attacker.example", page, false},
		{"the answer to the client, by a sandboxed page", "POST", token, "null", page, false},
		{"an origin that only begins alike", "POST", token, publicOrigin + "0", page, false},
		{"userinfo", "GET", "/userinfo", publicOrigin, nil, false},
		{"the authorization endpoint", "GET", "/authorize", publicOrigin, nil, false},
		{"the sign-in page", "GET", "/interaction", publicOrigin, nil, false},
		{"the sign-out", "GET", "/end_session", publicOrigin, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, p.Issuer()+row.path, strings.NewReader(row.form.Encode()))
			r.Header.Set("Origin", row.origin)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if row.method == http.MethodOptions {
				r.Header.Set("Access-Control-Request-Method", "POST")
			}
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			want := ""
			if row.may {
				want = row.origin
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("status %d allows %q, want %q", w.Code, got, want)
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
		})
	}
}

func TestWithoutAPublicClientNothingIsSaidOfThem(t *testing.T) {
	methods := func(p *party) []string {
		var got struct {
			Methods []string `json:"token_endpoint_auth_methods_supported"`
		}
		p.getJSON("/.well-known/openid-configuration", &got)
		return got.Methods
	}
	if slices.Contains(methods(newParty(t)), "none") {
		t.Error("none is announced")
	}
	if !slices.Contains(methods(newParty(t, withPublicClients)), "none") {
		t.Error("none is not announced")
	}
	r := httptest.NewRequest(http.MethodOptions, "/oauth/token", nil)
	r.Header.Set("Origin", publicOrigin)
	r.Header.Set("Access-Control-Request-Method", "POST")
	w := httptest.NewRecorder()
	newParty(t).ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Vary") != "" {
		t.Errorf("a preflight got %d, Vary %q", w.Code, w.Header().Get("Vary"))
	}
}

func TestAPublicClientIsRefusedWhen(t *testing.T) {
	page := idp.Client{ID: publicID, Public: true, RedirectURIs: []string{publicCallback}}
	for name, spoil := range map[string]func(*idp.Client){
		"it has a secret":        func(c *idp.Client) { c.Secret = secret.New("x") },
		"an origin is a pattern": func(c *idp.Client) { c.AllowedOrigins = []string{"http://*.localhost:8080"} },
		"an origin is every":     func(c *idp.Client) { c.AllowedOrigins = []string{"*"} },
		"an origin is null":      func(c *idp.Client) { c.AllowedOrigins = []string{"null"} },
		"an origin has a path":   func(c *idp.Client) { c.AllowedOrigins = []string{publicOrigin + "/"} },
		"a client with a secret has origins": func(c *idp.Client) {
			c.Public, c.Secret, c.AllowedOrigins = false, secret.New("x"), []string{publicOrigin}
		},
	} {
		client := page
		spoil(&client)
		if _, err := idp.New(idp.Config{Issuer: "http://idp.localhost:8080", Clients: []idp.Client{client}, SigningKey: oneKey()}); err == nil {
			t.Errorf("it is not refused when %s", name)
		}
	}
	if _, err := idp.New(idp.Config{Issuer: "http://idp.localhost:8080", Clients: []idp.Client{page}, SigningKey: oneKey()}); err != nil {
		t.Error(err)
	}
}
