package rp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

func TestACallbackIsRefusedWhen(t *testing.T) {
	set := func(pairs ...string) func(url.Values) {
		return func(q url.Values) {
			for n := 0; n < len(pairs); n += 2 {
				q.Set(pairs[n], pairs[n+1])
			}
		}
	}
	for name, row := range map[string]struct {
		edit func(url.Values)
		want problem.Code
	}{
		"it has no state":                     {func(q url.Values) { q.Del("state") }, problem.LoginStateInvalid},
		"its state is empty":                  {set("state", ""), problem.LoginStateInvalid},
		"its state is another":                {func(q url.Values) { q.Set("state", q.Get("state")+"x") }, problem.LoginStateInvalid},
		"it is an error without state":        {func(q url.Values) { q.Del("state"); q.Set("error", "access_denied") }, problem.LoginStateInvalid},
		"its state came twice":                {func(q url.Values) { q.Add("state", q.Get("state")) }, problem.ParameterDuplicated},
		"its code came twice":                 {func(q url.Values) { q.Add("code", code) }, problem.ParameterDuplicated},
		"its issuer came twice":               {func(q url.Values) { q.Add("iss", issuer); q.Add("iss", issuer) }, problem.ParameterDuplicated},
		"a parameter nobody reads came twice": {func(q url.Values) { q.Add("session_state", "a"); q.Add("session_state", "b") }, problem.ParameterDuplicated},
		"its issuer is empty":                 {set("iss", ""), problem.ProviderIssuer},
		"its issuer has a slash more":         {set("iss", issuer+"/"), problem.ProviderIssuer},
		"it is an error of another issuer":    {set("iss", "https://evil.example", "error", "access_denied"), problem.ProviderIssuer},
		"it has no code":                      {func(q url.Values) { q.Del("code") }, problem.ParameterInvalid},
		"its code is empty":                   {set("code", ""), problem.ParameterInvalid},
		"its code is endless":                 {set("code", strings.Repeat("c", 5000)), problem.ParameterInvalid},
		"the user declined":                   {set("error", "access_denied"), problem.LoginDenied},
		"nobody is signed in for prompt=none": {set("error", "login_required"), problem.LoginDenied},
		"the user would have to do something": {set("error", "interaction_required"), problem.LoginDenied},
		"the provider is busy":                {set("error", "temporarily_unavailable"), problem.ProviderUnavailable},
		"the provider fails":                  {set("error", "server_error"), problem.ProviderError},
		"the error has no name":               {set("error", ""), problem.ProviderError},
		"the error is a token":                {set("error", access), problem.ProviderError},
		"the error breaks the line":           {set("error", "a\nb"), problem.ProviderError},
		"the description tells the code":      {set("error", "server_error", "error_description", "bad code "+code), problem.ProviderError},
		"the description tells a token":       {set("error", "server_error", "error_description", "bad "+access+"\x00"), problem.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i)
			pending, query := begin(t, i, p)
			row.edit(query)
			_, _, err := p.Redeem(t.Context(), pending, query)
			refuses(t, err, row.want, log, pending.State, pending.Nonce, pending.Verifier)
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%q has control characters", err)
			}
			if len(i.seen) != 0 {
				t.Errorf("the token endpoint was asked: %+v", i.seen)
			}
		})
	}
}

func TestTheIssuerParameterIsRequiredWhenTheProviderSaysItSendsIt(t *testing.T) {
	i := newIDP()
	i.metadata["authorization_response_iss_parameter_supported"] = true
	p, log := start(t, i)
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	refuses(t, err, problem.ProviderIssuer, log)
	query.Set("iss", issuer)
	if _, _, err := p.Redeem(t.Context(), pending, query); err != nil {
		t.Error(err)
	}
}

