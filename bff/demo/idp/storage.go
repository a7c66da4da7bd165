package idp

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// storage is what op asks for, answered from the provider's state. Methods of
// flows that are not served refuse.
type storage struct{ p *Provider }

var (
	_ op.Storage                        = storage{}
	_ op.CanSetUserinfoFromRequest      = storage{}
	_ op.CanGetPrivateClaimsFromRequest = storage{}
)

var errNotServed = errors.New("idp: not served")

func (s storage) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, hinted string) (op.AuthRequest, error) {
	request := s.p.state.addRequest(authRequest{
		clientID: r.ClientID, redirectURI: r.RedirectURI, state: r.State, nonce: r.Nonce, challenge: r.CodeChallenge,
		implicit: r.ResponseType == responseToken, scopes: s.p.knownScopes(r.Scopes), prompt: r.Prompt, maxAge: r.MaxAge, loginHint: r.LoginHint, hinted: hinted,
	})
	return &request, nil
}

func (s storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	request, ok := s.p.state.request(id)
	if !ok {
		return nil, errUnknown
	}
	return &request, nil
}

func (s storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	request, err := s.p.state.redeem(code)
	if err != nil {
		return nil, err
	}
	return &request, nil
}

func (s storage) SaveAuthCode(_ context.Context, id, code string) error {
	if err := s.p.state.saveCode(id, code); err != nil {
		return err
	}
	s.p.issued(KindCode, code)
	return nil
}

func (s storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.p.state.dropRequest(id)
	return nil
}

func (s storage) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	request, ok := r.(*authRequest)
	if !ok {
		return "", time.Time{}, errNotServed
	}
	_, jti, err := s.p.state.newGrant(*request, false)
	if err != nil {
		return "", time.Time{}, invalidGrant(err)
	}
	return jti, s.accessExpiry(), nil
}

func (s storage) CreateAccessAndRefreshTokens(_ context.Context, r op.TokenRequest, current string) (jti, refresh string, expires time.Time, err error) {
	var g grant
	switch request := r.(type) {
	case *authRequest:
		g, jti, err = s.p.state.newGrant(*request, true)
	case *refreshRequest:
		g, jti, err = s.p.state.rotate(current, request.current)
	default:
		return "", "", time.Time{}, errNotServed
	}
	if err != nil {
		return "", "", time.Time{}, invalidGrant(err)
	}
	return jti, refreshToken(s.p.state.secretKey, g.id, g.generation), s.accessExpiry(), nil
}

func (s storage) accessExpiry() time.Time { return s.p.cfg.Now().Add(s.p.cfg.AccessTokenLifetime) }

func (s storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	g, err := s.p.state.grantOf(token)
	if err != nil {
		return nil, err
	}
	return &refreshRequest{g, g.scopes}, nil
}

// grantPrefix marks what GetRefreshTokenInfo found for RevokeToken.
const grantPrefix = "grant:"

func (s storage) GetRefreshTokenInfo(_ context.Context, _ string, token string) (subject, tokenID string, err error) {
	family, _, ok := parseRefreshToken(s.p.state.secretKey, token)
	if !ok {
		return "", "", op.ErrInvalidRefreshToken
	}
	return "", grantPrefix + family, nil
}

// RevokeToken ends a family by any of its refresh tokens, used ones too, or
// one access token. What is unknown is revoked already (RFC 7009 §2.2).
func (s storage) RevokeToken(_ context.Context, token, _, clientID string) *oidc.Error {
	family, isGrant := strings.CutPrefix(token, grantPrefix)
	if !isGrant {
		// A wrong token_type_hint brings a refresh token here (RFC 7009 §2.1).
		family, _, isGrant = parseRefreshToken(s.p.state.secretKey, token)
	}
	owner := func(g grant) *oidc.Error {
		if g.clientID != clientID {
			return oidc.ErrInvalidClient().WithDescription("the token was issued to another client")
		}
		return nil
	}
	if isGrant {
		g, ok := s.p.state.grant(family)
		if err := owner(g); ok && err != nil {
			return err
		}
		s.p.state.revokeGrant(family)
		return nil
	}
	_, g, ok := s.p.state.accessOf(token)
	if err := owner(g); ok && err != nil {
		return err
	}
	s.p.state.revokeAccess(token)
	return nil
}

func (s storage) SigningKey(context.Context) (op.SigningKey, error) { return s.p.drafts, nil }

func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s storage) KeySet(context.Context) ([]op.Key, error) {
	return s.p.keys.published(s.p.cfg.Now()), nil
}

func (s storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	client, ok := s.p.clients[id]
	if !ok {
		return nil, oidc.ErrInvalidClient().WithDescription("unknown client")
	}
	return client, nil
}

func (s storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	client, ok := s.p.clients[id]
	if !ok || client.Public || !equal(client.Secret.Reveal(), secret) {
		return errors.New("unknown client or wrong secret")
	}
	return nil
}

// SetUserinfoFromScopes leaves the work to SetUserinfoFromRequest, which knows the session.
func (s storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest gives an ID token its claims: those of the scopes,
// and `sid` (OIDC Back-Channel Logout 1.0 §2.1).
func (s storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	switch request := r.(type) {
	case *authRequest:
		info.AppendClaims("sid", request.sid)
	case *refreshRequest:
		info.AppendClaims("sid", request.sid)
	default:
		return errNotServed
	}
	return s.describe(info, r.GetSubject(), scopes)
}

func (s storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, jti, subject, _ string) error {
	token, g, ok := s.p.state.accessOf(jti)
	if !ok || g.subject != subject {
		return errUnknown
	}
	return s.describe(info, subject, token.scopes)
}

func (s storage) describe(info *oidc.UserInfo, subject string, scopes []string) error {
	user, ok := s.p.userBySubject(subject)
	if !ok {
		return errUnknown
	}
	info.Subject = subject
	for _, scope := range scopes {
		switch scope {
		case oidc.ScopeProfile:
			info.Name, info.PreferredUsername = user.FullName, user.Name
		case oidc.ScopeEmail:
			info.Email, info.EmailVerified = user.Email, user.Email != ""
		}
	}
	return nil
}

// GetPrivateClaimsFromRequest adds `scope`, which op leaves out (RFC 9068 §2.2.3).
func (s storage) GetPrivateClaimsFromRequest(_ context.Context, r op.TokenRequest, _ []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(r.GetScopes(), " ")}, nil
}

func (s storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, errNotServed
}

func (s storage) TerminateSession(context.Context, string, string) error { return errNotServed }

func (s storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotServed
}

func (s storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotServed
}

func (s storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotServed
}

func (s storage) Health(context.Context) error { return nil }
