package rp

import (
	"crypto/subtle"
	"errors"
	"net/url"

	"cloakroom/shared/problem"
)

// maxCode bounds an authorization code. RFC 6749 §4.1.2 leaves its size open.
const maxCode = 4096

// code reads the authorization response (RFC 6749 §4.1.2, RFC 9207 §2). What it
// says counts for nothing until the state shows that this browser began the
// sign-in, nor until the issuer shows who answers.
func (p *Provider) code(provider *metadata, pending Pending, query url.Values) (string, error) {
	const verb = "callback"
	for _, values := range query {
		if len(values) != 1 { // RFC 6749 §3.1
			return "", fail(problem.ParameterDuplicated, verb, errors.New("a parameter came twice"))
		}
	}
	if !same(query.Get("state"), pending.State) || pending.Nonce == "" || pending.Verifier == "" {
		return "", fail(problem.LoginStateInvalid, verb, errors.New("the state is not of a pending sign-in"))
	}
	// RFC 9207 §2.4: another issuer's answer is a mix-up (BBA-65). Simple
	// string comparison, and an answer without the parameter is refused when
	// the provider says that it sends it.
	if query.Has("iss") || provider.sendsIssuer {
		if query.Get("iss") != p.issuer {
			return "", fail(problem.ProviderIssuer, verb, errors.New("iss is missing or names another issuer"))
		}
	}
	if query.Has("error") {
		return "", authorizationError(query, pending)
	}
	code := query.Get("code")
	if code == "" || len(code) > maxCode {
		return "", fail(problem.ParameterInvalid, verb, errors.New("code is missing, empty or too long"))
	}
	return code, nil
}

// same compares in constant time; an empty value is never the same as another.
func same(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// authorizationError names the error response (RFC 6749 §4.1.2.1, OIDC Core
// §3.1.2.6).
func authorizationError(query url.Values, pending Pending) error {
	code := problem.ProviderError
	switch query.Get("error") {
	case "access_denied":
		code = problem.LoginDenied
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		// Somebody would have to do something. Nobody was to be asked, or the
		// provider should have asked.
		code = problem.LoginDenied
		if pending.Silent {
			code = problem.LoginNotSilent
		}
	case "temporarily_unavailable":
		code = problem.ProviderUnavailable
	}
	return fail(code, "callback", said(query.Get("error"), query.Get("error_description"),
		pending.State, pending.Nonce, pending.Verifier, query.Get("code")))
}
