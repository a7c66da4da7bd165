package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

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
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {kind}} // RFC 7009 §2.1
	if p.clientAuth == authPost {
		form.Set("client_id", p.clientID)
		form.Set("client_secret", p.clientSecret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, provider.revocationURL, strings.NewReader(form.Encode()))
	if err != nil {
		return fail(problem.Internal, verb, errors.New("the request cannot be made"))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.clientAuth == authBasic { // RFC 6749 §2.3.1
		req.SetBasicAuth(url.QueryEscape(p.clientID), url.QueryEscape(p.clientSecret.Reveal()))
	}
	resp, err := p.endpoints.Do(req)
	if err != nil {
		code, cause, _ := wire(err) // Do returns nothing but *url.Error
		return fail(code, verb, cause)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK { // also for a token it does not know (RFC 7009 §2.2)
		return nil
	}
	return p.revocationError(verb, resp, token)
}

func (p *Provider) revocationError(verb string, resp *http.Response, token secret.String) error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		return fail(problem.ProviderError, verb, fmt.Errorf("HTTP %d", resp.StatusCode))
	}
	// A provider need not be able to revoke access tokens (RFC 7009 §2.2.1).
	if answer.Error == "unsupported_token_type" && resp.StatusCode < http.StatusInternalServerError {
		return nil
	}
	return fail(problem.ProviderError, verb, fmt.Errorf("HTTP %d: %w", resp.StatusCode,
		said(answer.Error, answer.Description, token.Reveal(), p.clientSecret.Reveal())))
}
