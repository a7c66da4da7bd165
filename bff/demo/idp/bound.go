package idp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"cloakroom/bff/demo/dpop"
)

// proved is the key that a token request proves to have; empty: it proves none,
// and its client need not.
func (p *Provider) proved(h http.Header, clientID string) (key string, err error) {
	key, err = p.proofs.Verify(h, http.MethodPost, p.cfg.Issuer+pathToken, "")
	if errors.Is(err, dpop.ErrNone) && !p.clients[clientID].DPoP {
		return "", nil
	}
	if err != nil {
		return "", (&oidc.Error{ErrorType: "invalid_dpop_proof", Description: "a proof of possession is missing or not good"}).WithParent(err)
	}
	return key, nil
}

// checkBound: a refresh token that is bound to a key is good with it alone. A
// request without it is no second use, and ends nothing.
func (p *Provider) checkBound(token, key string) error {
	family, _, ok := parseRefreshToken(p.state.secretKey, token)
	if !ok {
		return nil // and refused for that
	}
	if g, ok := p.state.grant(family); ok && g.key != "" && g.key != key {
		return invalidGrant(errors.New("the refresh token is bound to another key"))
	}
	return nil
}

// bindRefresh binds those of public clients; others have proved themselves by
// their secret (RFC 9449 §5).
func (p *Provider) bindRefresh(token, clientID, key string) {
	if !p.clients[clientID].Public {
		return
	}
	if family, _, ok := parseRefreshToken(p.state.secretKey, token); ok {
		p.state.bind(family, key)
	}
}

// unlessBound stands before the userinfo endpoint, and lets a token through that
// is bound to a key only with a proof of it (RFC 9449 §7.1); what is behind
// knows bearer tokens alone, and checks them.
func (p *Provider) unlessBound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		bound := keyOf(token)
		if strings.EqualFold(scheme, dpop.Scheme) {
			key, err := p.proofs.Verify(r.Header, r.Method, p.cfg.Issuer+pathUserinfo, token)
			if err != nil || bound == "" || key != bound {
				refuseUnproved(w)
				return
			}
			r.Header.Set("Authorization", oidc.PrefixBearer+token)
		} else if bound != "" || keyOf(r.FormValue("access_token")) != "" {
			refuseUnproved(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuseUnproved(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", dpop.Scheme+` error="invalid_token", algs="ES256"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// keyOf is the thumbprint of the key that an access token says it is bound to.
// Whether the token is genuine, somebody else checks.
func keyOf(token string) string {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return ""
	}
	var claims struct {
		Confirmation struct {
			Key string `json:"jkt"`
		} `json:"cnf"`
	}
	if parsed.UnsafeClaimsWithoutVerification(&claims) != nil {
		return ""
	}
	return claims.Confirmation.Key
}
