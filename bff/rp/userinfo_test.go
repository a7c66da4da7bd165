package rp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rp"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

func TestUserInfoAddsToWhatTheIDTokenSays(t *testing.T) {
	i := newIDP()
	i.claims["name"], i.claims["sid"] = "Alice of the token", "s-1"
	tells(map[string]any{
		"sub": "u-1", "name": "Alice of the endpoint", "email": "a@example", "sid": "s-2", "acr": "gold",
		"auth_time": 1, "bff:logout_url": "https://evil.example", "access_token": access, "locale": "de",
	})(i)
	p, log := start(t, i, asking)
	id, _ := signIn(t, i, p)
	want := rp.Identity{Issuer: issuer, Subject: "u-1", SID: "s-1", Claims: []shared.Claim{
		{Type: "sub", Value: "u-1"}, {Type: "name", Value: "Alice of the token"}, {Type: "email", Value: "a@example"},
		{Type: "sid", Value: "s-1"}, {Type: "locale", Value: "de"},
	}}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	untold(t, log.String(), access, "a@example")
}

func TestUserInfoIsAskedOnlyWhenWanted(t *testing.T) {
	i := newIDP()
	tells(map[string]any{"sub": "u-2"})(i)
	asked := 0
	inner := i.answers["/userinfo"]
	i.answers["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer "+access || r.URL.RawQuery != "" {
			t.Errorf("%s %s with %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		inner(w, r)
	}
	p, _ := start(t, i)
	signIn(t, i, p)
	if asked != 0 {
		t.Error("asked though nobody wanted it")
	}
	p, log := start(t, i, asking)
	delete(i.claims, "nonce")
	refuses(t, redeem(t, i, p), problem.UserInfoInvalid, log)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestUserInfoIsRefusedWhen(t *testing.T) {
	says := func(status int, body string) func(*idp) {
		return func(i *idp) { i.answer("/userinfo", status, body) }
	}
	for name, row := range map[string]struct {
		edit func(*idp)
		want problem.Code
	}{
		"it names nobody":           {says(200, `{"email":"a@example"}`), problem.UserInfoInvalid},
		"its subject is a number":   {says(200, `{"sub":1}`), problem.UserInfoInvalid},
		"its subject is empty":      {says(200, `{"sub":""}`), problem.UserInfoInvalid},
		"it is a list":              {says(200, `["u-1"]`), problem.UserInfoInvalid},
		"it is a signed text":       {says(200, `eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1LTEifQ.`), problem.UserInfoInvalid},
		"the token is not accepted": {says(401, `{"error":"invalid_token","error_description":"`+access+`"}`), problem.ProviderError},
		"the endpoint fails":        {says(500, access), problem.ProviderError},
		"the endpoint sends us on":  {func(i *idp) { i.answers["/userinfo"] = redirect("https://evil.example/") }, problem.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			tells(nil)(i)
			row.edit(i)
			p, log := start(t, i, asking)
			pending, query := begin(t, i, p)
			id, tokens, err := p.Redeem(t.Context(), pending, query)
			refuses(t, err, row.want, log)
			if id.Subject != "" || !tokens.Access.Empty() {
				t.Error("signed in all the same")
			}
		})
	}
}

func TestUserInfoThatIsWantedMustBeThere(t *testing.T) {
	c, log := newIDP().config()
	c.UserInfo = true
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, p.Discover(t.Context()), problem.ProviderError, log)
}

func TestABoundTokenIsShownWithItsProof(t *testing.T) {
	s := newStrict(t)
	s.metadata["userinfo_endpoint"] = issuer + "/userinfo"
	sum := sha256.Sum256([]byte(access))
	var seen []any
	s.answers["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
		claims, thumbprint := proofOf(t, r.Header.Get("DPoP"))
		if r.Header.Get("Authorization") != "DPoP "+access || claims["ath"] != base64.RawURLEncoding.EncodeToString(sum[:]) ||
			claims["htm"] != "GET" || claims["htu"] != issuer+"/userinfo" || !slices.Contains(s.keys, thumbprint) {
			t.Errorf("%q with %v", r.Header.Get("Authorization"), claims)
		}
		if seen = append(seen, claims["nonce"]); len(seen) == 1 {
			w.Header().Set("DPoP-Nonce", "of-userinfo")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="please"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		writeJSON(w, map[string]any{"sub": "u-1"})
	}
	p, log := start(t, s.idp, bound, asking)
	signIn(t, s.idp, p)
	if len(seen) != 2 || seen[1] != "of-userinfo" {
		t.Errorf("nonces %v", seen)
	}
	if strings.Contains(log.String(), access) {
		t.Error("the log tells the token")
	}
}

// elsewhere puts the userinfo endpoint on a server of its own, which wants its
// nonce in each proof, and returns the nonces it was shown.
func elsewhere(t testing.TB, s *strict, challenges ...string) *[]any {
	var seen []any
	s.metadata["userinfo_endpoint"] = "https://people.example/userinfo"
	s.answers["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
		claims, _ := proofOf(t, r.Header.Get("DPoP"))
		if seen = append(seen, claims["nonce"]); claims["nonce"] == "of-userinfo" {
			writeJSON(w, map[string]any{"sub": "u-1"})
			return
		}
		w.Header().Set("DPoP-Nonce", "of-userinfo")
		w.Header()["Www-Authenticate"] = challenges
		w.WriteHeader(http.StatusUnauthorized)
	}
	return &seen
}

func TestEachServerIsShownItsOwnNonces(t *testing.T) {
	s := newStrict(t)
	seen := elsewhere(t, s, `DPoP error="use_dpop_nonce"`)
	p, _ := start(t, s.idp, bound, asking)
	signIn(t, s.idp, p)
	delete(s.claims, "nonce")
	signIn(t, s.idp, p)
	if want := []any{nil, "of-userinfo", "of-userinfo"}; !slices.Equal(*seen, want) {
		t.Errorf("userinfo was shown the nonces %v, want %v", *seen, want)
	}
	if len(s.seen) != 3 {
		t.Errorf("%d token requests: the second sign-in had not the token endpoint's nonce", len(s.seen))
	}
}

// TestAWishForANonceMayComeWithOtherChallenges: RFC 9449 §7.1 has a server that
// takes bearer tokens too say so in a line of its own.
func TestAWishForANonceMayComeWithOtherChallenges(t *testing.T) {
	s := newStrict(t)
	seen := elsewhere(t, s, `Bearer realm="people"`, `DPoP error="use_dpop_nonce", algs="ES256"`)
	p, _ := start(t, s.idp, bound, asking)
	signIn(t, s.idp, p)
	if want := []any{nil, "of-userinfo"}; !slices.Equal(*seen, want) {
		t.Errorf("userinfo was shown the nonces %v, want %v", *seen, want)
	}
}
