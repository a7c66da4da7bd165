package interop_test

import (
	"net/http"
	"net/url"
	"testing"

	"cloakroom/shared"
)

// TestTokensAreBoundToAKey: neither the provider nor the API takes a token
// without a proof, with their nonces in it (RFC 9449). That goes for the
// provider's userinfo too.
func TestTokensAreBoundToAKey(t *testing.T) {
	t.Parallel()
	w := open(t, options{
		client:   map[string]any{"dpop_bound_access_tokens": true},
		provider: map[string]any{"accessSeconds": shortLived, "renewedSeconds": 3600, "dpopNonce": true, "userinfoOnly": true},
		config:   map[string]any{"dpop": true, "userinfo": true},
	})
	w.api.nonce = "of-the-api"
	tab := w.signIn(t, "")
	expiry := w.expiry()
	if said := claims(t, tab); said["email"] != user+"@example.org" {
		t.Errorf("the page is told %v", said)
	}
	orders(t, tab, 1)
	outlive(t, expiry)
	orders(t, tab, 5)
	last := w.api.admitted(t)
	if last.Scheme != "DPoP" || last.Facts["token_type"] != "DPoP" {
		t.Errorf("the call came with %s and a token of type %v", last.Scheme, last.Facts["token_type"])
	}
	if last.Token == w.tokens(shared.TokenAccess)[0] || len(w.renewals()) == 0 {
		t.Error("the token was not renewed")
	}
	w.nonceWasLearnt(t)
	w.thievesGetNothing(t, last)
}

// nonceWasLearnt: the API wanted its nonce once, and had it from then on.
func (w *world) nonceWasLearnt(t *testing.T) {
	t.Helper()
	refused := 0
	for _, call := range w.api.calls() {
		if call.Why == errNonce.Error() {
			refused++
		} else if call.Why != "" {
			t.Errorf("the API refused a call: %s", call.Why)
		}
	}
	if refused != 1 {
		t.Errorf("the API asked for its nonce %d times", refused)
	}
}

// thievesGetNothing with a token that is bound, or with a proof that was used.
func (w *world) thievesGetNothing(t *testing.T, stolen admission) {
	t.Helper()
	for name, header := range map[string]http.Header{
		"the token alone":       {"Authorization": {"DPoP " + stolen.Token}},
		"the token as a bearer": {"Authorization": {"Bearer " + stolen.Token}},
		"token and proof":       {"Authorization": {"DPoP " + stolen.Token}, "Dpop": stolen.Header.Values("DPoP")},
	} {
		r, err := http.NewRequest(http.MethodGet, w.api.URL+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	status, answer, err := w.post(pathToken, clientID, clientSecret, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {w.last(t, shared.TokenRefresh)},
	})
	if err != nil || status == http.StatusOK {
		t.Errorf("a refresh token without a proof: %d %v (%v)", status, answer["error"], err)
	}
}

// TestTheStrictestProfile is a client as the FAPI 2.0 Security Profile wants
// it: pushed requests, a key instead of a secret, and tokens bound to another.
func TestTheStrictestProfile(t *testing.T) {
	t.Parallel()
	file, keys := keyOf(t)
	w := open(t, options{
		client: map[string]any{
			"client_secret": nil, "token_endpoint_auth_method": "private_key_jwt", "jwks": keys,
			"require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true, "id_token_signed_response_alg": "ES256",
		},
		provider: map[string]any{"accessSeconds": shortLived, "renewedSeconds": 3600, "fapi": true},
		config:   map[string]any{"client_secret": nil, "client_auth": "private_key_jwt", "client_key_file": file, "dpop": true},
	})
	tab := w.signIn(t, "")
	expiry := w.expiry()
	orders(t, tab, 1)
	outlive(t, expiry)
	orders(t, tab, 1)
	if last := w.api.admitted(t); last.Scheme != "DPoP" {
		t.Errorf("the call came with %s", last.Scheme)
	}
	w.wasPushed(t)
	w.signsOut(t, tab)
	w.provedItself(t)
}
