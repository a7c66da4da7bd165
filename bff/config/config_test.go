package config_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/config"
	"cloakroom/bff/secret"
)

// file is what the tests call the configuration file.
const file = "cloakroom.yaml"

// key32 is the base64 of 32 bytes.
const key32 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// good is a valid file that the tables break one line of.
const good = `public_url: https://app.example.com
listen: 127.0.0.1:8080
admin_listen: 127.0.0.1:9090
trusted_proxies: [10.0.0.0/8]
provider:
  issuer: https://idp.example.com
  client_id: app
  client_secret: hunter2-HUNTER2
  client_auth: client_secret_post
  scopes: [openid, orders]
session:
  store: memory
  max_bytes: 64MiB
  idle_timeout: 15m
  absolute_timeout: 8h
  keys:
    - {id: k-1, secret: ` + key32 + `}
api:
  - path: /api/
    upstream: https://api.internal:8443/v1/
    methods: [GET, POST]
    auth: optional
    timeout: 5s
log: {level: warn, format: text}
`

func parse(t *testing.T, text string, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Parse(file, []byte(text), environ)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

// problems lists what err joins.
func problems(t *testing.T, err error) []*config.Problem {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %T joins nothing: %v", err, err)
	}
	var all []*config.Problem
	for _, e := range joined.Unwrap() {
		p, ok := errors.AsType[*config.Problem](e)
		if !ok {
			t.Fatalf("%T is no *Problem: %v", e, e)
		}
		all = append(all, p)
	}
	return all
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// revealed compares secrets by their value.
var revealed = cmp.Comparer(func(a, b secret.String) bool { return a.Reveal() == b.Reveal() })

var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestAFileIsReadIntoTypes(t *testing.T) {
	want := &config.Config{
		PublicURL:      mustURL(t, "https://app.example.com"),
		Listen:         "127.0.0.1:8080",
		AdminListen:    "127.0.0.1:9090",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Provider: config.Provider{
			Issuer: "https://idp.example.com", ClientID: "app", ClientSecret: secret.New("hunter2-HUNTER2"),
			ClientAuth: config.ClientSecretPost, Scopes: []string{"openid", "orders"},
			Resource: []string{}, PAR: config.PARAuto, Timeout: 15 * time.Second,
		},
		Session: config.Session{
			Store: config.StoreMemory, CookieFormat: "jwe", CookieMaxBytes: 12 << 10, Denylist: config.Denylist{Store: config.StoreNone}, NearCache: config.NearCache{MaxAge: 2 * time.Second}, Cluster: config.Cluster{Peers: []string{}}, MaxBytes: 64 << 20, IdleTimeout: 15 * time.Minute, AbsoluteTimeout: 8 * time.Hour,
			Keys: []config.Key{{ID: "k-1", Secret: secret.New("0123456789abcdef0123456789abcdef")}},
		},
		API: []config.Route{{
			Path: "/api/", Upstream: mustURL(t, "https://api.internal:8443/v1/"), Methods: []string{"GET", "POST"},
			Auth: config.AuthOptional, Scopes: []string{}, Timeout: 5 * time.Second,
		}},
		Log: config.Log{Level: slog.LevelWarn, Format: config.LogText},
	}
	if diff := cmp.Diff(want, parse(t, good), revealed, prefixes); diff != "" {
		t.Error(diff)
	}
}

// minimal is the least a file may say.
const minimal = `public_url: http://localhost:8080
provider: {issuer: "http://idp.localhost:8080", client_id: app, client_secret: s}
api: [{path: /api/, upstream: "http://127.0.0.1:9000/"}]
session:
`

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	c := parse(t, minimal)
	want := &config.Config{
		PublicURL: mustURL(t, "http://localhost:8080"), Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:9090",
		TrustedProxies: []netip.Prefix{},
		Provider: config.Provider{
			Issuer: "http://idp.localhost:8080", ClientID: "app", ClientSecret: secret.New("s"),
			ClientAuth: config.ClientSecretBasic, Scopes: []string{"openid", "profile", "email", "offline_access"},
			Resource: []string{}, PAR: config.PARAuto, Timeout: 15 * time.Second,
		},
		Session: config.Session{
			Store: config.StoreMemory, CookieFormat: "jwe", CookieMaxBytes: 12 << 10, Denylist: config.Denylist{Store: config.StoreNone}, NearCache: config.NearCache{MaxAge: 2 * time.Second}, Cluster: config.Cluster{Peers: []string{}}, MaxBytes: 256 << 20, IdleTimeout: 30 * time.Minute, AbsoluteTimeout: 12 * time.Hour,
			Keys: []config.Key{},
		},
		API: []config.Route{{
			Path: "/api/", Upstream: mustURL(t, "http://127.0.0.1:9000/"), Auth: config.AuthRequired, Scopes: []string{},
			Methods: []string{"GET", "POST", "PUT", "PATCH", "DELETE"}, Timeout: 30 * time.Second,
		}},
		Log: config.Log{Level: slog.LevelInfo, Format: config.LogJSON},
	}
	if diff := cmp.Diff(want, c, revealed, prefixes); diff != "" {
		t.Error(diff)
	}
}

func TestPublicURLIsWrittenAsBrowsersWriteIt(t *testing.T) {
	for given, want := range map[string]string{
		"https://App.Example.com:443": "https://app.example.com",
		"http://LOCALHOST:80":         "http://localhost",
		"http://[::1]:8080":           "http://[::1]:8080",
		"https://app.example.com:80":  "https://app.example.com:80",
	} {
		c := parse(t, strings.Replace(good, "https://app.example.com", given, 1))
		if c.Origin() != want || c.PublicURL.String() != want {
			t.Errorf("%s: Origin %s, PublicURL %s, want %s", given, c.Origin(), c.PublicURL, want)
		}
	}
}