func TestAPendingSignInMustBeWhole(t *testing.T) {
	i := newIDP()
	p, log := start(t, i)
	whole, query := begin(t, i, p)
	for name, edit := range map[string]func(*rp.Pending, url.Values){
		"no state":    func(p *rp.Pending, q url.Values) { p.State = ""; q.Set("state", "") },
		"no nonce":    func(p *rp.Pending, _ url.Values) { p.Nonce = "" },
		"no verifier": func(p *rp.Pending, _ url.Values) { p.Verifier = "" },
	} {
		t.Run(name, func(t *testing.T) {
			pending, q := whole, url.Values{"state": query["state"], "code": query["code"]}
			edit(&pending, q)
			_, _, err := p.Redeem(t.Context(), pending, q)
			refuses(t, err, problem.LoginStateInvalid, log)
		})
	}
}

func TestACodeIsRedeemedByAnAuthenticatedClientWithItsVerifier(t *testing.T) {
	for _, method := range []string{"", "client_secret_basic", "client_secret_post"} {
		t.Run("method "+method, func(t *testing.T) {
			i := newIDP()
			p, _ := start(t, i, func(c *rp.Config) { c.ClientAuth = method })
			pending, query := begin(t, i, p)
			if _, _, err := p.Redeem(t.Context(), pending, query); err != nil {
				t.Fatal(err)
			}
			want := seen{path: "/token", form: url.Values{
				"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURL},
				"code_verifier": {pending.Verifier},
			}}
			authenticated(method, &want)
			if diff := cmp.Diff([]seen{want}, i.seen, cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// authenticated adds to a request what the method sends; Basic is
// percent-encoded (RFC 6749 §2.3.1).
func authenticated(method string, s *seen) {
	if method == "client_secret_post" {
		s.form.Set("client_id", clientID)
		s.form.Set("client_secret", clientSecret)
		return
	}
	s.basic, s.user, s.password = true, "app%3A1", "s3cr%25t+%2B%2F%26%3D%C3%A9-value"
}

func TestATokenResponseIsRefusedWhen(t *testing.T) {
	status := func(status int, body string) func(*idp) {
		return func(i *idp) { i.answer("/token", status, body) }
	}
	token := func(name string, value any) func(*idp) { return func(i *idp) { i.tokens[name] = value } }
	for name, row := range map[string]struct {
		edit func(*idp)
		want problem.Code
	}{
		"it is no JSON":                          {status(200, access), problem.TokenResponse},
		"it is empty":                            {status(200, ""), problem.TokenResponse},
		"it is a list":                           {status(200, `["`+access+`"]`), problem.TokenResponse},
		"it has no access token":                 {func(i *idp) { delete(i.tokens, "access_token") }, problem.TokenResponse},
		"its access token could split a header":  {token("access_token", access+"\r\nX: y"), problem.TokenResponse},
		"its refresh token has a line break":     {token("refresh_token", refresh+"\n"), problem.TokenResponse},
		"its token type is missing":              {func(i *idp) { delete(i.tokens, "token_type") }, problem.TokenResponse},
		"its token type is DPoP":                 {token("token_type", "DPoP"), problem.TokenResponse},
		"its lifetime is negative":               {token("expires_in", -1), problem.TokenResponse},
		"its lifetime is a word":                 {token("expires_in", access), problem.TokenResponse},
		"it is larger than a megabyte":           {status(200, `{"access_token":"`+strings.Repeat("a", 1<<20)), problem.ProviderError},
		"it is an error with status 200":         {status(200, `{"error":"invalid_grant"}`), problem.LoginStateInvalid},
		"the code was used before":               {status(400, `{"error":"invalid_grant","error_description":"`+code+` used"}`), problem.LoginStateInvalid},
		"the endpoint fails and blames the code": {status(500, `{"error":"invalid_grant"}`), problem.ProviderError},
		"the client is not known":                {status(401, `{"error":"invalid_client"}`), problem.ProviderError},
		"the error repeats the secret":           {status(400, `{"error":"`+clientSecret+`","error_description":"is `+clientSecret+`"}`), problem.ProviderError},
		"the error repeats it in base64":         {status(400, `{"error":"x","error_description":"YXBwJTNBMTpzM2NyJTI1"}`), problem.ProviderError},
		"the endpoint fails":                     {status(500, access), problem.ProviderError},
		"the endpoint is a broken gateway":       {status(502, "<html>"+access), problem.ProviderError},
		"the endpoint sends us elsewhere":        {func(i *idp) { i.answers["/token"] = redirect("https://evil.example/token") }, problem.ProviderError},
		"the endpoint keeps method and sends us elsewhere": {func(i *idp) {
			i.answers["/token"] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://evil.example/token", http.StatusTemporaryRedirect)
			}
		}, problem.ProviderError},
		"the connection breaks": {func(i *idp) { i.down = fmt.Errorf("malformed HTTP response %q", access) }, problem.ProviderUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i)
			row.edit(i)
			pending, query := begin(t, i, p)
			_, tokens, err := p.Redeem(t.Context(), pending, query)
			refuses(t, err, row.want, log, pending.Verifier, i.idToken(), "YXBwJTNBMTpzM2NyJTI1")
			if !tokens.Access.Empty() {
				t.Error("an access token came with the error")
			}
			if len(i.seen) > 1 {
				t.Errorf("asked %d times", len(i.seen))
			}
		})
	}
}

func TestAProvidersErrorCodeIsToldToTheLog(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	i.answer("/token", 400, `{"error":"invalid_grant","error_description":"AADSTS70008: code has expired"}`)
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	if want := "HTTP 400: invalid_grant (AADSTS70008: code has expired)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

// A secret that looks like a word is known by heart.
func TestASecretThatLooksLikeAWordIsScrubbedToo(t *testing.T) {
	const word = "moon&light"
	i := newIDP()
	p, log := start(t, i, func(c *rp.Config) { c.ClientSecret = secret.New(word) })
	i.answer("/token", 401, `{"error":"invalid_client","error_description":"is `+word+` or `+url.QueryEscape(word)+`"}`)
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	refuses(t, err, problem.ProviderError, log, word)
	i.answer("/revoke", 401, `{"error":"`+word+`","error_description":"is `+word+` or `+url.QueryEscape(word)+`"}`)
	refuses(t, p.Revoke(t.Context(), held()), problem.ProviderError, log, word)
}

func TestWhatATokenResponseSaysIsKept(t *testing.T) {
	for name, row := range map[string]struct {
		edit    func(map[string]any)
		expires time.Time
		scopes  []string
		refresh time.Time // when the refresh token ends
	}{
		"everything": {func(map[string]any) {}, now.Add(5 * time.Minute), []string{"openid", "profile"}, time.Time{}},
		"the refresh token's lifetime, as Keycloak names it":   {func(m map[string]any) { m["refresh_expires_in"] = 1800 }, now.Add(5 * time.Minute), []string{"openid", "profile"}, now.Add(30 * time.Minute)},
		"the refresh token's lifetime, as others name it":      {func(m map[string]any) { m["refresh_token_expires_in"] = "1800" }, now.Add(5 * time.Minute), []string{"openid", "profile"}, now.Add(30 * time.Minute)},
		"a refresh token that does not expire":                 {func(m map[string]any) { m["refresh_expires_in"] = 0 }, now.Add(5 * time.Minute), []string{"openid", "profile"}, time.Time{}},
		"a refresh token's lifetime that is no number":         {func(m map[string]any) { m["refresh_expires_in"] = "long" }, now.Add(5 * time.Minute), []string{"openid", "profile"}, time.Time{}},
		"a refresh token's lifetime that is less than nothing": {func(m map[string]any) { m["refresh_expires_in"] = -5 }, now.Add(5 * time.Minute), []string{"openid", "profile"}, time.Time{}},
		"a lifetime beyond all calendars":                      {func(m map[string]any) { m["expires_in"] = 1e30 }, now.Add((1<<31 - 1) * time.Second), []string{"openid", "profile"}, time.Time{}},
		"a lifetime in quotes":                                 {func(m map[string]any) { m["expires_in"] = "60" }, now.Add(time.Minute), []string{"openid", "profile"}, time.Time{}},
		"no lifetime at all":                                   {func(m map[string]any) { delete(m, "expires_in") }, time.Time{}, []string{"openid", "profile"}, time.Time{}},
		"a lifetime of nothing":                                {func(m map[string]any) { m["expires_in"] = 0 }, now, []string{"openid", "profile"}, time.Time{}},
		"no scope, so what was asked":                          {func(m map[string]any) { delete(m, "scope") }, now.Add(5 * time.Minute), []string{"openid", "profile"}, time.Time{}},
		"fewer scopes than were asked":                         {func(m map[string]any) { m["scope"] = "openid" }, now.Add(5 * time.Minute), []string{"openid"}, time.Time{}},
		"a token type in small letters":                        {func(m map[string]any) { m["token_type"] = "bearer" }, now.Add(5 * time.Minute), []string{"openid", "profile"}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			row.edit(i.tokens)
			p, _ := start(t, i)
			_, tokens := signIn(t, i, p)
			if !tokens.AccessExpires.Equal(row.expires) {
				t.Errorf("expires %v, want %v", tokens.AccessExpires, row.expires)
			}
			if !tokens.RefreshExpires.Equal(row.refresh) {
				t.Errorf("the refresh token expires %v, want %v", tokens.RefreshExpires, row.refresh)
			}
			if diff := cmp.Diff(row.scopes, tokens.Scopes); diff != "" {
				t.Errorf("scopes -want +got:\n%s", diff)
			}
			if tokens.Access.Reveal() != access || tokens.Refresh.Reveal() != refresh || tokens.ID.Empty() {
				t.Error("a token is missing")
			}
		})
	}
}

func TestAnIdentityHasTheUsersClaimsInAFixedOrder(t *testing.T) {
	i := newIDP()
	for name, value := range map[string]any{
		"zoneinfo": "Europe/Berlin", "email": "a@example", "name": "Alice", "sid": "s-1", "groups": []any{"x", 1, true},
		"preferred_username": "alice", "email_verified": true, "employee": json.Number("9007199254740993"),
		// None of these is for the browser.
		"azp": clientID, "jti": "j", "auth_time": now.Add(-time.Minute).Unix(), "acr": "1", "amr": []string{"pwd"},
		"at_hash": "wAtxp-jEMpMz74UqTv7TMQ", "c_hash": "c", "s_hash": "s", "nbf": now.Unix(),
		"access_token": access, "refresh_token": refresh, "hidden": i.idToken(), "list": []string{i.idToken()},
		"bff:logout_url": "https://evil.example", "address": map[string]any{"country": "DE"}, "nothing": nil,
		"picture":                strings.Repeat("p", 5000),
		strings.Repeat("n", 200): "long name",
		"_claim_names":           map[string]any{"shoe": "src"},
		"_claim_sources":         map[string]any{"src": map[string]any{"endpoint": "https://x.example", "access_token": access}},
	} {
		i.claims[name] = value
	}
	p, log := start(t, i)
	id, _ := signIn(t, i, p)
	want := rp.Identity{Issuer: issuer, Subject: "u-1", SID: "s-1", AuthTime: now.Add(-time.Minute), ACR: "1", Claims: []shared.Claim{
		{Type: "sub", Value: "u-1"}, {Type: "name", Value: "Alice"}, {Type: "email", Value: "a@example"},
		{Type: "preferred_username", Value: "alice"}, {Type: "sid", Value: "s-1"},
		{Type: "email_verified", Value: true}, {Type: "employee", Value: json.Number("9007199254740993")},
		{Type: "groups", Value: []any{"x", json.Number("1"), true}}, {Type: "zoneinfo", Value: "Europe/Berlin"},
	}}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	untold(t, log.String(), access, refresh, code, clientSecret, "Alice")
}

func TestAnIdentityIsBounded(t *testing.T) {
	for name, value := range map[string]string{"many claims": "v", "large claims": strings.Repeat("v", 4000)} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			for n := range 150 {
				i.claims[fmt.Sprintf("c%03d", n)] = value
			}
			p, _ := start(t, i)
			id, _ := signIn(t, i, p)
			body, err := json.Marshal(id.Claims)
			if err != nil {
				t.Fatal(err)
			}
			if len(id.Claims) > 64 || len(body) > 20<<10 {
				t.Errorf("%d claims, %d bytes", len(id.Claims), len(body))
			}
			if id.Claims[0].Type != "sub" {
				t.Errorf("the first claim is %s", id.Claims[0].Type)
			}
		})
	}
}
