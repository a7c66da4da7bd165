package idp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/dpop"
	"cloakroom/bff/demo/idp"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func thumbprint(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// proof is a header with one for the token endpoint, or nothing without a key.
func (p *party) proof(key *ecdsa.PrivateKey) http.Header {
	p.t.Helper()
	h := http.Header{}
	if key != nil {
		if err := dpop.Prove(h, key, http.MethodPost, p.Issuer()+"/oauth/token", "", p.clock.Now()); err != nil {
			p.t.Fatal(err)
		}
	}
	return h
}

// postWith is post with a header.
func (p *party) postWith(h http.Header, path string, form url.Values) tokens {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.Issuer()+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = h.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !form.Has("client_id") {
		r.SetBasicAuth(clientID, clientSecret)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	got := tokens{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	_ = json.Unmarshal(body, &got)
	return got
}

// bindingClients has a third public client, which must use DPoP.
func bindingClients(cfg *idp.Config) {
	withPublicClients(cfg)
	cfg.Clients = append(cfg.Clients, idp.Client{ID: "bound", Public: true, DPoP: true, RedirectURIs: []string{"http://bound.localhost:8080/"}})
}

func (p *party) pageCode() url.Values {
	return publicForm(codeForm(p.signIn("alice", "wonderland", asPage).Get("code")))
}

func TestTokensAreBoundToTheKeyOfTheRequestsProof(t *testing.T) { // RFC 9449 §5, §6
	p := newParty(t, bindingClients)
	key, other := newKey(t), newKey(t)
	got := p.postWith(p.proof(key), "/oauth/token", p.pageCode())
	if got.Status != http.StatusOK || got.Type != "DPoP" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	confirmed := func(token string) any {
		_, claims := p.mustVerify(token)
		confirmation, _ := claims["cnf"].(map[string]any)
		return confirmation["jkt"]
	}
	if confirmed(got.Access) != thumbprint(t, key) {
		t.Errorf("bound to %v", confirmed(got.Access))
	}
	for name, h := range map[string]http.Header{"without a proof": p.proof(nil), "with a proof of another key": p.proof(other)} {
		if refused := p.postWith(h, "/oauth/token", publicForm(refreshForm(got.Refresh))); refused.Error != "invalid_grant" || refused.Access != "" {
			t.Errorf("a refresh %s: %d %s", name, refused.Status, refused.Body)
		}
	}
	renewed := p.postWith(p.proof(key), "/oauth/token", publicForm(refreshForm(got.Refresh))) // the thief's tries ended nothing
	if renewed.Status != http.StatusOK || renewed.Type != "DPoP" || confirmed(renewed.Access) != thumbprint(t, key) {
		t.Fatalf("a refresh: %d %s", renewed.Status, renewed.Body)
	}
	if refused := p.postWith(p.proof(other), "/oauth/token", publicForm(refreshForm(renewed.Refresh))); refused.Error != "invalid_grant" {
		t.Errorf("the next, with another key: %d %s", refused.Status, refused.Body)
	}
	if free := p.post("/oauth/token", p.pageCode()); free.Type != "Bearer" || confirmed(free.Access) != nil {
		t.Errorf("without a proof, tokens are %s, bound to %v", free.Type, confirmed(free.Access))
	}
}

func TestAConfidentialClientMayChangeItsKey(t *testing.T) { // RFC 9449 §5: its secret binds the refresh token
	p := newParty(t)
	got := p.postWith(p.proof(newKey(t)), "/oauth/token", codeForm(p.signIn("alice", "wonderland", nil).Get("code")))
	again := p.postWith(p.proof(newKey(t)), "/oauth/token", refreshForm(got.Refresh))
	if got.Type != "DPoP" || again.Type != "DPoP" || again.Status != http.StatusOK {
		t.Errorf("%s, then %d %s", got.Type, again.Status, again.Body)
	}
}

func TestAProofThatIsNotGoodGetsNothing(t *testing.T) {
	p := newParty(t, bindingClients)
	key := newKey(t)
	to := func(method, target string) http.Header {
		h := http.Header{}
		if err := dpop.Prove(h, key, method, target, "", p.clock.Now()); err != nil {
			t.Fatal(err)
		}
		return h
	}
	used := p.proof(key)
	if got := p.postWith(used, "/oauth/token", p.pageCode()); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for name, h := range map[string]http.Header{
		"used before": used, "for another endpoint": to("POST", p.Issuer()+"/revoke"), "for another method": to("GET", p.Issuer()+"/oauth/token"),
		"nonsense": {"Dpop": {"x.y.z"}}, "twice": {"Dpop": {p.proof(key).Get("DPoP"), p.proof(key).Get("DPoP")}},
	} {
		form := p.pageCode()
		if got := p.postWith(h, "/oauth/token", form); got.Status != http.StatusBadRequest || got.Error != "invalid_dpop_proof" || got.Access != "" {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if got := p.postWith(p.proof(key), "/oauth/token", form); got.Status != http.StatusOK { // nothing was used up
			t.Errorf("%s, and then a good one: %d %s", name, got.Status, got.Body)
		}
	}
	t.Run("and none, from a client that must have one", func(t *testing.T) {
		form := codeForm(p.signIn("alice", "wonderland", url.Values{"client_id": {"bound"}, "redirect_uri": {"http://bound.localhost:8080/"}}).Get("code"))
		form.Set("client_id", "bound")
		form.Set("redirect_uri", "http://bound.localhost:8080/")
		if got := p.post("/oauth/token", form); got.Error != "invalid_dpop_proof" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if got := p.postWith(p.proof(key), "/oauth/token", form); got.Type != "DPoP" {
			t.Errorf("with one: %d %s", got.Status, got.Body)
		}
	})
}

func TestUserinfoWantsTheProofToo(t *testing.T) { // RFC 9449 §7.1
	p := newParty(t, bindingClients)
	key := newKey(t)
	bound := p.postWith(p.proof(key), "/oauth/token", p.pageCode()).Access
	free := p.post("/oauth/token", p.pageCode()).Access
	ask := func(authorization string, key *ecdsa.PrivateKey, token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Issuer()+"/userinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != nil {
			if err := dpop.Prove(r.Header, key, http.MethodGet, p.Issuer()+"/userinfo", token, p.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		r.Header.Set("Authorization", authorization)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusUnauthorized && response.Header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 without a challenge")
		}
		return response.StatusCode
	}
	for name, got := range map[string][2]int{
		"with its proof":                     {ask("DPoP "+bound, key, bound), 200},
		"as a bearer token":                  {ask("Bearer "+bound, nil, ""), 401},
		"as a bearer token, with its proof":  {ask("Bearer "+bound, key, bound), 401},
		"without a proof":                    {ask("DPoP "+bound, nil, ""), 401},
		"with a proof of another key":        {ask("DPoP "+bound, newKey(t), bound), 401},
		"with a proof for another token":     {ask("DPoP "+bound, key, free), 401},
		"one that is not bound":              {ask("Bearer "+free, nil, ""), 200},
		"one that is not bound, with proof":  {ask("DPoP "+free, key, free), 401},
		"bound, in the form of a POST":       {p.post("/userinfo", url.Values{"access_token": {bound}, "client_id": {""}}).Status, 401},
		"not bound, in the form of a POST":   {p.post("/userinfo", url.Values{"access_token": {free}, "client_id": {""}}).Status, 200},
		"a bound one that somebody tampered": {ask("DPoP "+bound[:len(bound)-8]+"AAAAAAAA", key, bound[:len(bound)-8]+"AAAAAAAA"), 401},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: status %d, want %d", name, got[0], got[1])
		}
	}
}

func TestDPoPIsAnnouncedAndAPageMaySendIt(t *testing.T) {
	p := newParty(t, withPublicClients)
	var got struct {
		Algorithms []string `json:"dpop_signing_alg_values_supported"`
	}
	if p.getJSON("/.well-known/openid-configuration", &got); !slices.Equal(got.Algorithms, []string{"ES256"}) {
		t.Errorf("announced: %v", got.Algorithms)
	}
	for _, path := range []string{"/oauth/token", "/revoke"} {
		r := httptest.NewRequest(http.MethodOptions, p.Issuer()+path, nil)
		r.Header.Set("Origin", publicOrigin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "dpop")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Header().Get("Access-Control-Allow-Origin") != publicOrigin || !strings.EqualFold(w.Header().Get("Access-Control-Allow-Headers"), "dpop") {
			t.Errorf("%s: a preflight got %v", path, w.Header())
		}
	}
}
