package rp_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

const access2, refresh2 = "access-second-Lm8", "refresh-second-Wd4"

func held() rp.Tokens {
	return rp.Tokens{Access: secret.New(access), Refresh: secret.New(refresh), Scopes: []string{"openid"}}
}

// renewal is a provider after a sign-in, about to renew with an ID token.
func renewal(t *testing.T, method string) (*idp, *rp.Provider, rp.Tokens, func() string) {
	t.Helper()
	i := newIDP()
	p, log := start(t, i, func(c *rp.Config) { c.ClientAuth = method })
	_, tokens := signIn(t, i, p)
	i.seen = nil
	i.tokens = map[string]any{"access_token": access2, "refresh_token": refresh2, "token_type": "Bearer", "expires_in": 60}
	return i, p, tokens, log.String
}

func TestARefreshSendsTheOldTokenAndKeepsWhatDoesNotComeAgain(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(*idp)
		want func(old rp.Tokens, sentID string) rp.Tokens
	}{
		"everything is new": {
			func(i *idp) { i.tokens["scope"] = "openid" },
			func(_ rp.Tokens, sentID string) rp.Tokens {
				return rp.Tokens{Access: secret.New(access2), Refresh: secret.New(refresh2), ID: secret.New(sentID),
					AccessExpires: now.Add(time.Minute), Scopes: []string{"openid"}}
			},
		},
		"only the access token is new": {
			func(i *idp) {
				delete(i.tokens, "refresh_token")
				delete(i.tokens, "expires_in")
				i.tokens["id_token"] = nil
			},
			func(old rp.Tokens, _ string) rp.Tokens {
				return rp.Tokens{Access: secret.New(access2), Refresh: old.Refresh, ID: old.ID, Scopes: old.Scopes}
			},
		},
	} {
		for _, method := range []string{"client_secret_basic", "client_secret_post"} {
			t.Run(name+", "+method, func(t *testing.T) {
				i, p, old, _ := renewal(t, method)
				row.edit(i)
				fixed := i.idToken()
				i.mangle = func(string) string { return fixed } // EC signatures differ each time
				got, err := p.Refresh(t.Context(), old, rp.Target{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(row.want(old, fixed), got, cmp.AllowUnexported(secret.String{})); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				want := seen{path: "/token", form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}}
				authenticated(method, &want)
				if diff := cmp.Diff([]seen{want}, i.seen, cmp.AllowUnexported(seen{})); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

// The cases of the conformance suite are in TestConformance.
func TestARenewedIDTokenIsRefusedWhen(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(*idp)
		want problem.Code
	}{
		"it is for more clients than before": {func(i *idp) { i.claims["aud"] = []string{clientID, "other"}; i.claims["azp"] = clientID }, problem.IDTokenAudience},
		"its nonce is another":               {claim("nonce", "another"), problem.IDTokenNonce},
		"it has expired":                     {claim("exp", now.Add(-time.Minute).Unix()), problem.IDTokenExpired},
		"another key signed it":              {func(i *idp) { i.signer = otherKey() }, problem.IDTokenSignature},
		"nobody signed it":                   {func(i *idp) { i.mangle = unsigned }, problem.IDTokenAlgorithm},
		"its at_hash is of the old token":    {claim("at_hash", "wAtxp-jEMpMz74UqTv7TMQ"), problem.IDTokenClaims},
		"it is a number":                     {func(i *idp) { i.tokens["id_token"] = 5 }, problem.TokenResponse},
	} {
		t.Run(name, func(t *testing.T) {
			i, p, old, log := renewal(t, "")
			row.edit(i)
			got, err := p.Refresh(t.Context(), old, rp.Target{})
			refuses(t, err, row.want, nil, access2, refresh2, old.ID.Reveal())
			untold(t, log(), access, access2, refresh, refresh2, old.ID.Reveal())
			if !got.Access.Empty() || !got.Refresh.Empty() || errors.Is(err, rp.ErrInvalidGrant) {
				t.Errorf("got tokens, or the wrong kind of %v", err)
			}
		})
	}
}

// The configured issuer may change while sessions live. The same subject of
// another issuer is another user.
func TestASessionDoesNotMoveToAnotherIssuer(t *testing.T) {
	_, _, old, _ := renewal(t, "")
	const issuer2 = "https://idp2.example"
	i := newIDP()
	i.metadata["issuer"], i.claims["iss"] = issuer2, issuer2
	p, log := start(t, i, func(c *rp.Config) { c.Issuer = issuer2 })
	_, err := p.Refresh(t.Context(), old, rp.Target{})
	refuses(t, err, problem.IDTokenIssuer, log, old.ID.Reveal())
}

func TestARenewedIDTokenIsAcceptedWithoutNonce(t *testing.T) {
	i, p, old, _ := renewal(t, "")
	delete(i.claims, "nonce")
	got, err := p.Refresh(t.Context(), old, rp.Target{})
	if err != nil || got.ID.Reveal() == old.ID.Reveal() {
		t.Errorf("err %v; the ID token must be the new one", err)
	}
}

func TestARenewedIDTokenIsLeftAloneWhenThereIsNothingToCompareItWith(t *testing.T) {
	i, p, _, _ := renewal(t, "")
	i.claims["sub"] = "u-2"
	got, err := p.Refresh(t.Context(), held(), rp.Target{})
	if err != nil || !got.ID.Empty() || got.Access.Reveal() != access2 {
		t.Errorf("err %v; access token must be new, ID token empty", err)
	}
}

func TestNewTokensAreNotLostForWantOfKeys(t *testing.T) {
	i, p, old, log := renewal(t, "")
	i.signer, i.header["kid"] = otherKey(), "new"
	i.answer("/keys", 503, "")
	got, err := p.Refresh(t.Context(), old, rp.Target{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Refresh.Reveal() != refresh2 || got.ID.Reveal() != old.ID.Reveal() {
		t.Error("the new refresh token and the old ID token must be kept")
	}
	if !strings.Contains(log(), "kept the old one") {
		t.Error("the log does not say so")
	}
}

func TestARefreshFailsWhen(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   problem.Code
		dead   bool
	}{
		"the refresh token is dead":            {400, `{"error":"invalid_grant"}`, problem.SessionEnded, true},
		"it is dead, said with another status": {401, `{"error":"invalid_grant"}`, problem.SessionEnded, true},
		"it is dead, said with status 200":     {200, `{"error":"invalid_grant"}`, problem.SessionEnded, true},
		"the provider fails and says so":       {500, `{"error":"invalid_grant"}`, problem.ProviderError, false},
		"the client secret was changed":        {401, `{"error":"invalid_client"}`, problem.ProviderError, false},
		"the answer tells the token":           {400, `{"error":"` + refresh + `","error_description":"` + refresh + ` is bad"}`, problem.ProviderError, false},
		"the provider is busy":                 {503, refresh, problem.ProviderError, false},
		"the answer is none":                   {200, refresh, problem.TokenResponse, false},
	} {
		t.Run(name, func(t *testing.T) {
			i, p, old, log := renewal(t, "")
			i.answer("/token", row.status, row.body)
			_, err := p.Refresh(t.Context(), old, rp.Target{})
			refuses(t, err, row.want, nil, old.ID.Reveal())
			untold(t, log(), refresh)
			if errors.Is(err, rp.ErrInvalidGrant) != row.dead {
				t.Errorf("ErrInvalidGrant is %v in %v", !row.dead, err)
			}
		})
	}
}

func TestWithoutARefreshTokenThereIsNothingToRenew(t *testing.T) {
	i, p, _, _ := renewal(t, "")
	_, err := p.Refresh(t.Context(), rp.Tokens{Access: secret.New(access)}, rp.Target{})
	refuses(t, err, problem.SessionEnded, nil)
	if !errors.Is(err, rp.ErrInvalidGrant) || len(i.seen) != 0 {
		t.Errorf("got %v after %d requests", err, len(i.seen))
	}
}

func TestACallerWhoLeavesIsNotTheProvidersTimeout(t *testing.T) {
	_, p, old, _ := renewal(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Refresh(ctx, old, rp.Target{})
	refuses(t, err, problem.ProviderUnavailable, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that the caller left", err)
	}
}
