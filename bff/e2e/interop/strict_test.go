package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/e2e/stage"
	"cloakroom/shared"
)

// TestTheRequestIsPushed: all the browser carries to the provider is a
// reference (RFC 9126). This client may do nothing else.
func TestTheRequestIsPushed(t *testing.T) {
	t.Parallel()
	w := open(t, options{
		client: map[string]any{"require_pushed_authorization_requests": true},
		config: map[string]any{"par": "require"},
	})
	tab := w.signIn(t, "")
	orders(t, tab, 1)
	w.wasPushed(t)
}

func (w *world) wasPushed(t *testing.T) {
	t.Helper()
	for _, asked := range w.asked(pathAuthorize) {
		if keys := slices.Sorted(maps.Keys(asked.Query)); !slices.Equal(keys, []string{"client_id", "request_uri"}) {
			t.Errorf("the browser carried %v", keys)
		}
	}
	if w.authorization(t).Get("code_challenge") == "" {
		t.Error("what was pushed has no PKCE")
	}
}

// TestTheBrowserCarriesTheRequest where pushing is switched off, though the
// provider offers it.
func TestTheBrowserCarriesTheRequest(t *testing.T) {
	t.Parallel()
	w := open(t, options{config: map[string]any{"par": "off"}})
	orders(t, w.signIn(t, ""), 1)
	if asked := w.asked(pathAuthorize); len(w.asked(pathPush)) > 0 || asked[0].Query.Get("code_challenge") == "" {
		t.Error("the request was pushed")
	}
}

// keyOf makes a client's key: the file that we sign with, and what the
// provider is told of it.
func keyOf(t *testing.T) (file string, public jose.JSONWebKeySet) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), Algorithm: "ES256", Use: "sig"}}}
}

// TestTheClientProvesItselfByAKey wherever it speaks to the provider by itself
// (RFC 7523).
func TestTheClientProvesItselfByAKey(t *testing.T) {
	t.Parallel()
	file, keys := keyOf(t)
	w := open(t, options{
		client:   map[string]any{"client_secret": nil, "token_endpoint_auth_method": "private_key_jwt", "jwks": keys},
		provider: map[string]any{"accessSeconds": shortLived, "renewedSeconds": 3600},
		config:   map[string]any{"client_secret": nil, "client_auth": "private_key_jwt", "client_key_file": file},
	})
	tab := w.signIn(t, "")
	outlive(t, w.expiry())
	orders(t, tab, 1)
	w.signsOut(t, tab)
	w.provedItself(t)
}

// signsOut leaves through the page, as far as the provider's question: by then
// the tokens are dead.
func (w *world) signsOut(t *testing.T, tab *stage.Tab) {
	t.Helper()
	refresh := w.last(t, shared.TokenRefresh)
	if !w.alive(t, refresh) {
		t.Error("the refresh token is dead before the sign-out")
	}
	leave(t, tab, "/")
	if w.alive(t, refresh) {
		t.Error("the provider honours the refresh token of an ended session")
	}
	tab.Click(confirmYes)
	tab.WaitAt("/")
	if a := tab.Call("GET", shared.PathUser); a.Status != http.StatusUnauthorized {
		t.Errorf("somebody is signed in: %d", a.Status)
	}
}

// provedItself: every grant was given to a client that signed for it.
func (w *world) provedItself(t *testing.T) {
	t.Helper()
	w.provider.stop()
	grants := map[string]bool{}
	for _, told := range w.provider.told("grant.success") {
		grants[told.Grant] = true
		if told.Auth != "private_key_jwt" {
			t.Errorf("for %s the client proved itself by %s", told.Grant, told.Auth)
		}
	}
	if !grants["authorization_code"] || !grants["refresh_token"] {
		t.Errorf("the provider gave %v only", grants)
	}
	if told := w.provider.told("grant.error", "revocation.error", "pushed_authorization_request.error", "server_error"); len(told) > 0 {
		t.Errorf("the provider complained: %+v", told)
	}
}

// TestATokenForTheAPIAlone is asked for by the API's name, and is a JWT that
// the API can read without asking (RFC 8707, RFC 9068).
func TestATokenForTheAPIAlone(t *testing.T) {
	t.Parallel()
	const name = "https://orders.example/"
	w := open(t, options{
		provider: map[string]any{
			"accessSeconds": shortLived, "renewedSeconds": 3600, "resources": map[string]string{name: "orders"},
		},
		config: map[string]any{"resource": []string{name}, "scopes": []string{"openid", "profile", "email", "offline_access", "orders"}},
	})
	w.api.audience = name
	tab := w.signIn(t, "")
	expiry := w.expiry()
	orders(t, tab, 1)
	first := w.api.admitted(t)
	outlive(t, expiry)
	orders(t, tab, 1)
	for _, one := range []admission{first, w.api.admitted(t)} {
		if scope, _ := one.Facts["scope"].(string); !slices.Contains(strings.Fields(scope), "orders") {
			t.Errorf("the token is for %q", scope)
		}
	}
	w.signsOut(t, tab)
}
