package rp_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

const requestURI = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"

// pushing is a provider that takes pushed requests.
func pushing() *idp {
	i := newIDP()
	i.metadata["pushed_authorization_request_endpoint"] = issuer + "/par"
	i.answer("/par", 201, `{"request_uri":"`+requestURI+`","expires_in":60}`)
	return i
}

func TestAPushedRequestLeavesTheBrowserNothingToCarry(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		for _, par := range []string{"", "auto", "require"} {
			t.Run(method+" "+par, func(t *testing.T) {
				i := pushing()
				p, _ := start(t, i, withResources, func(c *rp.Config) { c.ClientAuth, c.PAR = method, par })
				redirect, pending, err := p.Begin(t.Context(), rp.AuthRequest{Prompt: "login"})
				if err != nil {
					t.Fatal(err)
				}
				want := seen{path: "/par", form: url.Values{
					"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURL},
					"scope": {"openid profile"}, "state": {pending.State}, "nonce": {pending.Nonce}, "prompt": {"login"},
					"code_challenge": {oauth2.S256ChallengeFromVerifier(pending.Verifier)}, "code_challenge_method": {"S256"},
					"resource": {ordersAPI, stockAPI},
				}}
				authenticated(method, &want)
				if diff := cmp.Diff([]seen{want}, i.seen, cmp.AllowUnexported(seen{})); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				u, err := url.Parse(redirect)
				if err != nil || u.Scheme+"://"+u.Host+u.Path != issuer+"/authorize" {
					t.Errorf("goes to %s, %v", redirect, err)
				}
				carried := url.Values{"tenant": {"a"}, "client_id": {clientID}, "request_uri": {requestURI}}
				if diff := cmp.Diff(carried, u.Query()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				i.claims["nonce"] = pending.Nonce
				if _, _, err := p.Redeem(t.Context(), pending, url.Values{"code": {code}, "state": {pending.State}}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAPushedRequestIsSignedForByTheKey(t *testing.T) {
	i := pushing()
	p, _ := start(t, i, withKey(inPEM(t, ecKey())))
	if _, _, err := p.Begin(t.Context(), rp.AuthRequest{}); err != nil {
		t.Fatal(err)
	}
	if claims := assertionOf(t, i.seen[0], ecKey(), jose.ES256, ""); claims["aud"] != issuer {
		t.Errorf("for %v", claims["aud"])
	}
}

func TestWhenRequestsArePushed(t *testing.T) {
	for name, row := range map[string]struct {
		par                string
		endpoint, required bool
		pushed, refused    bool
	}{
		"auto, with an endpoint":                 {"auto", true, false, true, false},
		"auto, without":                          {"auto", false, false, false, false},
		"auto, required and without an endpoint": {"auto", false, true, false, true},
		"require, with an endpoint":              {"require", true, false, true, false},
		"require, without":                       {"require", false, false, false, true},
		"off, with an endpoint":                  {"off", true, false, false, false},
		"off, though the provider requires it":   {"off", true, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			i := pushing()
			if !row.endpoint {
				delete(i.metadata, "pushed_authorization_request_endpoint")
			}
			i.metadata["require_pushed_authorization_requests"] = row.required
			c, log := i.config()
			c.PAR = row.par
			p, err := rp.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Discover(t.Context()); row.refused {
				refuses(t, err, problem.ProviderError, log)
				return
			} else if err != nil {
				t.Fatal(err)
			}
			redirect, _, err := p.Begin(t.Context(), rp.AuthRequest{})
			if err != nil || strings.Contains(redirect, "request_uri") != row.pushed || (len(i.seen) == 1) != row.pushed {
				t.Errorf("%s after %d requests, %v", redirect, len(i.seen), err)
			}
		})
	}
}

func TestAPushFailsWhen(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   problem.Code
	}{
		"the client is refused":       {401, `{"error":"invalid_client","error_description":"` + clientSecret + `"}`, problem.ProviderError},
		"a parameter is refused":      {400, `{"error":"invalid_request"}`, problem.ProviderError},
		"the provider fails":          {500, access, problem.ProviderError},
		"it is an error with 201":     {201, `{"error":"invalid_request","request_uri":"urn:x"}`, problem.ProviderError},
		"there is no address in it":   {201, `{"expires_in":60}`, problem.ProviderError},
		"its address has a space":     {201, `{"request_uri":"urn:a b"}`, problem.ProviderError},
		"its address is endless":      {201, `{"request_uri":"urn:` + strings.Repeat("x", 3000) + `"}`, problem.ProviderError},
		"its address is a number":     {201, `{"request_uri":7}`, problem.ProviderError},
		"the answer is none":          {201, access, problem.ProviderError},
		"it was sent somewhere else":  {307, ``, problem.ProviderError},
		"the endpoint is not allowed": {405, ``, problem.ProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			i := pushing()
			p, log := start(t, i)
			i.answer("/par", row.status, row.body)
			redirect, pending, err := p.Begin(t.Context(), rp.AuthRequest{})
			refuses(t, err, row.want, log)
			if redirect != "" || pending != (rp.Pending{}) {
				t.Errorf("began at %q", redirect)
			}
			for _, values := range i.seen[0].form {
				if len(values[0]) == 43 { // state, nonce, challenge
					untold(t, err.Error(), values[0])
				}
			}
		})
	}
}

func TestAnUnknownWayToPushIsRefused(t *testing.T) {
	c, _ := newIDP().config()
	c.PAR, c.ClientSecret = "sometimes", secret.New("s")
	if _, err := rp.New(c); err == nil || !strings.Contains(err.Error(), "par:") {
		t.Errorf("got %v", err)
	}
}
