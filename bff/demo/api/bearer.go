package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// authenticate returns the verified token of r. On failure it leaves the
// challenge in w's header (RFC 6750 §3).
func (a *API) authenticate(w http.ResponseWriter, r *http.Request, scopes []string) (*accessToken, error) {
	raw, err := bearer(r.Header, a.cfg.MaxToken)
	if err != nil {
		challenge := `Bearer realm="orders"`
		if len(r.Header.Values("Authorization")) > 0 {
			challenge += `, error="invalid_token"` // none when nothing was tried (RFC 6750 §3.1)
		}
		w.Header().Set("WWW-Authenticate", challenge)
		return nil, problem.New(problem.TokenInvalid, err)
	}
	token, err := a.verifier.verify(r.Context(), raw)
	switch {
	case problem.CodeOf(err) == problem.ProviderUnavailable && err != nil:
		return nil, err
	case err != nil:
		w.Header().Set("WWW-Authenticate", `Bearer realm="orders", error="invalid_token"`)
		return nil, problem.New(problem.TokenInvalid, err)
	}
	for _, scope := range scopes {
		if !slices.Contains(token.scopes, scope) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="orders", error="insufficient_scope", scope="`+strings.Join(scopes, " ")+`"`)
			return nil, problem.New(problem.InsufficientScope, errors.New("api: the token lacks a scope"))
		}
	}
	return token, nil
}

// bearer takes the token from the one Authorization header (RFC 6750 §2.1).
// The other two ways of §2 put tokens into URLs and forms, and are not offered.
func bearer(h http.Header, longest int) (secret.String, error) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return secret.String{}, errors.New("api: not exactly one Authorization header")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return secret.String{}, errors.New("api: the Authorization scheme is not Bearer")
	case token == "" || strings.ContainsAny(token, " ,"):
		return secret.String{}, errors.New("api: the Authorization header holds not exactly one token")
	case len(token) > longest:
		return secret.String{}, errors.New("api: the token is too long")
	}
	return secret.New(token), nil
}
