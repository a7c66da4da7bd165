package idp

import (
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// client is a Client as op wants to see it.
type client struct {
	Client
	p *Provider
}

var _ op.Client = (*client)(nil)

func (c *client) GetID() string                       { return c.ID }
func (c *client) RedirectURIs() []string              { return c.Client.RedirectURIs }
func (c *client) PostLogoutRedirectURIs() []string    { return c.Client.PostLogoutRedirectURIs }
func (c *client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c *client) ResponseTypes() []oidc.ResponseType {
	if c.InsecureImplicit {
		return []oidc.ResponseType{oidc.ResponseTypeCode, responseToken}
	}
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (c *client) IDTokenLifetime() time.Duration       { return c.p.cfg.IDTokenLifetime }
func (c *client) DevMode() bool                        { return c.InsecureImplicit } // op wants https for that grant otherwise
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c *client) ClockSkew() time.Duration             { return 0 }
func (c *client) GrantTypes() []oidc.GrantType {
	if c.InsecureImplicit {
		return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeImplicit}
	}
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

// AuthMethod decides whether op asks for a secret: of a public client it never
// does (BBA-52). Where it asks, it takes client_secret_post as well.
func (c *client) AuthMethod() oidc.AuthMethod {
	if c.Public {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (c *client) LoginURL(requestID string) string {
	return pathInteraction + "?" + url.Values{paramRequest: {requestID}}.Encode()
}

func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string     { return slices.Clone }
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return slices.Clone }

func (c *client) IsScopeAllowed(scope string) bool {
	return slices.ContainsFunc(c.p.cfg.Scopes, func(s Scope) bool { return s.Name == scope })
}

func (c *client) displayName() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}
