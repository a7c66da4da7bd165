package rp

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"cloakroom/shared/problem"
)

// addUserInfo asks the provider for more about who signed in and adds it to
// claims, for the SPA to see (OIDC Core §5.3). What the ID token says stays: it
// is signed.
func (p *Provider) addUserInfo(ctx context.Context, provider *metadata, held Tokens, claims claimSet) (claimSet, error) {
	const verb = "userinfo"
	got, err := p.getUserInfo(ctx, provider, verb, held)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, p.endpointError(verb, got, held.Access.Reveal())
	}
	more := parseClaims(got.body)
	subject, _ := claims.text("sub")
	// OIDC Core §5.3.2: without this check an access token of somebody else
	// would do.
	if about, _ := more.text("sub"); about != subject {
		return nil, fail(problem.UserInfoInvalid, verb, errors.New("sub is missing or not the ID token's"))
	}
	for name := range more {
		if isIDTokens(name) {
			delete(more, name)
		}
	}
	maps.Copy(more, claims)
	return more, nil
}

// isIDTokens tells what only the signed ID token may say.
func isIDTokens(name string) bool {
	switch name {
	case "sid", "auth_time", "acr", "amr":
		return true
	}
	return false
}

func (p *Provider) getUserInfo(ctx context.Context, provider *metadata, verb string, held Tokens) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	scheme := "Bearer " // RFC 6750 §2.1
	if !held.Key.Empty() {
		scheme = "DPoP " // RFC 9449 §7.1
	}
	once := func() (answer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, provider.userInfoURL, nil)
		if err != nil {
			return answer{}, fail(problem.Internal, verb, errors.New("the request cannot be made"))
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", scheme+held.Access.Reveal())
		return p.do(verb, req, held.Key, held.Access)
	}
	got, err := once()
	if err == nil && !held.Key.Empty() && got.wantsNonce() { // RFC 9449 §9
		got, err = once()
	}
	return got, err
}
