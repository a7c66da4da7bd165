package rp_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

const (
	issuer       = "https://idp.example"
	clientID     = "app:1"              // has a character that Basic must not see bare
	clientSecret = "s3cr%t +/&=é-value" // every one of these is encoded
	redirectURL  = "https://app.example/bff/callback"
	code         = "code-Zx81Qm-07"
	access       = "access-Kq55Tr-01"
	refresh      = "refresh-Vb37Lp-02"
)

var now = time.Date(2026, 7, 6, 12, 0, 0, 0, time.UTC)

// Keys are made once: an RSA key takes longer than all other tests together.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
	ecKey    = sync.OnceValue(newEC)
	otherKey = sync.OnceValue(newEC)
)

func newEC() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// idp is a provider that does what a test tells it. It answers through its
// RoundTrip, without a socket, unless a test serves it on one.
type idp struct {
	mu       sync.Mutex
	metadata map[string]any
	keys     []jose.JSONWebKey
	answers  map[string]http.HandlerFunc // by path, instead of the usual answer
	down     error                       // what every request ends with
	seen     []seen

	header  map[string]any // of the next ID token
	claims  map[string]any
	signer  crypto.Signer
	alg     jose.SignatureAlgorithm
	mangle  func(idToken string) string
	noNonce bool
	tokens  map[string]any // the token response
}

// seen is one request that carried a form.
type seen struct {
	path, user, password string
	basic                bool
	proof                string // DPoP
	form                 url.Values
}

func newIDP() *idp {
	return &idp{
		metadata: map[string]any{
			"issuer":                                issuer,
			"authorization_endpoint":                issuer + "/authorize?tenant=a",
			"token_endpoint":                        issuer + "/token",
			"jwks_uri":                              issuer + "/keys",
			"revocation_endpoint":                   issuer + "/revoke",
			"end_session_endpoint":                  issuer + "/logout?tenant=a",
			"response_types_supported":              []string{"code", "id_token"},
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
		},
		keys: []jose.JSONWebKey{
			{Key: rsaKey().Public(), KeyID: "r", Algorithm: "RS256", Use: "sig"},
			{Key: ecKey().Public(), KeyID: "e", Algorithm: "ES256", Use: "sig"},
		},
		answers: map[string]http.HandlerFunc{},
		header:  map[string]any{"kid": "e", "typ": "JWT"},
		claims: map[string]any{
			"iss": issuer, "sub": "u-1", "aud": clientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		},
		signer: ecKey(), alg: jose.ES256,
		tokens: map[string]any{
			"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 300,
			"scope": "openid profile",
		},
	}
}

func (i *idp) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	down := i.down
	i.mu.Unlock()
	if down != nil {
		return nil, down
	}
	rec := httptest.NewRecorder()
	i.ServeHTTP(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

func (i *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		one := seen{path: r.URL.Path, form: form, proof: r.Header.Get("DPoP")}
		one.user, one.password, one.basic = r.BasicAuth()
		i.seen = append(i.seen, one)
	}
	if answer := i.answers[r.URL.Path]; answer != nil {
		answer(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, i.metadata)
	case "/keys":
		writeJSON(w, jose.JSONWebKeySet{Keys: i.keys})
	case "/token":
		tokens := maps.Clone(i.tokens)
		if _, set := tokens["id_token"]; !set {
			tokens["id_token"] = i.idToken()
		}
		writeJSON(w, tokens)
	case "/revoke":
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// idToken signs the claims as they are.
func (i *idp) idToken() string {
	options := &jose.SignerOptions{}
	for name, value := range i.header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	var key any = i.signer
	if i.alg == jose.HS256 { // the attack: the public key, or the secret, as HMAC key
		key = []byte(clientSecret + clientSecret)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: i.alg, Key: key}, options)
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(i.claims)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	if i.mangle != nil {
		return i.mangle(token)
	}
	return token
}

func (i *idp) answer(path string, status int, body string) {
	i.answers[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// config is a valid one that talks to i; what it logs ends in the buffer.
func (i *idp) config() (rp.Config, *bytes.Buffer) {
	var log bytes.Buffer
	return rp.Config{
		Issuer: issuer, ClientID: clientID, ClientSecret: secret.New(clientSecret), RedirectURL: redirectURL,
		PostLogoutURL: "https://app.example/bye?a=b", Scopes: []string{"openid", "profile"},
		HTTPClient: &http.Client{Transport: i},
		Log:        slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:        func() time.Time { return now },
	}, &log
}

// start returns a provider that has discovered i.
func start(t testing.TB, i *idp, edit ...func(*rp.Config)) (*rp.Provider, *bytes.Buffer) {
	t.Helper()
	c, log := i.config()
	for _, e := range edit {
		e(&c)
	}
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, log
}

// begin starts a sign-in, puts its nonce into the next ID token, and returns
// the callback's query.
func begin(t testing.TB, i *idp, p *rp.Provider) (rp.Pending, url.Values) {
	t.Helper()
	_, pending, err := p.Begin(t.Context(), rp.AuthRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, set := i.claims["nonce"]; !set && !i.noNonce {
		i.claims["nonce"] = pending.Nonce
	}
	return pending, url.Values{"code": {code}, "state": {pending.State}}
}

// signIn goes all the way and must succeed.
func signIn(t testing.TB, i *idp, p *rp.Provider) (rp.Identity, rp.Tokens) {
	t.Helper()
	pending, query := begin(t, i, p)
	id, tokens, err := p.Redeem(t.Context(), pending, query)
	if err != nil {
		t.Fatal(err)
	}
	return id, tokens
}

// refuses asserts the code of err and that neither it nor the log tells a
// secret.
func refuses(t testing.TB, err error, want problem.Code, log *bytes.Buffer, secrets ...string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatalf("got %v (%T), want a problem with code %s", err, err, want)
	}
	if got := problem.CodeOf(err); got != want {
		t.Errorf("got %v, want code %s", err, want)
	}
	if _, known := problem.Kinds[problem.CodeOf(err)]; !known {
		t.Errorf("code %q is not in the catalogue", problem.CodeOf(err))
	}
	if p.Detail != "" {
		t.Errorf("the caller would be shown %q", p.Detail)
	}
	untold(t, err.Error(), append(secrets, access, refresh, code, clientSecret)...)
	if log != nil {
		untold(t, log.String(), append(secrets, access, refresh, code, clientSecret)...)
	}
}

func untold(t testing.TB, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if s != "" && (strings.Contains(text, s) || strings.Contains(text, url.QueryEscape(s))) {
			t.Errorf("%q tells the secret %q", text, s)
		}
	}
}

var _ http.RoundTripper = (*idp)(nil)
