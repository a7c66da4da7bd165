package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cloakroom/bff/demo/dpop"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// Schemes of the Authorization header: a token that is bound to a key comes
// under its own, with a proof (RFC 9449 §7.1).
const (
	schemeBearer = "Bearer"
	schemeProof  = dpop.Scheme
)

// authenticate returns the verified token of r. On failure it leaves the
// challenge in w's header (RFC 6750 §3).
func (a *API) authenticate(w http.ResponseWriter, r *http.Request, scopes []string) (*accessToken, error) {
	scheme, raw, err := credentials(r.Header, a.cfg.MaxToken)
	if err != nil {
		challenge := `Bearer realm="orders"`
		if len(r.Header.Values("Authorization")) > 0 {
			challenge += `, error="invalid_token"` // none when nothing was tried (RFC 6750 §3.1)
		}
		w.Header().Set("WWW-Authenticate", challenge)
		return nil, problem.New(problem.TokenInvalid, err)
	}
	token, err := a.verifier.verify(r.Context(), raw)
	if err == nil {
		err = a.prove(r, scheme, token)
	}
	switch {
	case problem.CodeOf(err) == problem.ProviderUnavailable && err != nil:
		return nil, err
	case err != nil:
		w.Header().Set("WWW-Authenticate", scheme+` realm="orders", error="invalid_token"`)
		return nil, problem.New(problem.TokenInvalid, err)
	}
	for _, scope := range scopes {
		if !slices.Contains(token.scopes, scope) {
			w.Header().Set("WWW-Authenticate", scheme+` realm="orders", error="insufficient_scope", scope="`+strings.Join(scopes, " ")+`"`)
			return nil, problem.New(problem.InsufficientScope, errors.New("api: the token lacks a scope"))
		}
	}
	return token, nil
}

// prove holds a token that is bound to a key to a proof of that key, for this
// request, and refuses it as a bearer token; and the other way round.
func (a *API) prove(r *http.Request, scheme string, token *accessToken) error {
	if (scheme == schemeProof) != (token.key != "") {
		return errors.New("api: the scheme is not that of the token")
	}
	if scheme == schemeBearer {
		return nil
	}
	key, err := a.proofs.Verify(r.Header, r.Method, a.cfg.Origin+r.URL.EscapedPath(), token.raw.Reveal())
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if key != token.key {
		return errors.New("api: the proof is of another key")
	}
	return nil
}

// credentials takes the token from the one Authorization header (RFC 6750
// §2.1). The other two ways of §2 put tokens into URLs and forms, and are not
// offered.
func credentials(h http.Header, longest int) (scheme string, token secret.String, err error) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", secret.String{}, errors.New("api: not exactly one Authorization header")
	}
	named, text, _ := strings.Cut(values[0], " ")
	for _, known := range []string{schemeBearer, schemeProof} {
		if strings.EqualFold(named, known) {
			scheme = known
		}
	}
	switch {
	case scheme == "":
		return "", secret.String{}, errors.New("api: the Authorization scheme is neither Bearer nor DPoP")
	case text == "" || strings.ContainsAny(text, " ,"):
		return "", secret.String{}, errors.New("api: the Authorization header holds not exactly one token")
	case len(text) > longest:
		return "", secret.String{}, errors.New("api: the token is too long")
	}
	return scheme, secret.New(text), nil
}
