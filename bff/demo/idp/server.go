package idp

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"cloakroom/bff/demo/dpop"
)

// server is the list of what is served: op's LegacyServer does the protocol of
// the methods below; every other method, and with it every other grant, is
// UnimplementedServer's refusal.
type server struct {
	op.UnimplementedServer
	legacy *op.LegacyServer
	p      *Provider
}

var _ op.Server = server{}

func (s server) Health(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	return s.legacy.Health(ctx, r)
}

func (s server) Keys(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	return s.legacy.Keys(ctx, r)
}

// metadata adds to op's what op has no field for.
type metadata struct {
	*oidc.DiscoveryConfiguration
	ResponseIssuer  bool                      `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
	ProofAlgorithms []jose.SignatureAlgorithm `json:"dpop_signing_alg_values_supported"`              // RFC 9449 §5.1
}

// Discovery announces what is served, not what op could serve.
func (s server) Discovery(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	response, err := s.legacy.Discovery(ctx, r)
	if err != nil {
		return nil, err
	}
	config, ok := response.Data.(*oidc.DiscoveryConfiguration)
	if !ok {
		return nil, errors.New("idp: op changed the type of its metadata")
	}
	methods := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}
	config.ResponseTypesSupported = []string{string(oidc.ResponseTypeCode)}
	config.ResponseModesSupported = []string{string(oidc.ResponseModeQuery)}
	config.GrantTypesSupported = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
	if s.p.hasImplicitClient() {
		config.ResponseTypesSupported = append(config.ResponseTypesSupported, string(responseToken))
		config.ResponseModesSupported = append(config.ResponseModesSupported, string(oidc.ResponseModeFragment))
		config.GrantTypesSupported = append(config.GrantTypesSupported, oidc.GrantTypeImplicit)
	}
	if s.p.hasPublicClient() {
		methods = append(methods, oidc.AuthMethodNone)
	}
	config.TokenEndpointAuthMethodsSupported = methods
	config.RevocationEndpointAuthMethodsSupported = methods
	config.RevocationEndpointAuthSigningAlgValuesSupported = nil
	config.IntrospectionEndpointAuthMethodsSupported = nil
	config.IntrospectionEndpointAuthSigningAlgValuesSupported = nil
	if effect := s.p.gate.effect(); effect.discovery != nil {
		effect.discovery(config)
	}
	return op.NewResponse(metadata{config, true, dpop.Algorithms()}), nil
}

// VerifyClient answers a failed authentication with 401 (RFC 6749 §5.2).
func (s server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	// No client is registered for an assertion.
	if r.Data.ClientAssertion != "" {
		return nil, op.NewStatusError(oidc.ErrInvalidClient().WithDescription("client assertions are not supported"), http.StatusUnauthorized)
	}
	client, err := s.legacy.VerifyClient(ctx, r)
	if errors.Is(err, oidc.ErrUnsupportedGrantType()) {
		return nil, err
	}
	if err != nil {
		return nil, op.NewStatusError(oidc.ErrInvalidClient().WithParent(err), http.StatusUnauthorized)
	}
	return client, nil
}

// CodeExchange requires the verifier that op would let a confidential client
// leave out (RFC 7636 §4.5).
func (s server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	if r.Data.CodeVerifier == "" {
		return nil, oidc.ErrInvalidGrant().WithDescription("code_verifier missing")
	}
	if err := s.p.checkResource(r.PostForm); err != nil {
		return nil, err
	}
	key, err := s.p.proved(r.Header, r.Client.GetID())
	if err != nil {
		return nil, err
	}
	response, err := s.legacy.CodeExchange(ctx, r)
	return s.seal(response, err, r.Client.GetID(), key)
}

func (s server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	if err := s.p.checkResource(r.PostForm); err != nil {
		return nil, err
	}
	key, err := s.p.proved(r.Header, r.Client.GetID())
	if err != nil {
		return nil, err
	}
	if err := s.p.checkBound(r.Data.RefreshToken, key); err != nil {
		return nil, err
	}
	response, err := s.legacy.RefreshToken(ctx, r)
	return s.seal(response, err, r.Client.GetID(), key)
}

func (s server) seal(response *op.Response, err error, clientID, key string) (*op.Response, error) {
	if err != nil {
		return nil, err
	}
	draft, ok := response.Data.(*oidc.AccessTokenResponse)
	if !ok {
		return nil, errors.New("idp: op changed the type of its token response")
	}
	if response.Data, err = s.p.seal(draft, clientID, key); err != nil {
		return nil, err
	}
	return response, nil
}

// UserInfo answers 401 to every token that is no good (RFC 6750 §3.1).
func (s server) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	response, err := s.legacy.UserInfo(ctx, r)
	if err != nil {
		invalid := &oidc.Error{Parent: err, ErrorType: "invalid_token", Description: "the access token is not valid"}
		return nil, op.NewStatusError(invalid, http.StatusUnauthorized)
	}
	return response, nil
}

func (s server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	return s.legacy.Revocation(ctx, r)
}
