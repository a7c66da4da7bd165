package idp

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// paramResource may come several times (RFC 8707 §2); no other parameter may.
const paramResource = "resource"

// VerifyAuthRequest runs before the redirect URI is known to be good, so its
// refusals are shown and not sent.
func (s server) VerifyAuthRequest(ctx context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	for name, values := range r.Form {
		if len(values) > 1 && name != paramResource {
			return nil, oidc.ErrInvalidRequest().WithDescription("a parameter was sent twice") // RFC 6749 §3.1
		}
	}
	return s.legacy.VerifyAuthRequest(ctx, r)
}

// Authorize runs with a registered redirect URI: its refusals reach the client.
func (s server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	if err := s.p.checkAuthorize(r); err != nil {
		return nil, err
	}
	return s.legacy.Authorize(ctx, r)
}

func (p *Provider) checkAuthorize(r *op.ClientRequest[oidc.AuthRequest]) error {
	request, mode := r.Data, oidc.ResponseModeQuery
	if request.ResponseType == responseToken {
		mode = oidc.ResponseModeFragment
	}
	switch {
	case r.Form.Has("request_uri"):
		return &oidc.Error{ErrorType: "request_uri_not_supported"} // OIDC Core §6.2
	case request.ResponseMode != "" && request.ResponseMode != mode:
		return oidc.ErrInvalidRequest().WithDescription("only response_mode %s is supported", mode)
	case !slices.Contains(request.Scopes, oidc.ScopeOpenID):
		return oidc.ErrInvalidScope().WithDescription("scope openid is missing")
	case request.ResponseType == responseToken:
		return p.checkResource(r.Form) // there is no code to protect
	case request.CodeChallenge == "":
		return oidc.ErrInvalidRequest().WithDescription("code_challenge missing") // RFC 7636 §4.4.1
	case request.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return oidc.ErrInvalidRequest().WithDescription("code_challenge_method must be S256")
	}
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(request.CodeChallenge); err != nil || len(sum) != 32 {
		return oidc.ErrInvalidRequest().WithDescription("code_challenge is not a SHA-256 in base64url")
	}
	return p.checkResource(r.Form)
}

// checkResource: there is one API that tokens are for (RFC 8707 §2).
func (p *Provider) checkResource(form url.Values) error {
	for _, resource := range form[paramResource] {
		if resource != p.cfg.Audience {
			return &oidc.Error{ErrorType: oidc.InvalidTarget}
		}
	}
	return nil
}

// knownScopes drops what op would carry along without this provider knowing it.
func (p *Provider) knownScopes(asked []string) []string {
	var scopes []string
	for _, known := range p.cfg.scopeWords() {
		if slices.Contains(asked, known.Name) {
			scopes = append(scopes, known.Name)
		}
	}
	return scopes
}
