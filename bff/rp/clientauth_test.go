package rp_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
)

var edKey = sync.OnceValue(func() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// inPEM is what a key file holds.
func inPEM(t testing.TB, key crypto.Signer) secret.String {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func withKey(key secret.String) func(*rp.Config) {
	return func(c *rp.Config) {
		c.ClientAuth, c.ClientSecret, c.ClientKey = "private_key_jwt", secret.String{}, key
	}
}

// assertionOf verifies the client assertion of a request and returns its
// claims, as a provider does (RFC 7523 §3).
func assertionOf(t testing.TB, one seen, key crypto.Signer, algorithm jose.SignatureAlgorithm, kid string) map[string]any {
	t.Helper()
	if one.basic || one.form.Has("client_secret") {
		t.Error("a secret was sent too")
	}
	if one.form.Get("client_id") != clientID ||
		one.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("the form is %v", slices.Sorted(maps.Keys(one.form)))
	}
	jws, err := jose.ParseSignedCompact(one.form.Get("client_assertion"), []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	if got := jws.Signatures[0].Header.KeyID; got != kid {
		t.Errorf("kid is %q, want %q", got, kid)
	}
	payload, err := jws.Verify(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestAClientProvesItselfByItsKey(t *testing.T) {
	jwk, err := json.Marshal(jose.JSONWebKey{Key: ecKey(), KeyID: "of-the-file"})
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		key    crypto.Signer
		text   secret.String
		listed []string // by the provider
		keyID  string   // configured
		want   jose.SignatureAlgorithm
		kid    string
	}{
		"EC":                           {ecKey(), inPEM(t, ecKey()), nil, "", jose.ES256, ""},
		"EC with a key ID":             {ecKey(), inPEM(t, ecKey()), nil, "k-1", jose.ES256, "k-1"},
		"a JWK":                        {ecKey(), secret.New(string(jwk)), nil, "", jose.ES256, "of-the-file"},
		"a JWK with another key ID":    {ecKey(), secret.New(string(jwk)), nil, "k-1", jose.ES256, "k-1"},
		"RSA, with nothing listed":     {rsaKey(), inPEM(t, rsaKey()), nil, "", jose.RS256, ""},
		"RSA, with both listed":        {rsaKey(), inPEM(t, rsaKey()), []string{"RS256", "PS256"}, "", jose.PS256, ""},
		"RSA, with only RS256 listed":  {rsaKey(), inPEM(t, rsaKey()), []string{"ES256", "RS256"}, "", jose.RS256, ""},
		"Ed25519":                      {edKey(), inPEM(t, edKey()), nil, "", jose.EdDSA, ""},
		"EC where something is listed": {ecKey(), inPEM(t, ecKey()), []string{"RS256"}, "", jose.ES256, ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			i.metadata["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
			i.metadata["token_endpoint_auth_signing_alg_values_supported"] = row.listed
			p, log := start(t, i, withKey(row.text), func(c *rp.Config) { c.ClientKeyID = row.keyID })
			_, tokens := signIn(t, i, p)
			if _, err := p.Refresh(t.Context(), tokens, rp.Target{}); err != nil {
				t.Fatal(err)
			}
			if err := p.Revoke(t.Context(), tokens); err != nil {
				t.Fatal(err)
			}
			if len(i.seen) != 4 {
				t.Fatalf("asked %d times", len(i.seen))
			}
			used := map[any]bool{}
			for _, one := range i.seen {
				claims := assertionOf(t, one, row.key, row.want, row.kid)
				if claims["iss"] != clientID || claims["sub"] != clientID || claims["aud"] != issuer {
					t.Errorf("%s: %v", one.path, claims)
				}
				if claims["iat"] != float64(now.Unix()) || claims["exp"] != float64(now.Add(time.Minute).Unix()) {
					t.Errorf("%s: dated %v to %v", one.path, claims["iat"], claims["exp"])
				}
				if jti := claims["jti"]; used[jti] || jti == "" || jti == nil {
					t.Errorf("%s: jti %v came before", one.path, jti)
				}
				used[claims["jti"]] = true
				untold(t, log.String(), one.form.Get("client_assertion"))
			}
			untold(t, log.String(), row.text.Reveal(), access, refresh, code)
			if strings.Contains(log.String(), "client authentication") {
				t.Errorf("warned of what the provider lists: %s", log)
			}
		})
	}
}

// TestAKeyThatTheProviderCannotReadIsWarnedOf: it would only say invalid_client.
func TestAKeyThatTheProviderCannotReadIsWarnedOf(t *testing.T) {
	for name, row := range map[string]struct {
		listed []string
		warned bool
	}{
		"another algorithm": {[]string{"RS256"}, true},
		"its own":           {[]string{"RS256", "ES256"}, false},
		"none":              {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			i.metadata["token_endpoint_auth_signing_alg_values_supported"] = row.listed
			_, log := start(t, i, withKey(inPEM(t, ecKey())))
			if warned := strings.Contains(log.String(), "algorithm of the client key"); warned != row.warned {
				t.Errorf("warned: %v; the log says %s", warned, log)
			}
		})
	}
}