func TestSizesHaveUnits(t *testing.T) {
	for given, want := range map[string]int64{
		"1048576": 1 << 20, "1024KiB": 1 << 20, "3MiB": 3 << 20, "2GiB": 2 << 30,
	} {
		if got := parse(t, strings.Replace(good, "64MiB", given, 1)).Session.MaxBytes; got != want {
			t.Errorf("%s: %d, want %d", given, got, want)
		}
	}
}

func TestKeysComeInEitherBase64(t *testing.T) {
	raw := strings.Repeat("\xfb\xff", 20)
	for _, text := range []string{"+//7//v/+//7//v/+//7//v/+//7//v/+//7//v/+//7//v/+//7/w==", "-__7__v_-__7__v_-__7__v_-__7__v_-__7__v_-__7__v_-__7_w"} {
		c := parse(t, strings.Replace(good, key32, text, 1))
		if got := c.Session.Keys[0].Secret.Reveal(); got != raw {
			t.Errorf("%s decodes to %x", text, got)
		}
	}
}

func TestWarningsNameEveryWeakness(t *testing.T) {
	if w := parse(t, good).Warnings(); len(w) != 0 {
		t.Errorf("a sound configuration warns: %q", w)
	}
	w := parse(t, minimal, "CLOAKROOM_INSECURE_HTTP=true").Warnings()
	if len(w) != 2 || !strings.Contains(w[0], "insecure_http") || !strings.Contains(w[1], "session.keys") {
		t.Errorf("Warnings: %q", w)
	}
	plain := strings.Replace(good, "https://api.internal", "http://api.internal", 1)
	if w := parse(t, plain).Warnings(); len(w) != 1 || !strings.Contains(w[0], "api[0].upstream") {
		t.Errorf("of tokens sent in clear: %q", w)
	}
	for _, text := range []string{
		strings.Replace(plain, "auth: optional", "auth: none", 1), strings.Replace(plain, "api.internal", "127.0.0.1", 1),
	} {
		if w := parse(t, text).Warnings(); len(w) != 0 {
			t.Errorf("no token leaves the machine: %q", w)
		}
	}
}

func TestInsecureHTTPPermitsPlainHTTP(t *testing.T) {
	text := strings.NewReplacer("https://app", "http://app", "https://idp", "http://idp").Replace(good)
	if _, err := config.Parse(file, []byte(text), nil); err == nil {
		t.Error("plain http passes without insecure_http")
	}
	parse(t, text+"insecure_http: true\n")
}

func TestGeneratedKeysAreAccepted(t *testing.T) {
	id, key := config.GenerateKey(time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC))
	if !strings.HasPrefix(id, "k-20261123-") || len(id) != len("k-20261123-ab12cd") {
		t.Errorf("id %q", id)
	}
	again, key2 := config.GenerateKey(time.Now())
	if id == again || key.Reveal() == key2.Reveal() {
		t.Error("two keys are the same")
	}
	c := parse(t, minimal, "CLOAKROOM_SESSION_KEYS=[{id: "+id+", secret: "+key.Reveal()+"}]")
	if got := c.Session.Keys[0]; got.ID != id || got.Secret.Len() != 32 {
		t.Errorf("key %s of %d bytes", got.ID, got.Secret.Len())
	}
}

func TestAClientKeyTakesTheSecretsPlace(t *testing.T) {
	_, privateKey := certificatePair(t)
	c := parse(t, strings.Replace(good, "client_secret: hunter2-HUNTER2\n  client_auth: client_secret_post",
		"client_auth: private_key_jwt\n  client_key_file: "+privateKey+"\n  client_key_id: k-1", 1))
	p := c.Provider
	if p.ClientAuth != config.PrivateKeyJWT || !p.ClientSecret.Empty() || p.ClientKeyID != "k-1" ||
		p.ClientKey.Reveal() != strings.TrimSuffix(readFile(t, privateKey), "\n") {
		t.Errorf("got %+v", p)
	}
}

func TestAnAPIMayWantATokenOfItsOwn(t *testing.T) {
	c := parse(t, strings.Replace(good, "    auth: optional", "    auth: optional\n    resource: urn:orders\n    scopes: [orders]", 1))
	if r := c.API[0]; r.Resource != "urn:orders" || len(r.Scopes) != 1 || r.Scopes[0] != "orders" {
		t.Errorf("got %+v", r)
	}
}

// TestTokensOfTheirOwnLeaveNoOther: what provider.resource is required for is
// the session's own token, sent to one API beside another's.
func TestTokensOfTheirOwnLeaveNoOther(t *testing.T) {
	const two = "api:\n  - {path: /mail/, upstream: 'https://mail/', resource: 'urn:mail'}\n"
	for name, edit := range map[string]string{
		"it is given":                         strings.Replace(strings.Replace(good, "api:\n", two, 1), "  scopes:", "  resource: ['urn:orders']\n  scopes:", 1),
		"every API has a resource":            strings.Replace(strings.Replace(good, "api:\n", two, 1), "    auth:", "    resource: urn:orders\n    auth:", 1),
		"the other API is sent no token":      strings.Replace(strings.Replace(good, "api:\n", two, 1), "auth: optional", "auth: none", 1),
		"no API has a resource, so all share": good,
	} {
		t.Run(name, func(t *testing.T) { parse(t, edit) })
	}
}
