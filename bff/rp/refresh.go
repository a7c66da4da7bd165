package rp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// ErrInvalidGrant says that a refresh token will never work again. The session
// it belongs to is over (BBA-9).
var ErrInvalidGrant = errors.New("the refresh token is not valid any more")

// Target narrows what a renewed access token is for (BBA-39, BBA-40). The zero
// value is what was asked for at the sign-in.
type Target struct {
	Resource string   // one absolute URI (RFC 8707 §2); "" is that of the sign-in
	Scopes   []string // some of those granted (RFC 6749 §6); none is all of them
}

// Refresh renews held (RFC 6749 §6, OIDC Core §12) and returns the tokens with
// an access token for target. What the provider does not send again stays: the
// refresh token, the ID token, the scopes, and the key where there was one. The
// provider may have retired the old refresh token by the time Refresh returns,
// whatever the target, so the caller keeps the new one and passes a ctx that
// does not end with the request that asked. A target that the provider refuses is
// problem.TokenUnavailable: it will be refused again.
func (p *Provider) Refresh(ctx context.Context, held Tokens, target Target) (Tokens, error) {
	const verb = "refresh"
	if held.Refresh.Empty() {
		return Tokens{}, fail(problem.SessionEnded, verb, fmt.Errorf("none is held: %w", ErrInvalidGrant))
	}
	provider, err := p.metadata()
	if err != nil {
		return Tokens{}, err
	}
	key, err := p.proofKey(held.Key)
	if err != nil {
		return Tokens{}, fail(problem.Internal, verb, err)
	}
	scopes := held.Scopes
	if len(target.Scopes) > 0 {
		scopes = target.Scopes
	}
	asked := p.now()
	response, err := p.renew(ctx, provider, held.Refresh, target, key)
	if err != nil {
		return Tokens{}, err
	}
	got, err := tokens(verb, response, asked, scopes, key)
	if err != nil {
		return Tokens{}, err
	}
	if got.Refresh.Empty() {
		got.Refresh = held.Refresh
		if got.RefreshExpires.IsZero() {
			got.RefreshExpires = held.RefreshExpires
		}
	}
	got.ID, err = p.renewedID(ctx, provider, response, got.Access, held.ID)
	if err != nil {
		return Tokens{}, err
	}
	return got, nil
}

// renew asks for new tokens.
func (p *Provider) renew(
	ctx context.Context, provider *metadata, refresh secret.String, target Target, key secret.String,
) (tokenResponse, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}}
	if len(target.Scopes) > 0 {
		form.Set("scope", strings.Join(target.Scopes, " "))
	}
	switch {
	case target.Resource != "":
		form.Set("resource", target.Resource)
	case len(p.resource) > 0: // as signed in: without it the provider would choose (RFC 8707 §2.2)
		form["resource"] = p.resource
	}
	got, err := p.post(ctx, provider, "refresh", provider.tokenURL, form, key)
	if err != nil {
		return tokenResponse{}, err
	}
	if !got.refuses() {
		return parseTokens("refresh", got)
	}
	if got.refusesGrant() {
		return tokenResponse{}, fail(problem.SessionEnded, "refresh", ErrInvalidGrant)
	}
	refused := p.endpointError("refresh", got, refresh.Reveal())
	if got.refusesTarget() {
		refused = problem.New(problem.TokenUnavailable, refused)
	}
	return tokenResponse{}, refused
}

// refusesTarget tells the refusals that are about what was asked for: to ask
// again for the same mends nothing (RFC 8707 §2, RFC 6749 §5.2).
func (a answer) refusesTarget() bool {
	said := a.complaint().Error
	return a.status < http.StatusInternalServerError && (said == "invalid_target" || said == "invalid_scope")
}

// renewedID returns the ID token to keep. One that comes with the response must
// be of the same sign-in (OIDC Core §12.2). Without the first one there is
// nothing to compare with, and it is not taken. When only the provider's keys
// cannot be had, the old one stays: the new refresh token must not be lost for
// the sake of a newer logout hint.
func (p *Provider) renewedID(
	ctx context.Context, provider *metadata, response tokenResponse, access, held secret.String,
) (secret.String, error) {
	sent := response.ID
	if sent == nil || sent == "" || held.Empty() {
		return held, nil
	}
	raw, ok := sent.(string)
	if !ok {
		return secret.String{}, fail(problem.TokenResponse, "refresh", errors.New("id_token is not a string"))
	}
	first, err := unverified(held.Reveal(), asymmetric()) // accepted once, under whatever list held then
	if err != nil {
		return secret.String{}, err
	}
	nonce, _ := first.text("nonce")
	expect := p.expect(nonce, false)
	expect.first = first
	switch _, err := p.verify(ctx, provider, raw, access, expect); {
	case errors.Is(err, errKeys):
		p.log.WarnContext(ctx, "renewed id token not checked, kept the old one", "error", err)
		return held, nil
	case err != nil:
		return secret.String{}, err
	}
	return secret.New(raw), nil
}
