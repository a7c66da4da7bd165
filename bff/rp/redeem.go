package rp

import (
	"context"
	"errors"
	"net/url"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// Redeem ends the sign-in that pending began. query is the callback's, decoded
// once. It gives an identity only together with an ID token that stood every
// check; on any error there is neither identity nor token.
func (p *Provider) Redeem(ctx context.Context, pending Pending, query url.Values) (Identity, Tokens, error) {
	const verb = "redeem"
	provider, err := p.metadata()
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	code, err := p.code(provider, pending, query)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	expect, err := p.expectSignIn(pending)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	key, err := p.proofKey(secret.String{})
	if err != nil {
		return Identity{}, Tokens{}, fail(problem.Internal, verb, err)
	}
	asked := p.now()
	response, err := p.exchange(ctx, provider, code, pending.Verifier, key)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	got, err := tokens(verb, response, asked, p.scopes, key)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	expect.now = p.now() // the provider took its time, and dates the ID token at the end of it
	raw, ok := response.ID.(string)
	if !ok || raw == "" { // OIDC Core §3.1.3.3
		return Identity{}, Tokens{}, fail(problem.TokenResponse, verb, errors.New("id_token is missing"))
	}
	claims, err := p.verify(ctx, provider, raw, got.Access, expect)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	got.ID = secret.New(raw)
	if p.userInfo {
		if claims, err = p.addUserInfo(ctx, provider, got, claims); err != nil {
			return Identity{}, Tokens{}, err
		}
	}
	return p.identity(ctx, claims), got, nil
}

// proofKey returns the key to bind tokens to: held, or a new one where there is
// none; empty when tokens are not to be bound. A session from before dpop was
// switched on, or off, thus changes over with its next renewal: the refresh
// token of a confidential client is not bound to a key (RFC 9449 §5).
func (p *Provider) proofKey(held secret.String) (secret.String, error) {
	switch {
	case !p.dpop:
		return secret.String{}, nil
	case !held.Empty():
		return held, nil
	}
	return newProofKey()
}
