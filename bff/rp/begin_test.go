package rp_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

func TestASignInBeginsAtTheProvider(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	redirect, pending, err := p.Begin(t.Context(), rp.AuthRequest{Prompt: "login consent"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Scheme + "://" + u.Host + u.Path; got != issuer+"/authorize" {
		t.Errorf("goes to %s", got)
	}
	want := url.Values{
		"tenant": {"a"}, "response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURL},
		"scope": {"openid profile"}, "state": {pending.State}, "nonce": {pending.Nonce}, "prompt": {"login consent"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(pending.Verifier)}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if strings.Contains(redirect, pending.Verifier) {
		t.Error("the verifier is in the address")
	}
}

func TestEverySignInHasItsOwnSecrets(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	seen := map[string]bool{}
	for range 20 {
		_, pending, err := p.Begin(t.Context(), rp.AuthRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{pending.State, pending.Nonce, pending.Verifier} {
			raw, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil || len(raw) != 32 {
				t.Errorf("%q is not 256 bits", value)
			}
			if seen[value] {
				t.Errorf("%q came twice", value)
			}
			seen[value] = true
		}
	}
}

func TestOnlyPromptsThatOIDCDefinesAreSent(t *testing.T) {
	p, log := start(t, newIDP())
	for _, prompt := range []string{"", "none", "login", "consent", "select_account", "create", "login select_account"} {
		redirect, _, err := p.Begin(t.Context(), rp.AuthRequest{Prompt: prompt})
		if err != nil {
			t.Errorf("%q: %v", prompt, err)
		}
		if u, _ := url.Parse(redirect); u.Query().Get("prompt") != prompt || u.Query().Has("prompt") != (prompt != "") {
			t.Errorf("%q became %s", prompt, redirect)
		}
	}
	for _, prompt := range []string{" ", "LOGIN", "login ", "login  consent", "login login", "none login", "login&x=1", "login\tconsent"} {
		redirect, pending, err := p.Begin(t.Context(), rp.AuthRequest{Prompt: prompt})
		refuses(t, err, problem.ParameterInvalid, log)
		if redirect != "" || pending != (rp.Pending{}) {
			t.Errorf("%q gave %s", prompt, redirect)
		}
	}
}

func TestNothingBeginsBeforeTheProviderIsKnown(t *testing.T) {
	c, log := newIDP().config()
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Begin(t.Context(), rp.AuthRequest{})
	refuses(t, err, problem.ProviderUnavailable, log)
	_, _, err = p.Redeem(t.Context(), rp.Pending{State: "s", Nonce: "n", Verifier: "v"}, url.Values{"state": {"s"}, "code": {code}})
	refuses(t, err, problem.ProviderUnavailable, log)
	_, err = p.Refresh(t.Context(), held(), rp.Target{})
	refuses(t, err, problem.ProviderUnavailable, log)
	refuses(t, p.Revoke(t.Context(), held()), problem.ProviderUnavailable, log)
	if u, ok := p.EndSessionURL(held().ID, ""); ok || u != "" {
		t.Errorf("signs out at %q", u)
	}
}
