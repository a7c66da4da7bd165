package rp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// leaving is a provider whose next token is a logout token.
func leaving() *idp {
	i := newIDP()
	i.header["typ"] = "logout+jwt"
	i.claims = map[string]any{
		"iss": issuer, "aud": clientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": "j-1",
		"sub": "u-1", "sid": "s-1", "events": map[string]any{logoutEvent: map[string]any{}},
	}
	return i
}

// Each row breaks one property of a logout token that is otherwise accepted.
// The cases of the conformance suite are in TestConformance.
func TestALogoutTokenIsRefusedWhen(t *testing.T) {
	for name, edit := range map[string]func(*idp){
		"it is no JWT":                        func(i *idp) { i.mangle = func(string) string { return "opaque-Hh2-17" } },
		"it is empty":                         func(i *idp) { i.mangle = func(string) string { return "" } },
		"it is endless":                       func(i *idp) { i.claims["more"] = strings.Repeat("x", 16<<10) },
		"it is a JWS in JSON form":            func(i *idp) { i.mangle = asJSON },
		"its payload is an array":             func(i *idp) { i.mangle = part(1, "[]") },
		"its payload was changed":             func(i *idp) { i.mangle = part(1, `{"sub":"u-2"}`) },
		"its signature was changed":           func(i *idp) { i.mangle = part(2, strings.Repeat("x", 64)) },
		"another key signed it":               func(i *idp) { i.signer = otherKey() },
		"an unknown key signed it":            func(i *idp) { i.signer, i.header["kid"] = otherKey(), "x" },
		"it brings its own key":               ownKey,
		"its type is a number":                func(i *idp) { i.header["typ"] = 5 },
		"its type is of a proof":              func(i *idp) { i.header["typ"] = "dpop+jwt" },
		"it names no issuer":                  without("iss"),
		"its issuer has a slash more":         claim("iss", issuer+"/"),
		"it names no audience":                without("aud"),
		"it is for several and names no azp":  claim("aud", []string{clientID, "other"}),
		"it does not say when it was made":    without("iat"),
		"its iat is a word":                   claim("iat", "now"),
		"it was made longer ago than minutes": func(i *idp) { i.claims["iat"] = now.Add(-331 * time.Second).Unix() },
		"its expiry is a word":                claim("exp", "soon"),
		"it was made after it expires":        claim("exp", now.Add(-time.Second).Unix()),
		"it is not valid yet":                 claim("nbf", now.Add(time.Minute).Unix()),
		"its jti is empty":                    claim("jti", ""),
		"its jti is a number":                 claim("jti", 1),
		"its jti is endless":                  claim("jti", strings.Repeat("j", 256)),
		"its events are a list":               claim("events", []string{logoutEvent}),
		"its events are null":                 claim("events", nil),
		"its event is a list":                 claim("events", map[string]any{logoutEvent: []string{}}),
		"its event is null":                   claim("events", map[string]any{logoutEvent: nil}),
		"its event is a word":                 claim("events", map[string]any{logoutEvent: "yes"}),
		"its nonce is null":                   claim("nonce", nil),
		"its subject is empty":                claim("sub", ""),
		"its subject is a number":             claim("sub", 1),
		"its session is empty":                claim("sid", ""),
		"its session is null":                 claim("sid", nil),
		"its session is endless":              claim("sid", strings.Repeat("s", 256)),
	} {
		t.Run(name, func(t *testing.T) {
			i := leaving()
			edit(i)
			p, log := start(t, i)
			raw := i.idToken()
			token, err := p.VerifyLogoutToken(t.Context(), raw)
			secrets := []string{"u-1", "s-1", "j-1"}
			if len(raw) > 20 {
				secrets = append(secrets, raw)
			}
			refuses(t, err, problem.LogoutTokenInvalid, log, secrets...)
			if token != (rp.LogoutToken{}) {
				t.Errorf("a refused token says %+v", token)
			}
		})
	}
}

