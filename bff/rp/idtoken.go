package rp

import (
	"context"
	"errors"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

const verbIDToken = "id token"

// verify accepts an ID token, or says why not. Two judges look at it and both
// must agree: go-oidc (form, algorithm, signature, issuer, audience, expiry),
// with every one of its checks on, and inspect. When go-oidc refuses, inspect's
// opinion only finds the name for it.
func (p *Provider) verify(
	ctx context.Context, provider *metadata, raw string, access secret.String, expect expectation,
) (claimSet, error) {
	claims, err := unverified(raw, provider.algorithms)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	keys := &witness{keys: provider.keys}
	token, err := oidc.NewVerifier(p.issuer, keys, &oidc.Config{
		ClientID:             p.clientID,
		SupportedSigningAlgs: names(provider.algorithms),
		// go-oidc has no leeway for exp. Its five minutes for nbf are cut down
		// to the configured ones by inspect.
		Now: func() time.Time { return expect.now.Add(-expect.skew) },
	}).Verify(ctx, raw)
	if err != nil {
		return nil, label(keys.err, expect.inspect(claims))
	}
	if refused := expect.inspect(claims); refused != nil {
		return nil, refused.error()
	}
	// OIDC Core §3.1.3.8. An at_hash that is there must fit, even an empty one.
	if _, ok := claims["at_hash"]; ok && token.VerifyAccessToken(access.Reveal()) != nil {
		return nil, (&refusal{problem.IDTokenClaims, "at_hash is not of the access token"}).error()
	}
	return claims, nil
}

// unverified reads the claims of raw without believing them. An ID token is a
// compact JWS (OIDC Core §2); go-oidc alone would take the JSON form too.
func unverified(raw string, algorithms []jose.SignatureAlgorithm) (claimSet, error) {
	var unexpected *jose.ErrUnexpectedSignatureAlgorithm
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	switch {
	case errors.As(err, &unexpected):
		return nil, (&refusal{problem.IDTokenAlgorithm,
			"signed with " + printable(string(unexpected.Got), 16)}).error()
	case err != nil:
		return nil, (&refusal{problem.IDTokenMalformed, "not a compact JWS"}).error()
	}
	claims := parseClaims(jws.UnsafePayloadWithoutVerification())
	if claims == nil {
		return nil, (&refusal{problem.IDTokenMalformed, "the payload is not a JSON object"}).error()
	}
	return claims, nil
}

// witness remembers what the keys said: go-oidc passes it on as text alone.
type witness struct {
	keys oidc.KeySet
	err  error
}

func (w *witness) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := w.keys.VerifySignature(ctx, jwt)
	w.err = err
	return payload, err
}

// label names why go-oidc refused. It has no way to say yes.
func label(keys error, refused *refusal) error {
	var unknown *keysError
	switch {
	case errors.As(keys, &unknown):
		return fail(unknown.code, verbIDToken, unknown)
	case keys != nil:
		return (&refusal{problem.IDTokenSignature, errNoKey.Error()}).error()
	case refused != nil:
		return refused.error()
	}
	return (&refusal{problem.IDTokenClaims, "a claim is not of its type"}).error()
}

func names(algorithms []jose.SignatureAlgorithm) []string {
	out := make([]string, len(algorithms))
	for i, a := range algorithms {
		out[i] = string(a)
	}
	return out
}
