package rp_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

func bound(c *rp.Config) { c.DPoP = true }

// proofOf verifies a DPoP header as a server does (RFC 9449 §4.3) and returns
// its claims and the thumbprint of its key.
func proofOf(t testing.TB, header string) (claims map[string]any, thumbprint string) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(header, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("the proof %q: %v", header, err)
	}
	protected := jws.Signatures[0].Header
	if protected.JSONWebKey == nil || !protected.JSONWebKey.IsPublic() || protected.ExtraHeaders["typ"] != "dpop+jwt" {
		t.Fatalf("the proof's header is %+v", protected)
	}
	payload, err := jws.Verify(protected.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	sum, err := protected.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return claims, base64.RawURLEncoding.EncodeToString(sum)
}

// strict is a token endpoint that binds tokens and wants a nonce in each proof,
// a new one after each answer.
type strict struct {
	*idp
	nonces []string
	jtis   map[any]bool
	keys   []string // of the proofs it accepted
}

func newStrict(t testing.TB) *strict {
	s := &strict{idp: newIDP(), jtis: map[any]bool{}}
	s.metadata["dpop_signing_alg_values_supported"] = []string{"RS256", "ES256"}
	s.tokens["token_type"] = "DPoP"
	s.answers["/token"] = func(w http.ResponseWriter, r *http.Request) { s.token(t, w, r) }
	return s
}

func (s *strict) token(t testing.TB, w http.ResponseWriter, r *http.Request) {
	claims, thumbprint := proofOf(t, r.Header.Get("DPoP"))
	if claims["htm"] != "POST" || claims["htu"] != issuer+"/token" || claims["iat"] != float64(now.Unix()) {
		t.Errorf("the proof says %v", claims)
	}
	if _, ok := claims["ath"]; ok {
		t.Error("the proof speaks of a token that is not there")
	}
	if claims["jti"] == nil || s.jtis[claims["jti"]] {
		t.Errorf("jti %v came before", claims["jti"])
	}
	s.jtis[claims["jti"]] = true
	last := ""
	if n := len(s.nonces); n > 0 {
		last = s.nonces[n-1]
	}
	s.nonces = append(s.nonces, "nonce-"+strings.Repeat("x", len(s.nonces)))
	w.Header().Set("DPoP-Nonce", s.nonces[len(s.nonces)-1])
	if last == "" || claims["nonce"] != last {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"use_dpop_nonce"}`))
		return
	}
	s.keys = append(s.keys, thumbprint)
	tokens := maps.Clone(s.tokens)
	if _, set := tokens["id_token"]; !set {
		tokens["id_token"] = s.idToken()
	}
	writeJSON(w, tokens)
}

func TestTheTokensOfASessionAreBoundToAKeyOfItsOwn(t *testing.T) {
	s := newStrict(t)
	p, log := start(t, s.idp, bound)
	_, first := signIn(t, s.idp, p)
	if len(s.seen) != 2 {
		t.Errorf("the first sign-in took %d requests, want one without and one with the nonce", len(s.seen))
	}
	renewed, err := p.Refresh(t.Context(), first, rp.Target{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.seen) != 3 {
		t.Errorf("%d requests: the nonce of the last answer was not used for the next", len(s.seen))
	}
	if renewed.Key.Reveal() != first.Key.Reveal() || first.Key.Empty() {
		t.Error("the key was not kept")
	}
	delete(s.claims, "nonce")
	_, second := signIn(t, s.idp, p)
	if second.Key.Reveal() == first.Key.Reveal() {
		t.Error("two sessions share a key")
	}
	if len(s.keys) != 3 || s.keys[0] != s.keys[1] || s.keys[1] == s.keys[2] {
		t.Errorf("proved with %v", s.keys)
	}
	untold(t, log.String(), first.Key.Reveal(), second.Key.Reveal())
}

func TestEachAttemptHasAnAssertionOfItsOwn(t *testing.T) {
	s := newStrict(t)
	p, _ := start(t, s.idp, bound, withKey(inPEM(t, ecKey())))
	signIn(t, s.idp, p)
	if len(s.seen) != 2 {
		t.Fatalf("asked %d times", len(s.seen))
	}
	a, b := assertionOf(t, s.seen[0], ecKey(), jose.ES256, ""), assertionOf(t, s.seen[1], ecKey(), jose.ES256, "")
	if a["jti"] == b["jti"] {
		t.Error("an assertion was used twice")
	}
}

func TestAWishForANonceIsGrantedOnce(t *testing.T) {
	for name, row := range map[string]struct {
		nonce  string
		status int
		body   string
		want   int // requests
	}{
		"and not a second time":             {"n-1", 400, `{"error":"use_dpop_nonce"}`, 2},
		"with status 401 too":               {"n-1", 401, `{"error":"use_dpop_nonce"}`, 2},
		"not, when none is given":           {"", 400, `{"error":"use_dpop_nonce"}`, 1},
		"not, when it is none":              {"a b", 400, `{"error":"use_dpop_nonce"}`, 1},
		"not, when it is endless":           {strings.Repeat("n", 1025), 400, `{"error":"use_dpop_nonce"}`, 1},
		"not, when something else is wrong": {"n-1", 400, `{"error":"invalid_dpop_proof"}`, 1},
		"not, when the provider fails":      {"n-1", 503, `{"error":"use_dpop_nonce"}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i, bound)
			i.answers["/token"] = func(w http.ResponseWriter, _ *http.Request) {
				if row.nonce != "" {
					w.Header().Set("DPoP-Nonce", row.nonce)
				}
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.body))
			}
			refuses(t, redeem(t, i, p), problem.ProviderError, log)
			if len(i.seen) != row.want {
				t.Errorf("asked %d times, want %d", len(i.seen), row.want)
			}
		})
	}
}

func TestADowngradeIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		dpop bool
		kind string
	}{
		"Bearer where a key was proved": {true, "Bearer"},
		"DPoP where none was":           {false, "DPoP"},
		"N_A where a key was proved":    {true, "N_A"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			p, log := start(t, i, func(c *rp.Config) { c.DPoP = row.dpop })
			i.tokens["token_type"] = row.kind
			refuses(t, redeem(t, i, p), problem.TokenResponse, log)
			got, err := p.Refresh(t.Context(), held(), rp.Target{})
			refuses(t, err, problem.TokenResponse, log)
			if !got.Access.Empty() {
				t.Error("a token came with the error")
			}
		})
	}
}

func TestASessionChangesOverWithItsNextRenewal(t *testing.T) {
	s := newStrict(t)
	p, _ := start(t, s.idp, bound)
	renewed, err := p.Refresh(t.Context(), held(), rp.Target{}) // from before dpop was on
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Key.Empty() {
		t.Error("the tokens were not bound")
	}

	i := newIDP()
	off, _ := start(t, i)
	back, err := off.Refresh(t.Context(), renewed, rp.Target{})
	if err != nil {
		t.Fatal(err)
	}
	if !back.Key.Empty() || i.seen[0].proof != "" {
		t.Error("a key is left though tokens are not bound any more")
	}
}

func TestAProviderWithoutOurAlgorithmIsRefused(t *testing.T) {
	i := newIDP()
	i.metadata["dpop_signing_alg_values_supported"] = []string{"RS256"}
	start(t, i) // no matter without dpop
	c, log := i.config()
	c.DPoP = true
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, p.Discover(t.Context()), problem.ProviderError, log)
	delete(i.metadata, "dpop_signing_alg_values_supported")
	if err := p.Discover(t.Context()); err != nil || !strings.Contains(log.String(), "does not list DPoP") {
		t.Errorf("%v; the log says %s", err, log)
	}
}

func TestAProofForAnAPI(t *testing.T) {
	s := newStrict(t)
	p, _ := start(t, s.idp, bound)
	_, tokens := signIn(t, s.idp, p)
	sum := sha256.Sum256([]byte(tokens.Access.Reveal()))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])
	for name, row := range map[string]struct {
		method, target, nonce string
		access                secret.String
		htu                   string
		ath, wantNonce        any
	}{
		"with everything":      {"PATCH", "https://api.example/v1/orders/a%2Fb?q=1#f", "n-1", tokens.Access, "https://api.example/v1/orders/a%2Fb", ath, "n-1"},
		"without a nonce":      {"GET", "https://api.example/", "", tokens.Access, "https://api.example/", ath, nil},
		"without a token":      {"POST", "https://api.example:8443/x", "", secret.String{}, "https://api.example:8443/x", nil, nil},
		"for a host in shouts": {"GET", "HTTPS://API.Example/X", "", tokens.Access, "https://api.example/X", ath, nil},
	} {
		t.Run(name, func(t *testing.T) {
			target, err := url.Parse(row.target)
			if err != nil {
				t.Fatal(err)
			}
			before := time.Now()
			header, err := rp.Proof(tokens.Key, row.method, target, row.access, row.nonce)
			if err != nil {
				t.Fatal(err)
			}
			claims, thumbprint := proofOf(t, header.Reveal())
			if claims["htm"] != row.method || claims["htu"] != row.htu || claims["ath"] != row.ath || claims["nonce"] != row.wantNonce {
				t.Errorf("the proof says %v", claims)
			}
			if at := int64(claims["iat"].(float64)); at < before.Unix() || at > time.Now().Unix() {
				t.Errorf("dated %d", at)
			}
			if thumbprint != s.keys[0] {
				t.Error("the key is not the one the token is bound to")
			}
			again, err := rp.Proof(tokens.Key, row.method, target, row.access, row.nonce)
			if err != nil {
				t.Fatal(err)
			}
			if other, _ := proofOf(t, again.Reveal()); other["jti"] == claims["jti"] {
				t.Error("two proofs have the same jti")
			}
		})
	}
}

func TestAProofNeedsAKey(t *testing.T) {
	target := &url.URL{Scheme: "https", Host: "api.example"}
	for name, key := range map[string]string{
		"no key":           "",
		"a word":           "hunter2-HUNTER2!",
		"a short scalar":   base64.RawURLEncoding.EncodeToString(make([]byte, 31)),
		"a scalar of zero": base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
	} {
		header, err := rp.Proof(secret.New(key), "GET", target, secret.String{}, "")
		if err == nil || !header.Empty() {
			t.Errorf("%s: proved", name)
		} else {
			untold(t, err.Error(), key)
		}
	}
}

func BenchmarkProof(b *testing.B) {
	s := newStrict(b)
	p, _ := start(b, s.idp, bound)
	_, tokens := signIn(b, s.idp, p)
	target := &url.URL{Scheme: "https", Host: "api.example", Path: "/v1/orders"}
	for b.Loop() {
		if _, err := rp.Proof(tokens.Key, "GET", target, tokens.Access, "nonce"); err != nil {
			b.Fatal(err)
		}
	}
}
