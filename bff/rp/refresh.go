package rp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// ErrInvalidGrant says that a refresh token will never work again. The session
// it belongs to is over (BBA-9).
var ErrInvalidGrant = errors.New("the refresh token is not valid any more")

// Refresh renews held (RFC 6749 §6, OIDC Core §12). What the provider does not
// send again stays: the refresh token, the ID token, the scopes. The provider
// may have retired the old refresh token by the time Refresh returns, so the
// caller passes a ctx that does not end with the request that asked.
func (p *Provider) Refresh(ctx context.Context, held Tokens) (Tokens, error) {
	const verb = "refresh"
	if held.Refresh.Empty() {
		return Tokens{}, fail(problem.SessionEnded, verb, fmt.Errorf("none is held: %w", ErrInvalidGrant))
	}
	provider, err := p.metadata()
	if err != nil {
		return Tokens{}, err
	}
	asked := p.now()
	response, err := p.renew(ctx, provider, held.Refresh)
	if err != nil {
		return Tokens{}, err
	}
	got, err := tokens(verb, response, asked, held.Scopes)
	if err != nil {
		return Tokens{}, err
	}
	got.ID, err = p.renewedID(ctx, provider, response, got.Access, held.ID)
	if err != nil {
		return Tokens{}, err
	}
	return got, nil
}

// renew asks for new tokens. The library fills in the old refresh token when
// the response has none.
func (p *Provider) renew(ctx context.Context, provider *metadata, refresh secret.String) (*oauth2.Token, error) {
	ctx, cancel := p.call(ctx)
	defer cancel()
	old := &oauth2.Token{RefreshToken: refresh.Reveal()}
	response, err := p.client(provider).TokenSource(ctx, old).Token()
	if err == nil {
		return response, nil
	}
	var answer *oauth2.RetrieveError
	// A provider in trouble (5xx) may say anything: it ends no session.
	if errors.As(err, &answer) && answer.ErrorCode == "invalid_grant" &&
		answer.Response.StatusCode < http.StatusInternalServerError { // RFC 6749 §5.2
		return nil, fail(problem.SessionEnded, "refresh", ErrInvalidGrant)
	}
	return nil, p.tokenError("refresh", err, refresh.Reveal())
}

// renewedID returns the ID token to keep. One that comes with the response must
// be of the same sign-in (OIDC Core §12.2). Without the first one there is
// nothing to compare with, and it is not taken. When only the provider's keys
// cannot be had, the old one stays: the new refresh token must not be lost for
// the sake of a newer logout hint.
func (p *Provider) renewedID(
	ctx context.Context, provider *metadata, response *oauth2.Token, access, held secret.String,
) (secret.String, error) {
	sent := response.Extra("id_token")
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
