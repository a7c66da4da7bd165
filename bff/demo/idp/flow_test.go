package idp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"cloakroom/bff/demo/idp"
	"cloakroom/shared"
)

func TestTheWholeFlowGivesTokensThatVerify(t *testing.T) {
	p := newParty(t)
	params := p.signIn("alice", "wonderland", nil)
	if params.Get("state") != "state-1" || params.Get("iss") != p.Issuer() { // RFC 9207 §2
		t.Fatalf("callback parameters: %v", params)
	}
	got := p.post("/oauth/token", codeForm(params.Get("code")))
	if got.Status != http.StatusOK || got.Type != "Bearer" || got.ExpiresIn != 60 || got.Scope != allScopes {
		t.Fatalf("token answer %d: %s", got.Status, got.Body)
	}
	if cache := got.Header.Get("Cache-Control"); cache != "no-store" { // RFC 6749 §5.1
		t.Errorf("Cache-Control of the token answer is %q", cache)
	}

	now := float64(p.clock.Now().Unix())
	typ, access := p.mustVerify(got.Access)
	if typ != "at+jwt" {
		t.Errorf("typ of the access token is %q (RFC 9068 §2.1)", typ)
	}
	jti, _ := access["jti"].(string)
	if len(jti) != 32 {
		t.Errorf("jti %q", jti)
	}
	want := map[string]any{
		"iss": p.Issuer(), "aud": audience, "sub": "user-alice", "client_id": clientID,
		"iat": now, "exp": now + 60, "jti": jti, "scope": allScopes,
	}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Errorf("access token claims (-want +got):\n%s", diff)
	}

	typ, id := p.mustVerify(got.ID)
	sid := p.Families()[0].SID
	half := sha256.Sum256([]byte(got.Access))
	delete(id, "c_hash")
	want = map[string]any{
		"iss": p.Issuer(), "aud": []any{clientID}, "azp": clientID, "client_id": clientID, "sub": "user-alice",
		"iat": now, "exp": now + 600, "auth_time": now, "nonce": "nonce-1", "sid": sid, "amr": []any{"pwd"},
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]), // OIDC Core §3.1.3.6
		"name":    "Alice Liddell", "preferred_username": "alice", "email": "alice@example.com", "email_verified": true,
	}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Errorf("ID token claims (-want +got):\n%s", diff)
	}
	if typ != "JWT" || sid == "" {
		t.Errorf("typ %q, sid %q", typ, sid)
	}

	status, info := p.userinfo(got.Access)
	if status != http.StatusOK || info["sub"] != "user-alice" || info["name"] != "Alice Liddell" {
		t.Errorf("userinfo %d %v", status, info)
	}
	for kind, token := range map[string]string{
		shared.TokenAccess: got.Access, shared.TokenRefresh: got.Refresh, shared.TokenID: got.ID, idp.KindCode: params.Get("code"),
	} {
		if !slices.Contains(p.seen(kind), token) {
			t.Errorf("OnIssue was not told of the %s", kind)
		}
	}
}

// Another library's client, so that provider and tests do not agree on a mistake.
func TestAnIndependentClientIsSatisfied(t *testing.T) {
	p := newParty(t)
	got := p.alice()
	provider, err := oidc.NewProvider(t.Context(), p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: clientID}).Verify(t.Context(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.VerifyAccessToken(got.Access); err != nil {
		t.Error(err)
	}
	if token.Subject != "user-alice" || token.Nonce != "nonce-1" {
		t.Errorf("%+v", token)
	}
	info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: got.Access}))
	if err != nil || info.Email != "alice@example.com" || !info.EmailVerified {
		t.Errorf("userinfo %+v, %v", info, err)
	}
}

func TestClaimsFollowTheScopes(t *testing.T) {
	p := newParty(t)
	code := p.signIn("bob", "builder", url.Values{"scope": {"openid email phone nonsense"}}).Get("code")
	got := p.post("/oauth/token", codeForm(code))
	_, id := p.mustVerify(got.ID)
	if id["email"] != "bob@example.com" || id["name"] != nil || id["preferred_username"] != nil {
		t.Errorf("ID token: %v", id)
	}
	if got.Refresh != "" {
		t.Error("a refresh token without offline_access")
	}
	if got.Scope != "openid email" {
		t.Errorf("scope %q", got.Scope)
	}
}

