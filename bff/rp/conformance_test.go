package rp_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

// outcome of one case: the log, and the error that a user would see.
type outcome func(*testing.T) (*bytes.Buffer, error)

// signsIn is a sign-in at a provider that edit made wrong.
func signsIn(edit func(*idp), config ...func(*rp.Config)) outcome {
	return func(t *testing.T) (*bytes.Buffer, error) {
		i := newIDP()
		edit(i)
		p, log := start(t, i, config...)
		return log, redeem(t, i, p)
	}
}

// answers is the way back from the provider, with a query that edit made wrong.
func answers(edit func(*idp, url.Values)) outcome {
	return func(t *testing.T) (*bytes.Buffer, error) {
		i := newIDP()
		p, log := start(t, i)
		pending, query := begin(t, i, p)
		edit(i, query)
		_, _, err := p.Redeem(t.Context(), pending, query)
		if len(i.seen) != 0 {
			t.Error("the code was spent all the same")
		}
		return log, err
	}
}

// renews is a renewal after an honest sign-in.
func renews(edit func(*idp)) outcome {
	return func(t *testing.T) (*bytes.Buffer, error) {
		i := newIDP()
		p, log := start(t, i)
		_, old := signIn(t, i, p)
		edit(i)
		_, err := p.Refresh(t.Context(), old, rp.Target{})
		return log, err
	}
}

// signsOut is a logout token that edit made wrong, at a registration for ES256.
func signsOut(edit func(*idp)) outcome {
	return func(t *testing.T) (*bytes.Buffer, error) {
		i := leaving()
		edit(i)
		p, log := start(t, i, func(c *rp.Config) { c.IDTokenAlg = "ES256" })
		_, err := p.VerifyLogoutToken(t.Context(), i.idToken())
		return log, err
	}
}

// rotates changes the provider's key between two sign-ins.
func rotates(first bool) outcome {
	return func(t *testing.T) (*bytes.Buffer, error) {
		i := newIDP()
		p, log := start(t, i)
		if first {
			signIn(t, i, p)
			delete(i.claims, "nonce")
		}
		pending, query := begin(t, i, p)
		i.keys = []jose.JSONWebKey{{Key: otherKey().Public(), KeyID: "rotated", Algorithm: "ES256"}}
		i.signer, i.header["kid"] = otherKey(), "rotated"
		_, _, err := p.Redeem(t.Context(), pending, query)
		return log, err
	}
}

func rs256(i *idp) { i.signer, i.alg, i.header["kid"] = rsaKey(), jose.RS256, "r" }

func honest(*idp) {}

func both(edits ...func(*idp)) func(*idp) {
	return func(i *idp) {
		for _, edit := range edits {
			edit(i)
		}
	}
}

func algorithm(name string) func(*rp.Config) { return func(c *rp.Config) { c.IDTokenAlg = name } }

