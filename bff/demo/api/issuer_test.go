package api_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/api"
	"cloakroom/shared/problem"
)

const audience = "https://api.example.com"

// rsaKey is shared by the tests: making one takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issuer is an authorization server that serves keys and counts who asks.
type issuer struct {
	*httptest.Server

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	name    string // what discovery says the issuer is; empty: the truth
	down    bool
	fetches int // of the key set
}

func newIssuer(t *testing.T, keys ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := &issuer{keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		name := i.name
		if name == "" {
			name = i.URL
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetches++
		if i.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func public(id string, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: id, Key: key.Public(), Use: "sig"}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// syncBuffer is a log that handlers of several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// lab is an API, its issuer, and the clock and log of both.
type lab struct {
	t      *testing.T
	issuer *issuer
	clock  *clock
	log    *syncBuffer
	api    *api.API
}

func newLab(t *testing.T, change func(*api.Config)) *lab {
	t.Helper()
	l := &lab{
		t: t, issuer: newIssuer(t, public("rsa", rsaKey())), log: new(syncBuffer),
		clock: &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)},
	}
	cfg := api.Config{
		Issuer: l.issuer.URL, Audience: audience, Now: l.clock.Now,
		Log: slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if l.api, err = api.New(cfg); err != nil {
		t.Fatal(err)
	}
	return l
}

// ticket describes a token to be made. The lab's good one has every claim of
// RFC 9068.
type ticket struct {
	alg     jose.SignatureAlgorithm
	key     any
	header  map[jose.HeaderKey]any
	claims  map[string]any
	payload string // instead of claims
}

func (l *lab) ticket(subject string) *ticket {
	now := l.clock.Now()
	return &ticket{
		alg: jose.RS256, key: rsaKey(),
		header: map[jose.HeaderKey]any{"typ": "at+jwt", "kid": "rsa"},
		claims: map[string]any{
			"iss": l.issuer.URL, "aud": audience, "sub": subject, "client_id": "cloakroom", "jti": "1",
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "scope": "openid orders",
		},
	}
}

func (k *ticket) sign(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.key}, &jose.SignerOptions{ExtraHeaders: k.header})
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte(k.payload)
	if k.payload == "" {
		if payload, err = json.Marshal(k.claims); err != nil {
			t.Fatal(err)
		}
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (l *lab) token(subject string) string { return l.ticket(subject).sign(l.t) }

// call asks the API; an empty token sends none, and a body is JSON.
func (l *lab) call(token, method, target, body string) *http.Response {
	l.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return l.do(r)
}

func (l *lab) do(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	l.api.ServeHTTP(w, r)
	return w.Result()
}

func decode[T any](t *testing.T, response *http.Response, status int) T {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", response.StatusCode, status, body)
	}
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func wantProblem(t *testing.T, response *http.Response, code problem.Code) problem.Details {
	t.Helper()
	details := decode[problem.Details](t, response, problem.Kinds[code].Status)
	if details.Code != code {
		t.Errorf("code %s, want %s", details.Code, code)
	}
	return details
}
