package api_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/api"
	"cloakroom/shared/problem"
)

// Each row breaks one property of a good token. All get the same answer; the
// log knows which property it was.
func TestABrokenTokenIsRefused(t *testing.T) {
	l := newLab(t, nil)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := l.clock.Now()
	encode := base64.RawURLEncoding.EncodeToString
	for _, row := range []struct {
		name  string
		spoil func(*ticket)
		cause string
	}{
		{"it is an ID token", func(k *ticket) { k.header["typ"] = "JWT" }, "not of type at+jwt"},
		{"it has no type", func(k *ticket) { delete(k.header, "typ") }, "not of type at+jwt"},
		{"it is a logout token", func(k *ticket) { k.header["typ"] = "logout+jwt" }, "not of type at+jwt"},
		{"its type is a number", func(k *ticket) { k.header["typ"] = 1 }, "not of type at+jwt"},
		{"it names no key", func(k *ticket) { delete(k.header, "kid") }, "names no key"},
		{"it names a key the issuer has not", func(k *ticket) { k.header["kid"] = "other" }, "key is not the issuer's"},
		{"another key made the signature", func(k *ticket) { k.key = foreign }, "verify signature"},
		{"it brings its own key", func(k *ticket) {
			k.key, k.header["jwk"] = foreign, jose.JSONWebKey{Key: foreign.Public()}
		}, "verify signature"},
		{"the public key serves as an HMAC secret", func(k *ticket) {
			k.alg, k.key = jose.HS256, x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)
		}, "parse token"},
		{"its algorithm is not of the key", func(k *ticket) { k.alg, k.key = jose.ES256, newECKey(t) }, "verify signature"},
		{"it has a critical header nobody knows", func(k *ticket) {
			k.header["crit"], k.header["x"] = []string{"x"}, 1
		}, "verify signature"},
		{"it is of another issuer", func(k *ticket) { k.claims["iss"] = "https://other.example.com" }, "another issuer"},
		{"its issuer has a slash more", func(k *ticket) { k.claims["iss"] = l.issuer.URL + "/" }, "another issuer"},
		{"it is for another audience", func(k *ticket) { k.claims["aud"] = "https://other.example.com" }, "another audience"},
		{"it is for audiences that are not us", func(k *ticket) { k.claims["aud"] = []string{"a", audience + "/"} }, "another audience"},
		{"it has no audience", func(k *ticket) { delete(k.claims, "aud") }, "another audience"},
		{"it has expired", func(k *ticket) { k.claims["exp"] = now.Add(-6 * time.Second).Unix() }, "check times"},
		{"it never expires", func(k *ticket) { delete(k.claims, "exp") }, "lacks a required claim"},
		{"it is not valid yet", func(k *ticket) { k.claims["nbf"] = now.Add(6 * time.Second).Unix() }, "check times"},
		{"it is from the future", func(k *ticket) { k.claims["iat"] = now.Add(6 * time.Second).Unix() }, "check times"},
		{"it has no time of issue", func(k *ticket) { delete(k.claims, "iat") }, "lacks a required claim"},
		{"it has no subject", func(k *ticket) { delete(k.claims, "sub") }, "lacks a required claim"},
		{"it has no client", func(k *ticket) { delete(k.claims, "client_id") }, "lacks a required claim"},
		{"it has no ID", func(k *ticket) { delete(k.claims, "jti") }, "lacks a required claim"},
		{"its claims are not an object", func(k *ticket) { k.payload = `[]` }, "verify signature"},
		{"its expiry is a text", func(k *ticket) { k.claims["exp"] = "tomorrow" }, "verify signature"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := l.ticket("user-alice")
			row.spoil(k)
			refused(t, l, "Bearer "+k.sign(t), row.cause)
		})
	}
	good := l.token("user-alice")
	parts := strings.Split(good, ".")
	none := encode([]byte(`{"alg":"none","typ":"at+jwt","kid":"rsa"}`)) + "." + parts[1] + "."
	for _, row := range []struct{ name, authorization, cause string }{
		{"it is not signed", "Bearer " + none, "parse token"},
		{"its claims were changed", "Bearer " + parts[0] + "." + encode([]byte(`{"sub":"user-bob"}`)) + "." + parts[2], "verify signature"},
		{"its signature is cut off", "Bearer " + parts[0] + "." + parts[1] + ".", "verify signature"},
		{"it is not a JWT", "Bearer hunter2", "parse token"},
		{"it is two", "Bearer " + good + " " + good, "not exactly one token"},
		{"it is empty", "Bearer ", "not exactly one token"},
		{"it has another scheme", "Basic " + good, "scheme is neither Bearer nor DPoP"},
		{"it is without end", "Bearer " + strings.Repeat("a", 16<<10+1), "too long"},
	} {
		t.Run(row.name, func(t *testing.T) { refused(t, l, row.authorization, row.cause) })
	}
	t.Run("it is sent twice", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/orders", nil)
		r.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
		wantProblem(t, l.do(r), problem.TokenInvalid)
	})
}

