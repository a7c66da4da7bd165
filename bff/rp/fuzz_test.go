package rp_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

// No query makes Redeem panic, and none gets as far as the token endpoint
// without the pending state.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		"", "code=c&state=s", "code=c&state=s&iss=https://idp.example", "state=s&error=access_denied&error_description=x",
		"state=s&state=s&code=c", "state=s&iss=&code=c", "state=s&error=&code=c", "state=s;code=c", "state=s&code=%00%ff",
		"state=s&error=" + access + "&error_description=" + access,
	} {
		f.Add(seed)
	}
	i := newIDP()
	p, log := start(f, i)
	i.answer("/token", 400, `{"error":"invalid_grant"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		log.Reset()
		i.seen = nil
		_, _, err = p.Redeem(t.Context(), rp.Pending{State: "s", Nonce: "n", Verifier: "v"}, query)
		refuses(t, err, problem.CodeOf(err), log)
		asked := len(i.seen) > 0
		honest := len(query["state"]) == 1 && query.Get("state") == "s" && !query.Has("error") && len(query["code"]) == 1 &&
			(!query.Has("iss") || query.Get("iss") == issuer)
		if asked && !honest {
			t.Errorf("%q reached the token endpoint", raw)
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q has control characters", err)
		}
	})
}

// No text that the provider's keys did not sign is an ID token, whatever is
// wrong with it, and each refusal has a code for ID tokens.
func FuzzIDToken(f *testing.F) {
	i := newIDP()
	p, log := start(f, i)
	begin(f, i, p)
	honest := i.idToken() // and never again of the sign-in under way
	for _, seed := range []string{
		honest, unsigned(honest), asJSON(honest), "", ".", "..", "....", "eyJ.e30.", part(1, `{"sub":"u-1","exp":1e400}`)(honest),
		part(1, `{"iss":"https://idp.example","aud":["app:1"],"exp":4000000000,"iat":1}`)(honest), part(2, "")(honest),
		part(0, `{"alg":"HS256"}`)(honest), part(0, `{"alg":"ES256","crit":["b64"],"b64":false}`)(honest),
		part(0, `{"alg":"ES256","jwk":{"kty":"EC"}}`)(honest), part(1, `{"aud":[null],"nonce":{}}`)(honest),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		log.Reset()
		i.tokens["id_token"] = raw
		pending, query := begin(t, i, p)
		id, tokens, err := p.Redeem(t.Context(), pending, query)
		if err == nil || id.Subject != "" || !tokens.Access.Empty() {
			t.Fatalf("%q signed %q in", raw, id.Subject)
		}
		secrets := []string{}
		if len(raw) > 20 {
			secrets = append(secrets, raw)
		}
		refuses(t, err, problem.CodeOf(err), log, secrets...)
		if errors.Is(err, rp.ErrInvalidGrant) {
			t.Errorf("%v", err)
		}
		if c := problem.CodeOf(err); c != problem.TokenResponse && !strings.HasPrefix(string(c), "id_token_") {
			t.Errorf("%q is refused with %s", raw, c)
		}
	})
}
