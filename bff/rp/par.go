package rp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// When authorization requests are pushed (RFC 9126).
const (
	parAuto    = "auto"    // where the provider has an endpoint for it
	parRequire = "require" // or there is no sign-in
	parOff     = "off"
)

// maxRequestURI bounds what stands for a pushed request, in bytes.
const maxRequestURI = 2048

// checkPushing decides from the document whether requests are pushed.
func (p *Provider) checkPushing(doc document) (endpoint string, err error) {
	switch {
	case p.par == parOff && doc.PushRequired: // RFC 9126 §5
		return "", errors.New("require_pushed_authorization_requests: true, and par is off")
	case p.par == parOff:
		return "", nil
	case doc.Push == "" && (p.par == parRequire || doc.PushRequired):
		return "", errors.New("pushed_authorization_request_endpoint: missing, and required")
	}
	return doc.Push, nil
}

// push hands the request to the provider before the browser is involved, and
// returns what stands for it (RFC 9126 §2). The browser then carries nothing
// that it could change or leak.
func (p *Provider) push(ctx context.Context, provider *metadata, params url.Values) (url.Values, error) {
	const verb = "push"
	got, err := p.post(ctx, provider, verb, provider.pushURL, params, secret.String{})
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusCreated && got.status != http.StatusOK || got.complaint().Error != "" {
		return nil, p.endpointError(verb, got, params.Get("state"), params.Get("nonce"), params.Get("code_challenge"))
	}
	var response struct {
		RequestURI string `json:"request_uri"`
	}
	if json.Unmarshal(got.body, &response) != nil || !isScope(response.RequestURI) || len(response.RequestURI) > maxRequestURI {
		return nil, fail(problem.ProviderError, verb, errors.New("request_uri is missing or not a URI"))
	}
	return url.Values{"client_id": {p.clientID}, "request_uri": {response.RequestURI}}, nil // RFC 9126 §4
}
