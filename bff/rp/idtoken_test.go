package rp_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

// part replaces one of the three parts of a compact JWS.
func part(n int, by string) func(string) string {
	return func(token string) string {
		parts := strings.Split(token, ".")
		parts[n] = base64.RawURLEncoding.EncodeToString([]byte(by))
		return strings.Join(parts, ".")
	}
}

func claim(name string, value any) func(*idp) {
	return func(i *idp) { i.claims[name] = value }
}

func without(name string) func(*idp) {
	return func(i *idp) { delete(i.claims, name) }
}

// Each row breaks one property of an ID token that is otherwise accepted. The
// cases of the conformance suite are in TestConformance.
func TestAnIDTokenIsRefusedWhen(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(*idp)
		want problem.Code
	}{
		"it is no JWT":                             {func(i *idp) { i.tokens["id_token"] = "opaque-Hh2-17" }, problem.IDTokenMalformed},
		"its header is no JSON":                    {func(i *idp) { i.mangle = part(0, "{") }, problem.IDTokenMalformed},
		"its payload is no JSON":                   {func(i *idp) { i.mangle = part(1, "{") }, problem.IDTokenMalformed},
		"its payload is an array":                  {func(i *idp) { i.mangle = part(1, "[]") }, problem.IDTokenMalformed},
		"its payload is null":                      {func(i *idp) { i.mangle = part(1, "null") }, problem.IDTokenMalformed},
		"it has two parts":                         {func(i *idp) { i.mangle = func(s string) string { return s[:strings.LastIndexByte(s, '.')] } }, problem.IDTokenMalformed},
		"it is encrypted, five parts":              {func(i *idp) { i.mangle = func(s string) string { return s + ".a.b" } }, problem.IDTokenMalformed},
		"it is a JWS in JSON form":                 {func(i *idp) { i.mangle = asJSON }, problem.IDTokenMalformed},
		"it has space around it":                   {func(i *idp) { i.mangle = func(s string) string { return " " + s } }, problem.IDTokenMalformed},
		"the provider does not list its algorithm": {func(i *idp) { i.alg, i.signer = jose.PS256, rsaKey() }, problem.IDTokenAlgorithm},
		"its algorithm is unheard of":              {func(i *idp) { i.mangle = part(0, `{"alg":"ES256K"}`) }, problem.IDTokenAlgorithm},
		"its signature is empty":                   {func(i *idp) { i.mangle = part(2, "") }, problem.IDTokenSignature},
		"its payload was changed after signing":    {func(i *idp) { i.mangle = part(1, `{"sub":"u-2"}`) }, problem.IDTokenSignature},
		"another key signed it under a known name": {func(i *idp) { i.signer = otherKey() }, problem.IDTokenSignature},
		"an unknown key signed it":                 {func(i *idp) { i.signer, i.header["kid"] = otherKey(), "x" }, problem.IDTokenSignature},
		"it brings its own key":                    {ownKey, problem.IDTokenSignature},
		"it has a critical header nobody knows":    {func(i *idp) { i.header["crit"] = []string{"new"}; i.header["new"] = 1 }, problem.IDTokenSignature},
		"it names no issuer":                       {without("iss"), problem.IDTokenIssuer},
		"it names Google":                          {claim("iss", "accounts.google.com"), problem.IDTokenIssuer},
		"its issuer has a slash more":              {claim("iss", issuer+"/"), problem.IDTokenIssuer},
		"its issuer is a list":                     {claim("iss", []string{issuer}), problem.IDTokenIssuer},
		"its audience is an empty list":            {claim("aud", []string{}), problem.IDTokenAudience},
		"its audience is a number":                 {claim("aud", 7), problem.IDTokenAudience},
		"another client asked for it":              {claim("azp", "other"), problem.IDTokenAudience},
		"its azp is null":                          {claim("azp", nil), problem.IDTokenAudience},
		"it never expires":                         {without("exp"), problem.IDTokenClaims},
		"its expiry is a word":                     {claim("exp", "soon"), problem.IDTokenClaims},
		"its expiry is a number in quotes":         {claim("exp", "4000000000"), problem.IDTokenClaims},
		"its expiry is beyond all calendars":       {claim("exp", 1e300), problem.IDTokenClaims},
		"it expired longer ago than the skew":      {claim("exp", now.Add(-31*time.Second).Unix()), problem.IDTokenExpired},
		"it is not valid yet":                      {claim("nbf", now.Add(31*time.Second).Unix()), problem.IDTokenExpired},
		"its nbf is a word":                        {claim("nbf", "later"), problem.IDTokenClaims},
		"its iat is null":                          {claim("iat", nil), problem.IDTokenClaims},
		"it was issued in the future":              {claim("iat", now.Add(31*time.Second).Unix()), problem.IDTokenExpired},
		"it was issued after it expires":           {func(i *idp) { i.claims["iat"] = now.Unix(); i.claims["exp"] = now.Add(-time.Second).Unix() }, problem.IDTokenClaims},
		"its subject is empty":                     {claim("sub", ""), problem.IDTokenClaims},
		"its subject is a number":                  {claim("sub", 12), problem.IDTokenClaims},
		"its subject is longer than 255":           {claim("sub", strings.Repeat("u", 256)), problem.IDTokenClaims},
		"it has no nonce":                          {func(i *idp) { i.noNonce = true }, problem.IDTokenNonce},
		"its nonce is null":                        {claim("nonce", nil), problem.IDTokenNonce},
		"its nonce is empty":                       {claim("nonce", ""), problem.IDTokenNonce},
		"its nonce is a number":                    {claim("nonce", 1), problem.IDTokenNonce},
		"its at_hash is empty":                     {claim("at_hash", ""), problem.IDTokenClaims},
		"its at_hash is a number":                  {claim("at_hash", 5), problem.IDTokenClaims},
		"its auth_time is a word":                  {claim("auth_time", "noon"), problem.IDTokenClaims},
		"its auth_time is in the future":           {claim("auth_time", now.Add(time.Minute).Unix()), problem.IDTokenClaims},
		"its auth_time is before all computers":    {claim("auth_time", -1), problem.IDTokenClaims},
		"its keys come with an error":              {func(i *idp) { i.answer("/keys", 500, access) }, problem.ProviderError},
		"its keys are no JSON":                     {func(i *idp) { i.answer("/keys", 200, access) }, problem.ProviderError},
		"its keys are too many":                    {func(i *idp) { i.answer("/keys", 200, strings.Repeat(" ", 1<<20)+"{}") }, problem.ProviderError},
		"its keys moved round in a circle":         {func(i *idp) { i.answers["/keys"] = redirect(issuer + "/keys") }, problem.ProviderError},
		"its keys moved from https to http":        {func(i *idp) { moved(i); i.answers["/keys"] = redirect("http://idp.example/keys2") }, problem.ProviderError},
		"there are no keys":                        {func(i *idp) { i.keys = []jose.JSONWebKey{} }, problem.IDTokenSignature},
		"it comes without being there":             {func(i *idp) { i.tokens["id_token"] = nil }, problem.TokenResponse},
		"it is an object instead of a text":        {func(i *idp) { i.tokens["id_token"] = map[string]any{"a": 1} }, problem.TokenResponse},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i)
			row.edit(i)
			pending, query := begin(t, i, p)
			sent := i.idToken()
			id, tokens, err := p.Redeem(t.Context(), pending, query)
			refuses(t, err, row.want, log, sent, pending.Verifier, pending.State, pending.Nonce)
			if id.Subject != "" || id.Claims != nil || !tokens.Access.Empty() || !tokens.Refresh.Empty() || !tokens.ID.Empty() {
				t.Errorf("a refused sign-in gave %+v and tokens", id)
			}
		})
	}
}