func TestALogoutTokenIsAcceptedWhen(t *testing.T) {
	whole := rp.LogoutToken{
		Issuer: issuer, Subject: "u-1", SID: "s-1", ID: "j-1", IssuedAt: now, Expires: now.Add(2 * time.Minute),
	}
	with := func(edit func(*rp.LogoutToken)) rp.LogoutToken { t := whole; edit(&t); return t }
	for name, row := range map[string]struct {
		edit func(*idp)
		want rp.LogoutToken
	}{
		"it is plain":                  {func(*idp) {}, whole},
		"it names a session alone":     {without("sub"), with(func(t *rp.LogoutToken) { t.Subject = "" })},
		"it names a subject alone":     {without("sid"), with(func(t *rp.LogoutToken) { t.SID = "" })},
		"it has no type":               {func(i *idp) { delete(i.header, "typ") }, whole},
		"it is typed as any JWT":       {func(i *idp) { i.header["typ"] = "JWT" }, whole},
		"its type is written out":      {func(i *idp) { i.header["typ"] = "application/logout+JWT" }, whole},
		"an RSA key signed it":         {func(i *idp) { i.signer, i.alg, i.header["kid"] = rsaKey(), jose.RS256, "r" }, whole},
		"its event says more":          {claim("events", map[string]any{logoutEvent: map[string]any{"a": 1}, "urn:other": map[string]any{}}), whole},
		"it was made five minutes ago": {claim("iat", now.Add(-330*time.Second).Unix()), with(func(t *rp.LogoutToken) { t.IssuedAt = now.Add(-330 * time.Second) })},
		"it expired within the skew": {func(i *idp) {
			i.claims["iat"] = now.Add(-time.Minute).Unix()
			i.claims["exp"] = now.Add(-29 * time.Second).Unix()
		}, with(func(t *rp.LogoutToken) { t.IssuedAt, t.Expires = now.Add(-time.Minute), now.Add(-29*time.Second) })},
		"its clock is ahead within the skew":  {claim("iat", now.Add(29*time.Second).Unix()), with(func(t *rp.LogoutToken) { t.IssuedAt = now.Add(29 * time.Second) })},
		"it has claims that nobody knows yet": {claim("urn:new", []int{1}), whole},
	} {
		t.Run(name, func(t *testing.T) {
			i := leaving()
			row.edit(i)
			p, _ := start(t, i)
			got, err := p.VerifyLogoutToken(t.Context(), i.idToken())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestALogoutTokenThatCannotBeJudgedIsTheProvidersTrouble(t *testing.T) {
	for name, edit := range map[string]func(*idp){
		"its keys come with an error": func(i *idp) { i.answer("/keys", 500, access) },
		"its keys are no JSON":        func(i *idp) { i.answer("/keys", 200, access) },
		"nobody answers":              func(i *idp) { i.down = errors.New("reset " + access) },
	} {
		t.Run(name, func(t *testing.T) {
			i := leaving()
			p, log := start(t, i)
			edit(i)
			_, err := p.VerifyLogoutToken(t.Context(), i.idToken())
			refuses(t, err, problem.ProviderUnavailable, log)
		})
	}
	i := leaving()
	c, log := i.config()
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.VerifyLogoutToken(t.Context(), i.idToken())
	refuses(t, err, problem.ProviderUnavailable, log)
}

// What no signature could mend costs the provider nothing.
func TestNonsenseFetchesNoKeys(t *testing.T) {
	i := leaving()
	p, log := start(t, i)
	delete(i.claims, "events")
	i.down = errors.New("must not be asked")
	_, err := p.VerifyLogoutToken(t.Context(), i.idToken())
	refuses(t, err, problem.LogoutTokenInvalid, log)
}

func TestOneKindOfTokenIsNotTheOther(t *testing.T) {
	i := newIDP()
	p, log := start(t, i)
	_, tokens := signIn(t, i, p)
	_, err := p.VerifyLogoutToken(t.Context(), tokens.ID.Reveal())
	refuses(t, err, problem.LogoutTokenInvalid, log)

	i = leaving()
	i.noNonce = true
	p, log = start(t, i)
	refuses(t, redeem(t, i, p), problem.IDTokenNonce, log)
}

// No text that the provider's keys did not sign ends a session.
func FuzzLogoutToken(f *testing.F) {
	i := leaving()
	p, log := start(f, i)
	honest := i.idToken()
	for _, seed := range []string{
		unsigned(honest), asJSON(honest), "", ".", "..", "eyJ.e30.", part(1, `{"events":{}}`)(honest), part(2, "")(honest),
		part(0, `{"alg":"HS256","typ":"logout+jwt"}`)(honest), part(0, `{"alg":"ES256","typ":[]}`)(honest),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if raw == honest {
			return
		}
		log.Reset()
		token, err := p.VerifyLogoutToken(t.Context(), raw)
		if err == nil || token != (rp.LogoutToken{}) {
			t.Fatalf("%q ends %+v", raw, token)
		}
		if code := problem.CodeOf(err); code != problem.LogoutTokenInvalid {
			t.Errorf("%q is refused with %s", raw, code)
		}
	})
}