func TestMetadataAnnouncesWhatIsServed(t *testing.T) {
	p := newParty(t)
	var got map[string]any
	p.getJSON("/.well-known/openid-configuration", &got)
	for name, want := range map[string]any{
		"issuer":                                         p.Issuer(),
		"authorization_endpoint":                         p.Issuer() + "/authorize",
		"token_endpoint":                                 p.Issuer() + "/oauth/token",
		"response_types_supported":                       []any{"code"},
		"response_modes_supported":                       []any{"query"},
		"grant_types_supported":                          []any{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported":               []any{"S256"},
		"token_endpoint_auth_methods_supported":          []any{"client_secret_basic", "client_secret_post"},
		"id_token_signing_alg_values_supported":          []any{"RS256"},
		"authorization_response_iss_parameter_supported": true,
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"device_authorization_endpoint":                  nil,
		"introspection_endpoint":                         nil,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheTokenEndpointRefuses(t *testing.T) {
	p := newParty(t)
	good := func() url.Values { return codeForm(p.signIn("alice", "wonderland", nil).Get("code")) }
	with := func(form url.Values, pairs ...string) url.Values {
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	without := func(form url.Values, name string) url.Values { form.Del(name); return form }
	for _, row := range []struct {
		name   string
		form   url.Values
		status int
		code   string
	}{
		{"a wrong verifier", with(good(), "code_verifier", strings.Repeat("x", 43)), 400, "invalid_grant"},
		{"a missing verifier", without(good(), "code_verifier"), 400, "invalid_grant"},
		{"another redirect URI", with(good(), "redirect_uri", callback+"/"), 400, "invalid_grant"},
		{"a made-up code", with(good(), "code", "nonsense"), 400, "invalid_grant"},
		{"a wrong secret", with(good(), "client_id", clientID, "client_secret", "wrong"), 401, "invalid_client"},
		{"no secret", with(good(), "client_id", clientID), 401, "invalid_client"},
		{"an unknown client", with(good(), "client_id", "nobody", "client_secret", "x"), 401, "invalid_client"},
		{"a code of another client", with(good(), "client_id", "other", "client_secret", "other-secret"), 400, "invalid_grant"},
		{"a parameter sent twice", func() url.Values { f := good(); f.Add("code", "x"); return f }(), 400, "invalid_request"},
		{"the password grant", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"wonderland"}}, 400, "unsupported_grant_type"},
		{"the client credentials grant", url.Values{"grant_type": {"client_credentials"}}, 400, "unsupported_grant_type"},
		{"the device grant", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"x"}}, 400, "unauthorized_client"},
		{"the JWT bearer grant", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"x"}}, 400, "unsupported_grant_type"},
		{"no grant type", url.Values{}, 400, "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := p.post("/oauth/token", row.form)
			if got.Status != row.status || got.Error != row.code || got.Access != "" {
				t.Errorf("got %d %s, want %d %s", got.Status, got.Body, row.status, row.code)
			}
			if got.Status == 401 && !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Error("a 401 without a challenge")
			}
		})
	}
	t.Run("GET", func(t *testing.T) {
		response, err := http.Get(p.Issuer() + "/oauth/token?" + good().Encode())
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("status %d", response.StatusCode)
		}
	})
	t.Run("a parameter in the URI", func(t *testing.T) {
		form := good()
		code := form.Get("code")
		form.Del("code")
		if got := p.post("/oauth/token?code="+url.QueryEscape(code), form); got.Status != http.StatusBadRequest {
			t.Errorf("status %d", got.Status)
		}
	})
}

func TestBothWaysToSendTheSecretWork(t *testing.T) {
	p := newParty(t)
	form := codeForm(p.signIn("alice", "wonderland", nil).Get("code"))
	form.Set("client_id", clientID)
	form.Set("client_secret", clientSecret)
	if got := p.post("/oauth/token", form); got.Status != http.StatusOK {
		t.Errorf("client_secret_post: %d %s", got.Status, got.Body)
	}
}

func TestACodeUsedTwiceEndsItsFamily(t *testing.T) {
	p := newParty(t)
	form := codeForm(p.signIn("alice", "wonderland", nil).Get("code"))
	first := p.post("/oauth/token", form)
	if second := p.post("/oauth/token", form); second.Error != "invalid_grant" {
		t.Fatalf("the second use got %d %s", second.Status, second.Body)
	}
	if got := p.post("/oauth/token", refreshForm(first.Refresh)); got.Error != "invalid_grant" { // RFC 6749 §4.1.2
		t.Errorf("the family lives on: %s", got.Body)
	}
	if status, _ := p.userinfo(first.Access); status != http.StatusUnauthorized {
		t.Errorf("userinfo still answers %d", status)
	}
}

func TestACodeExpires(t *testing.T) {
	p := newParty(t)
	form := codeForm(p.signIn("alice", "wonderland", nil).Get("code"))
	p.clock.Advance(time.Minute)
	if got := p.post("/oauth/token", form); got.Error != "invalid_grant" {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

func TestUserinfoRefuses(t *testing.T) {
	p := newParty(t)
	got := p.alice()
	_, claims := p.mustVerify(got.Access)
	forge := func(jti, subject any) string {
		token, err := p.Sign("at+jwt", map[string]any{"iss": p.Issuer(), "sub": subject, "exp": 1 << 40, "jti": jti})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, token := range map[string]string{
		"nothing": "", "nonsense": "x.y.z", "an ID token": got.ID,
		"a jti never issued": forge("made-up", "user-alice"), "a subject it was not issued for": forge(claims["jti"], "user-bob"),
	} {
		if status, _ := p.userinfo(token); status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, status)
		}
	}
	p.clock.Advance(time.Minute)
	if status, _ := p.userinfo(got.Access); status != http.StatusUnauthorized {
		t.Errorf("an expired token: status %d", status)
	}
}

func TestConfigNamesEveryProblem(t *testing.T) {
	_, err := idp.New(idp.Config{Issuer: "https://idp.example.com", Clients: []idp.Client{{ID: "a", RedirectURIs: []string{"/relative"}}}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"not on loopback", "no secret", "/relative"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
}
