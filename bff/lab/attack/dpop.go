package attack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"time"

	"cloakroom/shared/lab"
)

// bound reports whether an application has its tokens bound to a key.
func bound(s lab.Strategy) bool { return s.ID == "dpop" }

// newKey makes a key for proofs of possession.
func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // there is no randomness
	}
	return key
}

// claimsOf reads a JWT's claims, unverified.
func claimsOf(token string) map[string]any {
	_, rest, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(rest, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(body)
	var claims map[string]any
	_ = json.Unmarshal(raw, &claims)
	return claims
}

// thumbprintOf is the key a token is bound to (RFC 9449 §6.1); empty: none.
func thumbprintOf(token string) string {
	bound, _ := claimsOf(token)["cnf"].(map[string]any)
	thumbprint, _ := bound["jkt"].(string)
	return thumbprint
}

// publicJWK is a key's public half.
func publicJWK(key *ecdsa.PrivateKey) (jwk map[string]string, thumbprint string) {
	x, y := base64url(key.X.FillBytes(make([]byte, 32))), base64url(key.Y.FillBytes(make([]byte, 32)))
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`)) // RFC 7638 §3
	return map[string]string{"kty": "EC", "crv": "P-256", "x": x, "y": y}, base64url(sum[:])
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// prove puts a token on a request, and a proof by a key that the attacker has:
// the one the token is bound to, if that was found, or else its own. A request
// for tokens has no token yet; it shows the key the new ones are to be bound to.
func (a *attacker) prove(r *http.Request, token string) error {
	scheme, key := "Bearer", a.key
	if thumbprint := thumbprintOf(token); thumbprint != "" {
		scheme = "DPoP"
		if found := a.found(thumbprint); found != nil {
			key = found
		}
	}
	if token != "" {
		r.Header.Set("Authorization", scheme+" "+token)
		if scheme == "Bearer" {
			return nil
		}
	}
	proof, err := proofOf(key, r, token, time.Now())
	if err == nil {
		r.Header.Set("DPoP", proof)
	}
	return err
}

// proofOf makes a proof of possession (RFC 9449 §4.2).
func proofOf(key *ecdsa.PrivateKey, r *http.Request, token string, now time.Time) (string, error) {
	jwk, _ := publicJWK(key)
	head, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
	if err != nil {
		return "", err
	}
	claims := map[string]any{"jti": rand.Text(), "htm": r.Method, "htu": r.URL.Scheme + "://" + r.URL.Host + r.URL.Path, "iat": now.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64url(sum[:])
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return signed(key, base64url(head)+"."+base64url(body)), nil
}

// signed appends an ES256 signature to a JWS's input.
func signed(key *ecdsa.PrivateKey, input string) string {
	sum := sha256.Sum256([]byte(input))
	one, two, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err) // there is no randomness
	}
	return input + "." + base64url(joined(one, two))
}

// joined is a signature as JWS wants it (RFC 7518 §3.4).
func joined(one, two *big.Int) []byte {
	return append(one.FillBytes(make([]byte, 32)), two.FillBytes(make([]byte, 32))...)
}

// found looks among the keys that the attacker found for the one with a thumbprint.
func (a *attacker) found(thumbprint string) *ecdsa.PrivateKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keys[thumbprint]
}

// keyring adds a key that was found.
func (a *attacker) keyring(key *ecdsa.PrivateKey) (thumbprint string) {
	_, thumbprint = publicJWK(key)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[thumbprint] = key
	return thumbprint
}
