package rp

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"cloakroom/shared/problem"
)

// AuthRequest is what a sign-in may ask of the provider. The zero value asks
// for nothing in particular.
type AuthRequest struct {
	Prompt string // space-separated, as in OIDC Core §3.1.2.1
}

// Pending is what whoever started a sign-in must remember until the callback,
// for one use and where no other browser can reach it. Each value holds 256
// random bits.
type Pending struct {
	State    string // ties the callback to the browser
	Nonce    string // ties the ID token to the sign-in
	Verifier string // ties the code to this server (RFC 7636)
}

// Begin returns the address to send the browser to. Where requests are pushed,
// it asks the provider first.
func (p *Provider) Begin(ctx context.Context, request AuthRequest) (string, Pending, error) {
	if err := request.check(); err != nil {
		return "", Pending{}, fail(problem.ParameterInvalid, "begin", err)
	}
	provider, err := p.metadata()
	if err != nil {
		return "", Pending{}, err
	}
	pending := Pending{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier()}
	params := p.authorization(request, pending)
	if provider.pushURL != "" {
		if params, err = p.push(ctx, provider, params); err != nil {
			return "", Pending{}, err
		}
	}
	return withQuery(provider.authURL, params), pending, nil
}

// authorization are the parameters of the authorization request (RFC 6749
// §4.1.1, OIDC Core §3.1.2.1).
func (p *Provider) authorization(request AuthRequest, pending Pending) url.Values {
	params := url.Values{
		"response_type": {"code"}, "client_id": {p.clientID}, "redirect_uri": {p.redirectURL},
		"scope": {strings.Join(p.scopes, " ")}, "state": {pending.State}, "nonce": {pending.Nonce},
		// RFC 9700 §2.1.1
		"code_challenge": {oauth2.S256ChallengeFromVerifier(pending.Verifier)}, "code_challenge_method": {"S256"},
	}
	if request.Prompt != "" {
		params.Set("prompt", request.Prompt)
	}
	for _, resource := range slices.Concat(p.resource, p.moreResources) { // RFC 8707 §2.1
		if !slices.Contains(params["resource"], resource) {
			params.Add("resource", resource)
		}
	}
	return params
}

// withQuery adds params to an address, which may have a query of its own (RFC
// 6749 §3.1). Discovery has parsed it before.
func withQuery(address string, params url.Values) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	maps.Copy(query, params)
	u.RawQuery = query.Encode()
	return u.String()
}

// random returns 256 random bits as text. A PKCE verifier is just that, and
// the library's generator is the one already trusted here.
func random() string { return oauth2.GenerateVerifier() }

// check refuses every prompt that OIDC does not define: the value comes from
// the browser's address bar.
func (r AuthRequest) check() error {
	if r.Prompt == "" {
		return nil
	}
	values := strings.Split(r.Prompt, " ")
	for i, value := range values {
		switch value {
		case "none", "login", "consent", "select_account", "create":
		default:
			return errors.New("prompt has a value that OIDC does not define")
		}
		if slices.Contains(values[:i], value) {
			return errors.New("prompt has a value twice")
		}
	}
	if len(values) > 1 && slices.Contains(values, "none") { // OIDC Core §3.1.2.1
		return errors.New("prompt has none and others")
	}
	return nil
}
