package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/dpop"
)

const target, token = "https://api.example/orders", "the-token"

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// proof is one to be spoiled.
type proof struct {
	claims map[string]any
	header map[jose.HeaderKey]any
	embed  bool
	algs   jose.SignatureAlgorithm
	key    any
}

func (p *proof) sign(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.algs, Key: p.key}, &jose.SignerOptions{EmbedJWK: p.embed, ExtraHeaders: p.header})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(p.claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func good(key *ecdsa.PrivateKey) *proof {
	sum := sha256.Sum256([]byte(token))
	return &proof{
		claims: map[string]any{
			"jti": "1", "htm": "GET", "htu": target, "iat": now.Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
		},
		header: map[jose.HeaderKey]any{"typ": "dpop+jwt"}, embed: true, algs: jose.ES256, key: key,
	}
}

func verify(h http.Header) (string, error) {
	return dpop.NewVerifier(func() time.Time { return now }).Verify(h, "GET", target+"?page=2", token)
}

func TestAProofIsRefusedWhen(t *testing.T) {
	key := newKey(t)
	for name, spoil := range map[string]func(*proof){
		"it has no jti":             func(p *proof) { delete(p.claims, "jti") },
		"it is for another method":  func(p *proof) { p.claims["htm"] = "POST" },
		"it is for no method":       func(p *proof) { delete(p.claims, "htm") },
		"it is for another path":    func(p *proof) { p.claims["htu"] = target + "/1" },
		"it is for another host":    func(p *proof) { p.claims["htu"] = "https://api.example.org/orders" },
		"it is for another scheme":  func(p *proof) { p.claims["htu"] = "http://api.example/orders" },
		"it is for no address":      func(p *proof) { delete(p.claims, "htu") },
		"it is old":                 func(p *proof) { p.claims["iat"] = now.Add(-61 * time.Second).Unix() },
		"it is of the future":       func(p *proof) { p.claims["iat"] = now.Add(6 * time.Second).Unix() },
		"it has no date":            func(p *proof) { delete(p.claims, "iat") },
		"it is for another token":   func(p *proof) { p.claims["ath"] = "x" },
		"it is for no token":        func(p *proof) { delete(p.claims, "ath") },
		"it is of another type":     func(p *proof) { p.header["typ"] = "JWT" },
		"it is of no type":          func(p *proof) { delete(p.header, "typ") },
		"it has no key":             func(p *proof) { p.embed = false },
		"its key is private":        func(p *proof) { p.embed = false; p.header["jwk"] = jose.JSONWebKey{Key: key} },
		"its key is somebody's":     func(p *proof) { p.embed = false; p.header["jwk"] = jose.JSONWebKey{Key: newKey(t).Public()} },
		"it is signed by a secret":  func(p *proof) { p.embed = false; p.algs, p.key = jose.HS256, make([]byte, 32) },
		"its algorithm is not ours": func(p *proof) { p.algs, p.key = jose.ES384, p384(t) },
	} {
		p := good(key)
		spoil(p)
		if thumbprint, err := verify(http.Header{"Dpop": {p.sign(t)}}); err == nil || thumbprint != "" {
			t.Errorf("it is taken when %s", name)
		}
	}
	if _, err := verify(http.Header{}); !errors.Is(err, dpop.ErrNone) {
		t.Errorf("none: %v", err)
	}
	text := good(key).sign(t)
	for name, values := range map[string][]string{"there are two": {text, text}, "it is nonsense": {"a.b.c"}, "it is empty": {""}} {
		if _, err := verify(http.Header{"Dpop": values}); err == nil || errors.Is(err, dpop.ErrNone) {
			t.Errorf("when %s: %v", name, err)
		}
	}
}

func p384(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAProofIsTakenHoweverItsAddressIsSpelt(t *testing.T) {
	key, thumbprints := newKey(t), map[string]bool{}
	for _, spelt := range []string{target, "HTTPS://API.Example/orders", target + "?x=1#y"} {
		p := good(key)
		p.claims["htu"] = spelt
		thumbprint, err := verify(http.Header{"Dpop": {p.sign(t)}})
		if err != nil {
			t.Errorf("%s: %v", spelt, err)
		}
		thumbprints[thumbprint] = true
	}
	if len(thumbprints) != 1 {
		t.Errorf("one key has the thumbprints %v", thumbprints)
	}
}

func TestAProofIsGoodOnceAndItsNumberAgainWhenItHasEnded(t *testing.T) {
	at := now
	v := dpop.NewVerifier(func() time.Time { return at })
	key := newKey(t)
	try := func(change map[string]any, key *ecdsa.PrivateKey) error {
		p := good(key)
		maps.Copy(p.claims, change)
		_, err := v.Verify(http.Header{"Dpop": {p.sign(t)}}, "GET", target, token)
		return err
	}
	for _, row := range []struct {
		name   string
		change map[string]any
		key    *ecdsa.PrivateKey
		taken  bool
	}{
		{"the first time", nil, key, true},
		{"the second", nil, key, false},
		{"with another date", map[string]any{"iat": now.Unix() - 1}, key, false},
		{"with another number", map[string]any{"jti": "2"}, key, true},
		{"of another key", nil, newKey(t), true},
	} {
		if err := try(row.change, row.key); (err == nil) != row.taken {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	at = now.Add(2 * time.Minute)
	if err := try(map[string]any{"iat": at.Unix()}, key); err != nil {
		t.Errorf("when the first has ended: %v", err)
	}
	if err := try(nil, key); err == nil {
		t.Error("the first is taken again")
	}
}

func TestWhatIsProvedVerifies(t *testing.T) {
	key := newKey(t)
	for _, access := range []string{token, ""} {
		h := http.Header{}
		if err := dpop.Prove(h, key, "GET", target+"?x=1", access, now); err != nil {
			t.Fatal(err)
		}
		if _, err := dpop.NewVerifier(func() time.Time { return now }).Verify(h, "GET", target, access); err != nil {
			t.Errorf("%q: %v", access, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	h := http.Header{}
	if err := dpop.Prove(h, newKey(f), "GET", target, token, now); err != nil {
		f.Fatal(err)
	}
	f.Add(h.Get("DPoP"))
	f.Add("eyJ.eyJ.x")
	f.Fuzz(func(t *testing.T, text string) {
		if thumbprint, err := verify(http.Header{"Dpop": {text}}); (err == nil) != (thumbprint != "") {
			t.Errorf("%q: key %q, and %v", text, thumbprint, err)
		}
	})
}
