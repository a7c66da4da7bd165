package idp

import (
	"net/http"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"cloakroom/shared"
)

// responseToken is the implicit grant (RFC 6749 §4.2): the access token in the
// answer of the authorization endpoint, for clients that are InsecureImplicit.
const responseToken oidc.ResponseType = "token"

// grantToken sends the browser back with an access token in the fragment. There
// is no refresh token, and no ID token: nobody asked for one.
func (p *Provider) grantToken(w http.ResponseWriter, r *http.Request, request *authRequest) {
	ctx := op.ContextWithIssuer(r.Context(), p.cfg.Issuer)
	draft, err := op.CreateTokenResponse(ctx, request, p.clients[request.clientID], p.op, true, "", "")
	if err != nil {
		p.refuse(w, r, *request, err)
		return
	}
	access, err := p.sealAccess(draft.AccessToken, "")
	if err != nil {
		p.refuse(w, r, *request, err)
		return
	}
	address, err := op.AuthResponseURL(request.redirectURI, responseToken, oidc.ResponseModeFragment, &oidc.AccessTokenResponse{
		AccessToken: access, TokenType: oidc.BearerToken, ExpiresIn: uint64(p.cfg.AccessTokenLifetime.Seconds()),
		Scope: draft.Scope, State: request.state,
	}, p.op.encoder)
	if err != nil {
		p.refuse(w, r, *request, err)
		return
	}
	p.issued(shared.TokenAccess, access)
	http.Redirect(w, r, address, http.StatusFound)
}

func (p *Provider) hasImplicitClient() bool {
	return slices.ContainsFunc(p.cfg.Clients, func(c Client) bool { return c.InsecureImplicit })
}