// tells has the userinfo endpoint say these claims.
func tells(claims map[string]any) func(*idp) {
	return func(i *idp) {
		i.metadata["userinfo_endpoint"] = issuer + "/userinfo"
		i.answers["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, claims) }
	}
}

func asking(c *rp.Config) { c.UserInfo = true }

// TestConformance has a row for each case of the OpenID Foundation's suite for
// relying parties that the code flow can meet, by the suite's own name (plans
// basic, config, refresh token, back-channel logout; see
// gitlab.com/openid/conformance-suite, net.openid.conformance.openid.client),
// and one for each case it lacks. Further rows of the same rules are in
// TestAnIDTokenIsRefusedWhen, TestACallbackIsRefusedWhen,
// TestARenewedIDTokenIsRefusedWhen and TestALogoutTokenIsRefusedWhen.
func TestConformance(t *testing.T) {
	const logout = "oidcc-client-test-rp-backchannel-rpinitlogout"
	for name, row := range map[string]struct {
		run  outcome
		want problem.Code // "" is success
	}{
		"oidcc-client-test":                            {signsIn(honest), ""},
		"oidcc-client-test-client-secret-basic":        {signsIn(honest, func(c *rp.Config) { c.ClientAuth = "client_secret_basic" }), ""},
		"oidcc-client-test-invalid-iss":                {signsIn(claim("iss", "https://evil.example")), problem.IDTokenIssuer},
		"oidcc-client-test-missing-sub":                {signsIn(without("sub")), problem.IDTokenClaims},
		"oidcc-client-test-invalid-aud":                {signsIn(claim("aud", "other")), problem.IDTokenAudience},
		"oidcc-client-test-missing-aud":                {signsIn(without("aud")), problem.IDTokenAudience},
		"oidcc-client-test-missing-iat":                {signsIn(without("iat")), problem.IDTokenClaims},
		"oidcc-client-test-nonce-invalid":              {signsIn(claim("nonce", "replayed")), problem.IDTokenNonce},
		"oidcc-client-test-invalid-athash":             {signsIn(claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")), problem.IDTokenClaims},
		"oidcc-client-test-missing-athash (code flow)": {signsIn(without("at_hash")), ""}, // OIDC Core §3.1.3.6: optional
		"oidcc-client-test-idtoken-sig-none":           {signsIn(func(i *idp) { i.mangle = unsigned }), problem.IDTokenAlgorithm},
		"oidcc-client-test-idtoken-sig-rs256":          {signsIn(rs256, algorithm("RS256")), ""},
		"oidcc-client-test-invalid-sig-rs256":          {signsIn(both(rs256, func(i *idp) { i.mangle = part(2, string(make([]byte, 256))) })), problem.IDTokenSignature},
		"oidcc-client-test-invalid-sig-es256":          {signsIn(func(i *idp) { i.mangle = part(2, string(make([]byte, 64))) }), problem.IDTokenSignature},
		"oidcc-client-test-invalid-sig-hs256":          {signsIn(func(i *idp) { i.alg = jose.HS256 }), problem.IDTokenAlgorithm},
		"RS256 where another algorithm is registered":  {signsIn(rs256, algorithm("ES256")), problem.IDTokenAlgorithm},
		"ES256 where RS256 is registered":              {signsIn(honest, algorithm("RS256")), problem.IDTokenAlgorithm},

		"oidcc-client-test-kid-absent-single-jwks":                   {signsIn(func(i *idp) { delete(i.header, "kid"); i.keys = i.keys[1:]; i.keys[0].KeyID = "" }), ""},
		"oidcc-client-test-kid-absent-multiple-jwks":                 {signsIn(kidless), ""}, // the suite takes a refusal, too
		"oidcc-client-test-ignores-unparseable-key-in-jwks":          {signsIn(func(i *idp) { i.answers["/keys"] = oddKeys(i.keys) }), ""},
		"oidcc-client-test-signing-key-rotation":                     {rotates(true), ""},
		"oidcc-client-test-signing-key-rotation-just-before-signing": {rotates(false), ""},

		"oidcc-client-test-userinfo-invalid-sub":  {signsIn(tells(map[string]any{"sub": "u-2"}), asking), problem.UserInfoInvalid},
		"oidcc-client-test-scope-userinfo-claims": {signsIn(tells(map[string]any{"sub": "u-1", "email": "a@example"}), asking), ""},

		"oidcc-client-test-discovery-issuer-mismatch": {discovers("issuer", "https://evil.example"), problem.ProviderIssuer},
		"oidcc-client-test-discovery-openid-config":   {discovers("claims_supported", []string{"sub"}), ""},

		"oidcc-client-test-refresh-token":                {renews(honest), ""},
		"oidcc-client-test-refresh-token-invalid-issuer": {renews(claim("iss", "https://evil.example")), problem.IDTokenIssuer},
		"oidcc-client-test-refresh-token-invalid-sub":    {renews(claim("sub", "u-2")), problem.IDTokenClaims},
		"oidcc-client-test-refresh-token-invalid-aud":    {renews(claim("aud", "other")), problem.IDTokenAudience},
		"oidcc-client-test-refresh-token-invalid-azp":    {renews(claim("azp", clientID)), problem.IDTokenAudience},

		"mix-up: iss of another provider":           {answers(func(_ *idp, q url.Values) { q.Set("iss", "https://evil.example") }), problem.ProviderIssuer},
		"mix-up: iss is announced and not sent":     {sendsNoIssuer, problem.ProviderIssuer},
		"aud of several, without azp":               {signsIn(claim("aud", []string{clientID, "other"})), problem.IDTokenAudience},
		"aud of several, with the other one as azp": {signsIn(both(claim("aud", []string{clientID, "other"}), claim("azp", "other"))), problem.IDTokenAudience},
		"aud of several, with us as azp":            {signsIn(both(claim("aud", []string{"other", clientID}), claim("azp", clientID))), ""},

		logout:                  {signsOut(honest), ""},
		logout + "-alg-none":    {signsOut(func(i *idp) { i.mangle = unsigned }), problem.LogoutTokenInvalid},
		logout + "-wrong-alg":   {signsOut(rs256), problem.LogoutTokenInvalid},
		logout + "-wrong-iss":   {signsOut(claim("iss", "https://evil.example")), problem.LogoutTokenInvalid},
		logout + "-wrong-aud":   {signsOut(claim("aud", "other")), problem.LogoutTokenInvalid},
		logout + "-no-event":    {signsOut(without("events")), problem.LogoutTokenInvalid},
		logout + "-wrong-event": {signsOut(claim("events", map[string]any{"urn:other": map[string]any{}})), problem.LogoutTokenInvalid},
		logout + "-with-nonce":  {signsOut(claim("nonce", "n")), problem.LogoutTokenInvalid},

		"logout token: alg HS256":           {signsOut(func(i *idp) { i.alg = jose.HS256 }), problem.LogoutTokenInvalid},
		"logout token: typ of another kind": {signsOut(func(i *idp) { i.header["typ"] = "at+jwt" }), problem.LogoutTokenInvalid},
		"logout token: neither sub nor sid": {signsOut(both(without("sub"), without("sid"))), problem.LogoutTokenInvalid},
		"logout token: iat in the future":   {signsOut(claim("iat", now.Add(31*time.Second).Unix())), problem.LogoutTokenInvalid},
		"logout token: expired":             {signsOut(both(claim("iat", now.Add(-time.Minute).Unix()), claim("exp", now.Add(-31*time.Second).Unix()))), problem.LogoutTokenInvalid},
		"logout token: missing exp":         {signsOut(without("exp")), problem.LogoutTokenInvalid}, // required since errata set 1
		"logout token: missing jti":         {signsOut(without("jti")), problem.LogoutTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			log, err := row.run(t)
			if row.want != "" {
				refuses(t, err, row.want, log)
			} else if err != nil {
				t.Error(err)
			}
			if errors.Is(err, rp.ErrInvalidGrant) {
				t.Error("passes for the end of a session")
			}
		})
	}
}

// kidless publishes several keys of one kind without names and signs with the
// last.
func kidless(i *idp) {
	delete(i.header, "kid")
	i.keys = []jose.JSONWebKey{{Key: otherKey().Public()}, {Key: ecKey().Public()}}
}

func discovers(member string, value any) outcome {
	return func(t *testing.T) (*bytes.Buffer, error) {
		i := newIDP()
		i.metadata[member] = value
		c, log := i.config()
		p, err := rp.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return log, p.Discover(t.Context())
	}
}

func sendsNoIssuer(t *testing.T) (*bytes.Buffer, error) {
	i := newIDP()
	i.metadata["authorization_response_iss_parameter_supported"] = true
	p, log := start(t, i)
	return log, redeem(t, i, p)
}
