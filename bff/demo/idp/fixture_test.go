package idp_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/secret"
)

const (
	clientID     = "app"
	clientSecret = "app-secret-of-at-least-32-characters" // as HS256 demands
	callback     = "http://localhost:8080/bff/callback"
	afterLogout  = "http://localhost:8080/bff/signed-out"
	audience     = "http://api.localhost:8080"
	verifier     = "verifier-verifier-verifier-verifier-verifier"
	allScopes    = "openid profile email offline_access orders.read"
)

// oneKey saves making an RSA key per test.
var oneKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// party is a provider, a browser, and a client that trusts nothing.
type party struct {
	*idp.Provider
	t       testing.TB
	clock   *clock
	browser *http.Client

	mu     sync.Mutex
	issued map[string][]string
}

func newParty(t *testing.T, edit ...func(*idp.Config)) *party {
	t.Helper()
	return newPartyFor(t, edit...)
}

func newPartyFor(t testing.TB, edit ...func(*idp.Config)) *party {
	t.Helper()
	p := &party{t: t, clock: &clock{now: time.Now().Truncate(time.Second)}, issued: map[string][]string{}}
	p.browser = newBrowser(t)
	cfg := idp.Config{
		Clients: []idp.Client{
			{ID: clientID, Name: "The App", Secret: secret.New(clientSecret), RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{afterLogout}},
			{ID: "other", Secret: secret.New("other-secret"), RedirectURIs: []string{"https://other.example/cb"}},
		},
		Audience: audience, Now: p.clock.Now, SigningKey: oneKey(),
		Scopes: []idp.Scope{{Name: "orders.read", Description: "See your orders"}},
		OnIssue: func(kind, token string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.issued[kind] = append(p.issued[kind], token)
		},
	}
	for _, e := range edit {
		e(&cfg)
	}
	p.Provider = idptest.Start(t, cfg)
	return p
}

func newBrowser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// authURL is a good request; change replaces parameters, an empty value removes one.
func (p *party) authURL(change url.Values) string {
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {allScopes},
		"state": {"state-1"}, "nonce": {"nonce-1"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	maps.Copy(query, change)
	maps.DeleteFunc(query, func(_ string, v []string) bool { return v[0] == "" })
	return p.Issuer() + "/authorize?" + query.Encode()
}

func (p *party) visit(rawURL string) *idptest.Page {
	p.t.Helper()
	return idptest.Visit(p.t, p.browser, rawURL)
}

// signIn returns the parameters of the callback.
func (p *party) signIn(user, password string, change url.Values) url.Values {
	p.t.Helper()
	return answer(p.t, idptest.SignIn(p.t, p.browser, p.authURL(change), user, password))
}

func answer(t testing.TB, callbackURL string) url.Values {
	t.Helper()
	u, err := url.Parse(callbackURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

type tokens struct {
	Status    int
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	ID        string `json:"id_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Scope     string `json:"scope"`
	Error     string `json:"error"`
	Header    http.Header
	Body      string
}

// post sends form to path as client app, unless the form has credentials.
func (p *party) post(path string, form url.Values) tokens {
	p.t.Helper()
	response, err := p.try(path, form)
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

func (p *party) try(path string, form url.Values) (*http.Response, error) {
	return p.tryFor(p.t.Context(), path, form)
}

func (p *party) tryFor(ctx context.Context, path string, form url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Issuer()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !form.Has("client_id") {
		request.SetBasicAuth(clientID, clientSecret)
	}
	return http.DefaultClient.Do(request)
}

func codeForm(code string) url.Values {
	return url.Values{"grant_type": {idp.GrantCode}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {idp.GrantRefresh}, "refresh_token": {token}}
}

// tokensFor runs the whole flow.
func (p *party) tokensFor(user, password string) tokens {
	p.t.Helper()
	got := p.post("/oauth/token", codeForm(p.signIn(user, password, nil).Get("code")))
	if got.Status != http.StatusOK || got.ID == "" {
		p.t.Fatalf("token answer %d: %s", got.Status, got.Body)
	}
	return got
}

func (p *party) alice() tokens { p.t.Helper(); return p.tokensFor("alice", "wonderland") }

func (p *party) getJSON(path string, into any) {
	p.t.Helper()
	response, err := http.Get(p.Issuer() + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.t.Fatalf("GET %s: %d", path, response.StatusCode)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		p.t.Fatal(err)
	}
}

func (p *party) jwks() *jose.JSONWebKeySet {
	p.t.Helper()
	set := new(jose.JSONWebKeySet)
	p.getJSON("/keys", set)
	return set
}

// verify checks a token as a careful receiver would: RS256 by a published key.
func (p *party) verify(token string) (typ string, claims map[string]any, err error) {
	p.t.Helper()
	return verifyWith(p.jwks(), token)
}

func verifyWith(set *jose.JSONWebKeySet, token string) (typ string, claims map[string]any, err error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", nil, err
	}
	payload, err := jws.Verify(set)
	if err != nil {
		return "", nil, err
	}
	typ, _ = jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	return typ, claims, json.Unmarshal(payload, &claims)
}

func (p *party) mustVerify(token string) (string, map[string]any) {
	p.t.Helper()
	typ, claims, err := p.verify(token)
	if err != nil {
		p.t.Fatalf("verify %q: %v", token, err)
	}
	return typ, claims
}

// peek reads claims and header without any check.
func peek(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func (p *party) userinfo(access string) (int, map[string]any) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.Issuer()+"/userinfo", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+access)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var claims map[string]any
	_ = json.NewDecoder(response.Body).Decode(&claims)
	return response.StatusCode, claims
}

func (p *party) seen(kind string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.issued[kind])
}