func TestAnIDTokenIsAcceptedWhen(t *testing.T) {
	for name, edit := range map[string]func(*idp){
		"it is plain": func(*idp) {},
		"it does not name its key, though the keys have names": func(i *idp) { delete(i.header, "kid") },
		"its audience is a list of one":                        claim("aud", []string{clientID}),
		"it names the only client twice":                       claim("azp", clientID),
		"it expired within the skew": func(i *idp) {
			i.claims["exp"] = now.Add(-29 * time.Second).Unix()
			i.claims["iat"] = now.Add(-time.Hour).Unix()
		},
		"its nbf is within the skew": claim("nbf", now.Add(29*time.Second).Unix()),
		"its iat is within the skew": claim("iat", now.Add(29*time.Second).Unix()),
		"its dates have fractions":   claim("iat", float64(now.Unix())-0.5),
		"its at_hash fits":           claim("at_hash", "wAtxp-jEMpMz74UqTv7TMQ"),
		"its keys have moved once":   moved,
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			edit(i)
			p, _ := start(t, i)
			if id, _ := signIn(t, i, p); id.Subject != "u-1" || id.Issuer != issuer {
				t.Errorf("got %+v", id)
			}
		})
	}
}

// Google's issuer with and without scheme is the one exception, and no one
// else's.
func TestGoogleMaySayWhoItIsWithoutItsScheme(t *testing.T) {
	i := newIDP()
	i.metadata["issuer"] = "https://accounts.google.com"
	i.claims["iss"] = "accounts.google.com"
	p, _ := start(t, i, func(c *rp.Config) { c.Issuer = "https://accounts.google.com" })
	if id, _ := signIn(t, i, p); id.Issuer != "https://accounts.google.com" {
		t.Errorf("issuer is %q", id.Issuer)
	}
}

