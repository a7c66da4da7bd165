package rp

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"cloakroom/bff/secret"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Revoke tells the provider that held will not be used any more (RFC 7009): the
// refresh token first, because it is the one that lives, then the access token
// whether or not the first worked. It is nil when the provider has no
// revocation endpoint.
func (p *Provider) Revoke(ctx context.Context, held Tokens) error {
	provider, err := p.metadata()
	if err != nil {
		return err
	}
	if provider.revocationURL == "" {
		return nil
	}
	var errs []error
	for _, one := range []struct {
		kind  string
		token secret.String
	}{{shared.TokenRefresh, held.Refresh}, {shared.TokenAccess, held.Access}} {
		if one.token.Empty() {
			continue
		}
		if err := p.revoke(ctx, provider, one.kind, one.token); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return problem.New(problem.CodeOf(errs[0]), errors.Join(errs...))
}

func (p *Provider) revoke(ctx context.Context, provider *metadata, kind string, token secret.String) error {
	verb := "revoke " + kind
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {kind}} // RFC 7009 §2.1
	got, err := p.post(ctx, provider, verb, provider.revocationURL, form, secret.String{})
	switch {
	case err != nil:
		return err
	case got.status == http.StatusOK: // also for a token it does not know (RFC 7009 §2.2)
		return nil
	// A provider need not be able to revoke access tokens (RFC 7009 §2.2.1).
	case got.complaint().Error == "unsupported_token_type" && got.status < http.StatusInternalServerError:
		return nil
	}
	return p.endpointError(verb, got, token.Reveal())
}
