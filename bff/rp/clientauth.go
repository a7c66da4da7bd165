package rp

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How the client authenticates at the provider's endpoints (OIDC Core §9).
const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authKey   = "private_key_jwt"
)

// assertionLife is how long a client assertion is good for: the time of one
// request, and what the clocks may differ.
const assertionLife = time.Minute

// assertionType says that the assertion is a JWT (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate adds to form, or to header, what proves that this client asks.
func (p *Provider) authenticate(provider *metadata, header http.Header, form url.Values) error {
	switch p.clientAuth {
	case authBasic: // RFC 6749 §2.3.1: both are encoded first
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(p.clientID), url.QueryEscape(p.clientSecret.Reveal()))
	case authPost:
		form.Set("client_id", p.clientID)
		form.Set("client_secret", p.clientSecret.Reveal())
	case authKey:
		assertion, err := p.assertion(provider)
		if err != nil {
			return err
		}
		form.Set("client_id", p.clientID)
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	}
	return nil
}

// assertion is a JWT that this client signed, for one request (RFC 7523 §3).
// Its audience is the issuer and nothing else: an assertion for an endpoint
// could be played on by whoever gets a client to believe in that endpoint
// (draft-ietf-oauth-rfc7523bis §4, FAPI 2.0 §5.3.3.1).
func (p *Provider) assertion(provider *metadata) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if p.clientKeyID != "" {
		options.WithHeader("kid", p.clientKeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.assertionAlgorithm(provider), Key: p.clientKey.Private}, options)
	if err != nil {
		return "", errors.New("the client's key cannot sign")
	}
	now := p.now()
	return sign(signer, map[string]any{
		"iss": p.clientID, "sub": p.clientID, "aud": p.issuer, "jti": random(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
}

// assertionAlgorithm is the strongest that the provider lists. An RSA key at a
// provider that lists nothing signs with RS256, which everybody knows.
func (p *Provider) assertionAlgorithm(provider *metadata) jose.SignatureAlgorithm {
	able := p.clientKey.Algorithms
	for _, algorithm := range able {
		if slices.Contains(provider.assertionAlgorithms, string(algorithm)) {
			return algorithm
		}
	}
	return able[len(able)-1]
}

// signsWithOneOf reports whether the client's key can sign with one of listed.
func (p *Provider) signsWithOneOf(listed []string) bool {
	return slices.ContainsFunc(p.clientKey.Algorithms, func(a jose.SignatureAlgorithm) bool {
		return slices.Contains(listed, string(a))
	})
}

func sign(signer jose.Signer, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", errors.New("signing failed")
	}
	return jws.CompactSerialize()
}
