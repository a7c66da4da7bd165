package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"cloakroom/bff/secret"
)

// leeway is how far the issuer's clock may be off.
const leeway = 5 * time.Second

// algorithms that may sign a token: asymmetric ones only, whatever the token
// says of itself (RFC 8725 §3.1).
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// accessToken is a token that passed.
type accessToken struct {
	raw      secret.String
	subject  string
	audience []string
	scopes   []string
	expires  time.Time
	key      string // thumbprint of the one it is bound to (RFC 9449 §6.1); empty: a bearer token
}

// claims of an access token (RFC 9068 §2.2).
type claims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	// Confirmation other than by a key that can be proved here would be ignored
	// here: checkClaims refuses it.
	Confirmation map[string]string `json:"cnf"`
}

// confirmedKey is the one way of confirmation that is known here.
const confirmedKey = "jkt"

// verifier checks access tokens.
type verifier struct {
	issuer, audience string
	now              func() time.Time
	keys             *keySource
}

func newVerifier(cfg Config) *verifier {
	return &verifier{issuer: cfg.Issuer, audience: cfg.Audience, now: cfg.Now, keys: newKeySource(cfg)}
}

// verify checks raw in the order of RFC 9068 §4. No error repeats the token.
func (v *verifier) verify(ctx context.Context, raw secret.String) (*accessToken, error) {
	token, err := jwt.ParseSigned(raw.Reveal(), algorithms())
	if err != nil {
		return nil, fmt.Errorf("api: parse token: %w", err)
	}
	header := token.Headers[0] // the compact form has one
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if !isAccessTokenType(typ) {
		return nil, errors.New("api: the token is not of type at+jwt")
	}
	if header.KeyID == "" {
		return nil, errors.New("api: the token names no key")
	}
	keys, err := v.keys.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	var c claims
	if err := claimsBy(token, keys, &c); err != nil {
		return nil, err
	}
	if err := v.checkClaims(c); err != nil {
		return nil, err
	}
	return &accessToken{
		raw: raw, subject: c.Subject, audience: c.Audience, scopes: strings.Fields(c.Scope), expires: c.Expiry.Time(),
		key: c.Confirmation[confirmedKey],
	}, nil
}

// isAccessTokenType keeps ID tokens and every other JWT of the issuer out
// (RFC 9068 §4; RFC 7515 §4.1.9 on the shortened media type).
func isAccessTokenType(typ string) bool {
	typ = strings.ToLower(typ)
	return typ == "at+jwt" || typ == "application/at+jwt"
}

// claimsBy reads the claims with the first key that made the signature. Only
// the issuer's keys are tried, never one the token brings.
func claimsBy(token *jwt.JSONWebToken, keys []jose.JSONWebKey, c *claims) error {
	var err error
	for _, key := range keys {
		if err = token.Claims(key.Key, c); err == nil {
			return nil
		}
	}
	return fmt.Errorf("api: verify signature: %w", err)
}

func (v *verifier) checkClaims(c claims) error {
	// RFC 9068 §2.2: all of these are required. An expiry that is absent would
	// otherwise pass for one that never comes.
	if c.Expiry == nil || c.IssuedAt == nil || c.Subject == "" || c.ID == "" || c.ClientID == "" {
		return errors.New("api: the token lacks a required claim")
	}
	if c.Confirmation != nil && (len(c.Confirmation) != 1 || c.Confirmation[confirmedKey] == "") {
		return errors.New("api: the token is confirmed in a way that is not known")
	}
	if c.Issuer != v.issuer {
		return errors.New("api: the token is of another issuer")
	}
	if !c.Audience.Contains(v.audience) {
		return errors.New("api: the token is for another audience")
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Time: v.now()}, leeway); err != nil {
		return fmt.Errorf("api: check times: %w", err)
	}
	return nil
}
