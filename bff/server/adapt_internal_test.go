package server

import (
	"net/http"
	"net/url"
	"testing"
	"time"

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