func refused(t *testing.T, l *lab, authorization, cause string) {
	t.Helper()
	before := len(l.log.String())
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", authorization)
	response := l.do(r)
	wantProblem(t, response, problem.TokenInvalid)
	if got := response.Header.Get("WWW-Authenticate"); got != `Bearer realm="orders", error="invalid_token"` {
		t.Errorf("WWW-Authenticate: %s (RFC 6750 §3)", got)
	}
	log := l.log.String()[before:]
	if !strings.Contains(log, cause) {
		t.Errorf("the log does not say %q: %s", cause, log)
	}
	if _, token, _ := strings.Cut(authorization, " "); token != "" && strings.Contains(log, token) {
		t.Errorf("the log holds the token: %s", log)
	}
}

func TestAGoodTokenIsTaken(t *testing.T) {
	l := newLab(t, nil)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, now := newECKey(t), l.clock.Now()
	l.issuer.set(func(i *issuer) { i.keys = append(i.keys, public("ec", ecKey), public("ed", edKey)) })
	for _, row := range []struct {
		name   string
		change func(*ticket)
	}{
		{"as it is", func(*ticket) {}},
		{"with the long type", func(k *ticket) { k.header["typ"] = "application/at+JWT" }},
		{"with us among its audiences", func(k *ticket) { k.claims["aud"] = []string{"https://other", audience} }},
		{"within the leeway of its end", func(k *ticket) { k.claims["exp"] = now.Add(-4 * time.Second).Unix() }},
		{"within the leeway of its start", func(k *ticket) { k.claims["nbf"] = now.Add(4 * time.Second).Unix() }},
		{"signed with PS256", func(k *ticket) { k.alg = jose.PS256 }},
		{"signed with ES256", func(k *ticket) { k.alg, k.key, k.header["kid"] = jose.ES256, ecKey, "ec" }},
		{"signed with EdDSA", func(k *ticket) { k.alg, k.key, k.header["kid"] = jose.EdDSA, edKey, "ed" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := l.ticket("user-alice")
			row.change(k)
			if response := l.call(k.sign(t), "GET", "/orders", ""); response.StatusCode != 200 {
				t.Errorf("status %d; log: %s", response.StatusCode, l.log)
			}
		})
	}
}

func TestEveryEndpointWantsAToken(t *testing.T) {
	l := newLab(t, nil)
	for _, target := range []string{
		"GET /orders", "POST /orders", "GET /orders/1", "DELETE /orders/1", "PUT /orders", "GET /debug/headers",
		"GET /debug/stream", "POST /debug/echo", "GET /debug/echo", "GET /", "GET /nowhere", "OPTIONS /orders",
	} {
		method, path, _ := strings.Cut(target, " ")
		response := l.call("", method, path, "")
		wantProblem(t, response, problem.TokenInvalid)
		if got := response.Header.Get("WWW-Authenticate"); got != `Bearer realm="orders"` {
			t.Errorf("%s: WWW-Authenticate: %s; without a try there is no error (RFC 6750 §3.1)", target, got)
		}
	}
}

func TestOrdersNeedTheirScope(t *testing.T) {
	l := newLab(t, nil)
	k := l.ticket("user-alice")
	k.claims["scope"] = "openid orders:read"
	token := k.sign(t)
	for _, target := range []string{"GET /orders", "POST /orders", "GET /orders/1", "DELETE /orders/1"} {
		method, path, _ := strings.Cut(target, " ")
		response := l.call(token, method, path, "")
		wantProblem(t, response, problem.InsufficientScope)
		if got := response.Header.Get("WWW-Authenticate"); got != `Bearer realm="orders", error="insufficient_scope", scope="orders"` {
			t.Errorf("%s: WWW-Authenticate: %s", target, got)
		}
	}
	if response := l.call(token, "GET", "/debug/headers", ""); response.StatusCode != 200 {
		t.Errorf("debug needs a token but no scope; status %d", response.StatusCode)
	}
	two := newLab(t, func(c *api.Config) { c.RequiredScope = []string{"openid", "shop"} })
	wantProblem(t, two.call(two.token("user-alice"), "GET", "/orders", ""), problem.InsufficientScope)
	none := newLab(t, func(c *api.Config) { c.RequiredScope = []string{} })
	k = none.ticket("user-alice")
	delete(k.claims, "scope")
	if response := none.call(k.sign(t), "GET", "/orders", ""); response.StatusCode != 200 {
		t.Errorf("no scope is required; status %d", response.StatusCode)
	}
}
