package server

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloakroom/bff/config"
	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/login"
	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
)

func TestASessionKnowsWhenItsUserSignedIn(t *testing.T) {
	const callback = "http://app.localhost/bff/callback"
	provider := idptest.Start(t, idp.Config{Clients: []idp.Client{{
		ID: "app", Secret: secret.New("not-a-secret-of-anybody"), RedirectURIs: []string{callback},
	}}})
	party, err := rp.New(rp.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: secret.New("not-a-secret-of-anybody"), RedirectURL: callback,
		HTTPClient: &http.Client{Transport: providerTransport(dialer())},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := party.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := relyingParty{party}
	before := time.Now().Truncate(time.Second)
	address, pending, err := p.Begin(t.Context(), login.AuthRequest{MaxAge: "60"})
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(idptest.SignIn(t, http.DefaultClient, address, "alice", "wonderland"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Redeem(t.Context(), pending, back.Query())
	if err != nil {
		t.Fatal(err)
	}
	if s.AuthTime.Before(before) || s.AuthTime.After(time.Now()) || s.ACR != "" {
		t.Errorf("signed in at %v with %q", s.AuthTime, s.ACR)
	}
}

func TestEveryKeyOfTheProviderReachesTheRelyingParty(t *testing.T) {
	// The key is that of RFC 8037 §A.1.
	const text = `
public_url: https://app.example.com
provider:
  issuer: https://idp.example.com
  client_id: app
  client_auth: private_key_jwt
  client_key: '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}'
  client_key_id: k-1
  scopes: [openid, orders]
  resource: [urn:a]
  par: require
  dpop: true
  userinfo: true
  id_token_alg: ES256
  timeout: 3s
api:
  - {path: /a/, upstream: "https://a.example/"}
  - {path: /b/, upstream: "https://b.example/", resource: urn:b}
`
	c, err := config.Parse("file", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := rp.Config{
		Issuer: "https://idp.example.com", ClientID: "app", ClientAuth: "private_key_jwt", ClientKey: c.Provider.ClientKey, ClientKeyID: "k-1",
		RedirectURL: "https://app.example.com/bff/callback", PostLogoutURL: "https://app.example.com/bff/signed-out",
		Scopes: []string{"openid", "orders"}, Resource: []string{"urn:a"}, MoreResources: []string{"urn:b"},
		PAR: "require", DPoP: true, UserInfo: true, IDTokenAlg: "ES256", Timeout: 3 * time.Second,
	}
	got := providerConfig(c, Options{}, dialer())
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.String{}), cmpopts.IgnoreFields(rp.Config{}, "HTTPClient")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := rp.New(got); err != nil {
		t.Error(err)
	}
	if short := providerConfig(c, Options{ProviderTimeout: time.Second}, dialer()); short.Timeout != time.Second {
		t.Errorf("the option does not count: %s", short.Timeout)
	}
}
