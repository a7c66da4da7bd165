package api_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/api"
	"cloakroom/shared/problem"
)

func TestAForgedKeyIDCostsTheIssuerOneFetchInTenSeconds(t *testing.T) {
	l := newLab(t, nil)
	forged := func() {
		k := l.ticket("user-alice")
		k.header["kid"] = rand.Text()
		wantProblem(t, l.call(k.sign(t), "GET", "/orders", ""), problem.TokenInvalid)
	}
	for range 20 {
		forged()
	}
	if n := l.issuer.fetched(); n != 1 {
		t.Errorf("%d fetches at once, want 1", n)
	}
	l.clock.advance(9 * time.Second)
	forged()
	if n := l.issuer.fetched(); n != 1 {
		t.Errorf("%d fetches after 9s, want 1", n)
	}
	l.clock.advance(time.Second)
	forged()
	if n := l.issuer.fetched(); n != 2 {
		t.Errorf("%d fetches after 10s, want 2", n)
	}
}

func TestARotatedKeyIsFoundAndAWithdrawnOneForgotten(t *testing.T) {
	l := newLab(t, nil)
	old := l.ticket("user-alice")
	old.claims["exp"] = l.clock.Now().Add(time.Hour).Unix()
	if response := l.call(old.sign(t), "GET", "/orders", ""); response.StatusCode != http.StatusOK {
		t.Fatalf("status %d", response.StatusCode)
	}
	next := newECKey(t)
	l.issuer.set(func(i *issuer) { i.keys = []jose.JSONWebKey{public("next", next), public("rsa", rsaKey())} })
	l.clock.advance(10 * time.Second)
	k := l.ticket("user-alice")
	k.alg, k.key, k.header["kid"] = jose.ES256, next, "next"
	if response := l.call(k.sign(t), "GET", "/orders", ""); response.StatusCode != http.StatusOK {
		t.Errorf("the new key: status %d; log %s", response.StatusCode, l.log)
	}
	l.issuer.set(func(i *issuer) { i.keys = i.keys[:1] })
	l.clock.advance(10 * time.Minute)
	wantProblem(t, l.call(old.sign(t), "GET", "/orders", ""), problem.TokenInvalid)
}

func TestAnIssuerThatIsDownIsNotABadToken(t *testing.T) {
	l := newLab(t, nil)
	l.issuer.set(func(i *issuer) { i.down = true })
	response := l.call(l.token("user-alice"), "GET", "/orders", "")
	wantProblem(t, response, problem.ProviderUnavailable)
	if response.Header.Get("WWW-Authenticate") != "" {
		t.Error("the token is not at fault")
	}
	wantProblem(t, l.call(l.token("user-alice"), "GET", "/orders", ""), problem.ProviderUnavailable)
	if n := l.issuer.fetched(); n != 1 {
		t.Errorf("%d fetches of an issuer that is down, want 1", n)
	}
	l.issuer.set(func(i *issuer) { i.down = false })
	l.clock.advance(time.Second)
	if response := l.call(l.token("user-alice"), "GET", "/orders", ""); response.StatusCode != http.StatusOK {
		t.Errorf("the issuer is back: status %d", response.StatusCode)
	}
	l.issuer.set(func(i *issuer) { i.down = true })
	l.clock.advance(time.Hour)
	if response := l.call(l.token("user-alice"), "GET", "/orders", ""); response.StatusCode != http.StatusOK {
		t.Errorf("keys that are old still count while the issuer is down: status %d", response.StatusCode)
	}
}

func TestManyFirstRequestsFetchTheKeysOnce(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-alice")
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if response := l.call(token, "GET", "/orders", ""); response.StatusCode != http.StatusOK {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
	group.Wait()
	if n := l.issuer.fetched(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestDiscoveryOfAnotherIssuerIsNotBelieved(t *testing.T) {
	l := newLab(t, nil)
	l.issuer.set(func(i *issuer) { i.name = "https://other.example.com" })
	wantProblem(t, l.call(l.token("user-alice"), "GET", "/orders", ""), problem.ProviderUnavailable)
	if !strings.Contains(l.log.String(), "document is of another issuer") {
		t.Error(l.log)
	}
	direct := newLab(t, nil)
	direct.issuer.set(func(i *issuer) { i.name = "https://other.example.com" })
	given, err := api.New(api.Config{
		Issuer: direct.issuer.URL, Audience: audience, Now: direct.clock.Now, JWKSURL: direct.issuer.URL + "/keys",
	})
	if err != nil {
		t.Fatal(err)
	}
	direct.api = given
	if response := direct.call(direct.token("user-alice"), "GET", "/orders", ""); response.StatusCode != http.StatusOK {
		t.Errorf("a JWKS URL that is given needs no discovery: status %d", response.StatusCode)
	}
}

func TestKeysThatMustNotVerifyAreDropped(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		key  jose.JSONWebKey
		sign any
	}{
		{"a key for encryption", jose.JSONWebKey{KeyID: "rsa", Key: rsaKey().Public(), Use: "enc"}, rsaKey()},
		{"a private key", jose.JSONWebKey{KeyID: "rsa", Key: rsaKey(), Use: "sig"}, rsaKey()},
		{"a short key", jose.JSONWebKey{KeyID: "rsa", Key: short.Public(), Use: "sig"}, short},
		{"a key of another algorithm", jose.JSONWebKey{KeyID: "rsa", Key: rsaKey().Public(), Algorithm: "PS256"}, rsaKey()},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t, nil)
			l.issuer.set(func(i *issuer) { i.keys = []jose.JSONWebKey{row.key} })
			k := l.ticket("user-alice")
			k.key = row.sign
			wantProblem(t, l.call(k.sign(t), "GET", "/orders", ""), problem.TokenInvalid)
		})
	}
}