func TestAProviderThatListsNoAlgorithmSignsWithRS256(t *testing.T) {
	i := newIDP()
	delete(i.metadata, "id_token_signing_alg_values_supported")
	p, log := start(t, i)
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	refuses(t, err, problem.IDTokenAlgorithm, log)

	i.signer, i.alg, i.header["kid"] = rsaKey(), jose.RS256, "r"
	signInAgain(t, i, p)
}

func TestARegisteredAlgorithmIsTheOnlyOne(t *testing.T) {
	i := newIDP()
	delete(i.metadata, "id_token_signing_alg_values_supported")
	p, _ := start(t, i, algorithm("ES256")) // though a list that is not there means RS256
	signIn(t, i, p)

	i.metadata["id_token_signing_alg_values_supported"] = []string{"RS256"}
	c, log := i.config()
	c.IDTokenAlg = "ES256"
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, p.Discover(t.Context()), problem.ProviderError, log)
}

func signInAgain(t *testing.T, i *idp, p *rp.Provider) {
	t.Helper()
	delete(i.claims, "nonce")
	signIn(t, i, p)
}

func TestANewKeyIsFetchedWhenAnIDTokenNamesIt(t *testing.T) {
	i := newIDP()
	p, log := start(t, i)
	signIn(t, i, p)

	i.signer, i.header["kid"] = otherKey(), "rotated"
	delete(i.claims, "nonce")
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	refuses(t, err, problem.IDTokenSignature, log)

	i.keys = append(i.keys, jose.JSONWebKey{Key: otherKey().Public(), KeyID: "rotated", Algorithm: "ES256"})
	signInAgain(t, i, p)
}

func TestKnownKeysServeWhileTheKeySetCannotBeHad(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	signIn(t, i, p)
	i.answer("/keys", http.StatusServiceUnavailable, "")
	if err := p.Discover(t.Context()); err != nil { // metadata anew, same address: same keys
		t.Fatal(err)
	}
	signInAgain(t, i, p)
}

func TestKeysThatCannotBeReachedAreTheProvidersTrouble(t *testing.T) {
	i := newIDP()
	p, log := start(t, i)
	i.answers["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		i.tokens["id_token"] = i.idToken()
		writeJSON(w, i.tokens)
		i.down = errors.New("connection reset: " + access)
	}
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	refuses(t, err, problem.ProviderUnavailable, log)
}

func unsigned(token string) string {
	return strings.TrimRight(part(2, "")(part(0, `{"alg":"none"}`)(token)), "=")
}

func asJSON(token string) string {
	parts := strings.Split(token, ".")
	return `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
}

// ownKey signs with a key the provider never had and puts it into the header.
func ownKey(i *idp) {
	i.signer = otherKey()
	i.header["jwk"] = jose.JSONWebKey{Key: otherKey().Public()}
	delete(i.header, "kid")
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func moved(i *idp) {
	i.answers["/keys"] = redirect(issuer + "/keys2")
	i.answers["/keys2"] = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, jose.JSONWebKeySet{Keys: i.keys}) }
}

func oddKeys(keys []jose.JSONWebKey) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"keys": []any{
			map[string]any{"kty": "EC", "crv": "secp256k1", "alg": "ES256K", "kid": "odd"}, keys[1],
		}})
	}
}

// TestASlowProviderIsNotAheadOfItsTime: the ID token is as old as the answer,
// not as the question.
func TestASlowProviderIsNotAheadOfItsTime(t *testing.T) {
	i := newIDP()
	later := now
	i.answers["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		later = now.Add(50 * time.Second)
		i.claims["iat"], i.claims["auth_time"] = later.Unix(), now.Unix()
		tokens := maps.Clone(i.tokens)
		tokens["id_token"] = i.idToken()
		writeJSON(w, tokens)
	}
	p, _ := start(t, i, func(c *rp.Config) { c.Now = func() time.Time { return later } })
	age := time.Duration(0)
	_, pending, err := p.Begin(t.Context(), rp.AuthRequest{MaxAge: &age})
	if err != nil {
		t.Fatal(err)
	}
	i.claims["nonce"] = pending.Nonce
	if _, _, err := p.Redeem(t.Context(), pending, url.Values{"code": {code}, "state": {pending.State}}); err != nil {
		t.Error(err)
	}
}
