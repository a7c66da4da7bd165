package rp

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"cloakroom/shared/problem"
)

// Pending is what whoever started a sign-in must remember until the callback,
// for one use and where no other browser can reach or change it. The first
// three hold 256 random bits each; the others are what the answer is held to.
type Pending struct {
	State    string // ties the callback to the browser
	Nonce    string // ties the ID token to the sign-in
	Verifier string // ties the code to this server (RFC 7636)

	Silent    bool   `json:",omitempty"` // nobody was to be asked (prompt=none)
	MaxAge    string `json:",omitempty"` // seconds; "" when any age will do
	ACRValues string `json:",omitempty"` // space-separated; "" when any will do
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
	pending := request.pending()
	pending.State, pending.Nonce, pending.Verifier = random(), random(), oauth2.GenerateVerifier()
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
	for name, value := range map[string]string{
		"prompt": request.Prompt, "max_age": pending.MaxAge, "acr_values": pending.ACRValues,
	} {
		if value != "" {
			params.Set(name, value)
		}
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
