package rp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// Tokens is what a token response gave. AccessExpires is zero when the provider
// did not say; then only a refusal by the API tells.
type Tokens struct {
	Access, Refresh, ID           secret.String
	AccessExpires, RefreshExpires time.Time
	Scopes                        []string
	Key                           secret.String
}

// maxScopes bounds how many scopes of a token response are kept.
const maxScopes = 100

// client is the oauth2 view of this client at that provider, made for one call
// because it holds the secret bare. Naming the style keeps the library from
// trying the secret both ways.
func (p *Provider) client(provider *metadata) *oauth2.Config {
	style := oauth2.AuthStyleInHeader // percent-encoded by the library (RFC 6749 §2.3.1)
	if p.clientAuth == authPost {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.clientID, ClientSecret: p.clientSecret.Reveal(),
		RedirectURL: p.redirectURL, Scopes: p.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: provider.authURL, TokenURL: provider.tokenURL, AuthStyle: style},
	}
}

// exchange sends the code and the verifier to the token endpoint (RFC 6749
// §4.1.3, RFC 7636 §4.5).
func (p *Provider) exchange(ctx context.Context, provider *metadata, code, verifier string) (*oauth2.Token, error) {
	ctx, cancel := p.call(ctx)
	defer cancel()
	token, err := p.client(provider).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, p.tokenError("redeem", err, code, verifier)
	}
	return token, nil
}

// call bounds one request to an endpoint and carries the client for it.
func (p *Provider) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, p.endpoints), p.timeout)
}

// tokenError names what came instead of a token response. The library's own
// text repeats the body, so none of it is kept. secrets are what was sent.
func (p *Provider) tokenError(verb string, err error, secrets ...string) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		status := answer.Response.StatusCode
		cause := said(answer.ErrorCode, answer.ErrorDescription, append(secrets, p.clientSecret.Reveal())...)
		return fail(problem.ProviderError, verb, fmt.Errorf("HTTP %d: %w", status, cause))
	}
	if code, cause, ok := wire(err); ok {
		return fail(code, verb, cause)
	}
	return fail(problem.TokenResponse, verb, errors.New("not a token response"))
}

// tokens checks a token response (RFC 6749 §5.1, OIDC Core §3.1.3.3). asked is
// when the request left: counting from there never takes a token for longer
// lived than it is. The ID token is not part of it: nobody has checked it yet.
func tokens(verb string, response *oauth2.Token, asked time.Time, scopes []string) (Tokens, error) {
	var invalid error
	switch {
	case !strings.EqualFold(response.TokenType, "Bearer"):
		invalid = errors.New("token_type is not Bearer")
	case !isVisible(response.AccessToken, '!'):
		invalid = errors.New("access_token has characters no token has")
	case !isVisible(response.RefreshToken, ' '):
		invalid = errors.New("refresh_token has characters no token has")
	case response.ExpiresIn < 0:
		invalid = errors.New("expires_in is negative")
	}
	if invalid != nil {
		return Tokens{}, fail(problem.TokenResponse, verb, invalid)
	}
	out := Tokens{
		Access: secret.New(response.AccessToken), Refresh: secret.New(response.RefreshToken),
		AccessExpires: response.Expiry.Round(0), Scopes: slices.Clone(scopes),
	}
	if response.ExpiresIn > 0 || isZero(response.Extra("expires_in")) {
		out.AccessExpires = asked.Add(time.Duration(response.ExpiresIn) * time.Second)
	}
	if granted, ok := response.Extra("scope").(string); ok { // absent: as asked for (RFC 6749 §5.1)
		fields := strings.Fields(granted)
		out.Scopes = fields[:min(len(fields), maxScopes)]
	}
	return out, nil
}

// isZero tells an expires_in of 0, which is a statement, from none at all.
func isZero(v any) bool { return v == float64(0) || v == int64(0) || v == "0" }

// isVisible reports whether all of s is ASCII from lowest to ~ (RFC 6749 §A.12,
// §A.17). An access token has no space: it becomes part of a header.
func isVisible(s string, lowest byte) bool {
	for _, c := range []byte(s) {
		if c < lowest || c > '~' {
			return false
		}
	}
	return true
}
