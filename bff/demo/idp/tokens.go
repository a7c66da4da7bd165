package idp

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"cloakroom/bff/demo/dpop"
	"cloakroom/shared"
)

// draftKey signs what op makes of a grant. op cannot set a token's `typ` and
// reads the machine's clock, so what it signs are drafts, under a key nobody
// else has: a draft that got out by mistake would be worth nothing. P-256,
// because op hashes for it as for RS256, and because it is quick.
type draftKey struct{ private *ecdsa.PrivateKey }

var _ op.SigningKey = draftKey{}

func (k draftKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k draftKey) Key() any                                    { return k.private }
func (k draftKey) ID() string                                  { return "draft" }

func (k draftKey) open(token string) (map[string]any, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("idp: parse draft: %w", err)
	}
	payload, err := jws.Verify(k.private.Public())
	if err != nil {
		return nil, fmt.Errorf("idp: verify draft: %w", err)
	}
	var claims map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber() // times stay integers
	if err := decoder.Decode(&claims); err != nil {
		return nil, fmt.Errorf("idp: read draft: %w", err)
	}
	return claims, nil
}

// seal turns op's drafts into the tokens that are sent, bound to key unless that
// is empty.
func (p *Provider) seal(draft *oidc.AccessTokenResponse, clientID, key string) (*oidc.AccessTokenResponse, error) {
	access, err := p.sealAccess(draft.AccessToken, key)
	if err != nil {
		return nil, err
	}
	id, err := p.drafts.open(draft.IDToken)
	if err != nil {
		return nil, err
	}
	now := p.cfg.Now()
	response := *draft
	response.AccessToken = access
	id["iat"] = now.Unix()
	id["exp"] = now.Add(p.cfg.IDTokenLifetime).Unix()
	if id["at_hash"], err = oidc.ClaimHash(response.AccessToken, jose.RS256); err != nil {
		return nil, err
	}
	p.embellish(shared.TokenID, id)
	if response.IDToken, err = p.signIDToken(id, clientID); err != nil {
		return nil, err
	}
	response.ExpiresIn = uint64(p.cfg.AccessTokenLifetime.Seconds())
	response.State = "" // not a parameter of this answer
	if key != "" {
		response.TokenType = dpop.Scheme
		p.bindRefresh(response.RefreshToken, clientID, key)
	}

	p.issued(shared.TokenAccess, response.AccessToken)
	p.issued(shared.TokenRefresh, response.RefreshToken)
	p.issued(shared.TokenID, response.IDToken)
	return &response, nil
}

// sealAccess gives an access token the claims of RFC 9068 §2.2. The draft
// brought iss, sub, client_id, jti, scope.
func (p *Provider) sealAccess(draft, key string) (string, error) {
	claims, err := p.drafts.open(draft)
	if err != nil {
		return "", err
	}
	now := p.cfg.Now()
	claims["aud"] = p.cfg.Audience
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(p.cfg.AccessTokenLifetime).Unix()
	delete(claims, "nbf")
	if key != "" {
		claims["cnf"] = map[string]string{"jkt": key} // RFC 9449 §6.1
	}
	p.embellish(shared.TokenAccess, claims)
	return p.keys.sign(typeAccessToken, claims)
}

// signIDToken is where a fault reaches the ID token, and the only place.
func (p *Provider) signIDToken(claims map[string]any, clientID string) (string, error) {
	effect := p.gate.effect()
	if effect.claims != nil {
		effect.claims(claims, p.cfg.Now())
	}
	if effect.sign != nil {
		return effect.sign(p, claims, clientID)
	}
	return p.keys.sign(typeIDToken, claims)
}

func (p *Provider) embellish(kind string, claims map[string]any) {
	if p.cfg.Claims != nil {
		p.cfg.Claims(kind, claims)
	}
}

func (p *Provider) issued(kind, token string) {
	if p.cfg.OnIssue != nil && token != "" {
		p.cfg.OnIssue(kind, token)
	}
}
