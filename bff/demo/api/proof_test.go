package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/dpop"
	"cloakroom/shared/problem"
)

func thumbprint(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func TestATokenThatIsBoundToAKeyIsGoodWithAProofOfItAlone(t *testing.T) { // RFC 9449 §7
	l := newLab(t, nil)
	key, other := newECKey(t), newECKey(t)
	with := func(confirmation any) string {
		ticket := l.ticket("user-alice")
		ticket.claims["cnf"] = confirmation
		return ticket.sign(t)
	}
	bound, free := with(map[string]any{"jkt": thumbprint(t, key)}), l.token("user-alice")
	// proved is what key proves for a request, and token.
	proved := func(key *ecdsa.PrivateKey, method, target, token string) http.Header {
		h := http.Header{}
		if err := dpop.Prove(h, key, method, target, token, l.clock.Now()); err != nil {
			t.Fatal(err)
		}
		return h
	}
	const orders = audience + "/orders"
	ask := func(scheme, token string, proof http.Header) *http.Response {
		r := httptest.NewRequest(http.MethodGet, "/orders?limit=1", nil)
		if proof != nil {
			r.Header = proof.Clone()
		}
		r.Header.Set("Authorization", scheme+" "+token)
		return l.do(r)
	}
	for _, row := range []struct {
		name   string
		scheme string
		token  string
		proof  http.Header
		taken  bool
	}{
		{"with its proof", "DPoP", bound, proved(key, "GET", orders, bound), true},
		{"with its proof, the scheme in small letters", "dpop", bound, proved(key, "GET", orders, bound), true},
		{"as a bearer token", "Bearer", bound, nil, false},
		{"as a bearer token, with its proof", "Bearer", bound, proved(key, "GET", orders, bound), false},
		{"without a proof", "DPoP", bound, nil, false},
		{"with a proof of another key", "DPoP", bound, proved(other, "GET", orders, bound), false},
		{"with a proof for another token", "DPoP", bound, proved(key, "GET", orders, free), false},
		{"with a proof for no token", "DPoP", bound, proved(key, "GET", orders, ""), false},
		{"with a proof for another method", "DPoP", bound, proved(key, "POST", orders, bound), false},
		{"with a proof for another path", "DPoP", bound, proved(key, "GET", orders+"/1", bound), false},
		{"with a proof for another server", "DPoP", bound, proved(key, "GET", "https://api.example.org/orders", bound), false},
		{"a token that is not bound, with a proof", "DPoP", free, proved(key, "GET", orders, free), false},
		{"a token that is not bound, as ever", "Bearer", free, nil, true},
		{"a token that is confirmed by a certificate", "Bearer", with(map[string]any{"x5t#S256": "x"}), nil, false},
		{"a token that is confirmed by nothing", "Bearer", with(map[string]any{}), nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ask(row.scheme, row.token, row.proof)
			if row.taken {
				if got.StatusCode != http.StatusOK {
					t.Errorf("status %d, %s", got.StatusCode, got.Header.Get("WWW-Authenticate"))
				}
				return
			}
			wantProblem(t, got, problem.TokenInvalid)
			if challenge := got.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, row.scheme+" ") || !strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("the challenge is %q", challenge)
			}
		})
	}
	t.Run("a proof is good once", func(t *testing.T) {
		proof := proved(key, "GET", orders, bound)
		if first, second := ask("DPoP", bound, proof), ask("DPoP", bound, proof); first.StatusCode != http.StatusOK || second.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d, then %d", first.StatusCode, second.StatusCode)
		}
	})
}
