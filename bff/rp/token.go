package rp

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// Tokens is what a token response gave. AccessExpires is zero when the provider
// did not say; then only a refusal by the API tells. RefreshExpires is zero
// likewise. Key is the private key they are bound to, for Proof; empty when
// whoever holds them may use them.
type Tokens struct {
	Access, Refresh, ID           secret.String
	AccessExpires, RefreshExpires time.Time
	Scopes                        []string
	Key                           secret.String
}

// maxScopes bounds how many scopes of a token response are kept.
const maxScopes = 100

// exchange sends the code and the verifier to the token endpoint (RFC 6749
// §4.1.3, RFC 7636 §4.5, RFC 8707 §2.2).
func (p *Provider) exchange(ctx context.Context, provider *metadata, code, verifier string, key secret.String) (tokenResponse, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.redirectURL}, "code_verifier": {verifier},
	}
	if len(p.resource) > 0 {
		form["resource"] = p.resource
	}
	got, err := p.post(ctx, provider, "redeem", provider.tokenURL, form, key)
	if err != nil {
		return tokenResponse{}, err
	}
	if got.refuses() {
		refused := p.endpointError("redeem", got, code, verifier)
		if got.refusesGrant() {
			// The code was used before, or is too old: a callback that came twice, as
			// when what answered it first broke off. The browser begins anew.
			refused = problem.New(problem.LoginStateInvalid, refused)
		}
		return tokenResponse{}, refused
	}
	return parseTokens("redeem", got)
}

// refuses reports whether a is an error, also where a provider says so with
// status 200.
func (a answer) refuses() bool { return a.status != http.StatusOK || a.complaint().Error != "" }

// refusesGrant reports whether what was shown is not, or no longer, good
// (invalid_grant, RFC 6749 §5.2). A provider in trouble (5xx) may say anything.
func (a answer) refusesGrant() bool {
	return a.complaint().Error == "invalid_grant" && a.status < http.StatusInternalServerError
}

// tokenResponse is a token response as it came (RFC 6749 §5.1, OIDC Core
// §3.1.3.3).
type tokenResponse struct {
	Access  string          `json:"access_token"`
	Type    string          `json:"token_type"`
	Refresh string          `json:"refresh_token"`
	Expires json.RawMessage `json:"expires_in"`
	Scope   any             `json:"scope"`
	ID      any             `json:"id_token"`
	// Two names for what no standard names: Keycloak's, and everybody else's.
	RefreshExpires      json.RawMessage `json:"refresh_expires_in"`
	RefreshTokenExpires json.RawMessage `json:"refresh_token_expires_in"`
}

func parseTokens(verb string, a answer) (tokenResponse, error) {
	var r tokenResponse
	if json.Unmarshal(a.body, &r) != nil || r.Access == "" {
		return tokenResponse{}, fail(problem.TokenResponse, verb, errors.New("not a token response"))
	}
	return r, nil
}

// tokens checks a token response. asked is when the request left: counting from
// there never takes a token for longer lived than it is. scopes are those asked
// for. With a key the tokens must be bound to it, and without one they must not
// be bound at all: a provider that ignores the proof is a downgrade (RFC 9449
// §5). The ID token is not part of it: nobody has checked it yet.
func tokens(verb string, r tokenResponse, asked time.Time, scopes []string, key secret.String) (Tokens, error) {
	want := "Bearer"
	if !key.Empty() {
		want = "DPoP"
	}
	lifetime, said, err := seconds(r.Expires)
	var invalid error
	switch {
	case !strings.EqualFold(r.Type, want):
		invalid = errors.New("token_type is not " + want)
	case !isVisible(r.Access, '!'):
		invalid = errors.New("access_token has characters no token has")
	case !isVisible(r.Refresh, ' '):
		invalid = errors.New("refresh_token has characters no token has")
	case err != nil || lifetime < 0:
		invalid = errors.New("expires_in is not a number of seconds")
	}
	if invalid != nil {
		return Tokens{}, fail(problem.TokenResponse, verb, invalid)
	}
	out := Tokens{Access: secret.New(r.Access), Refresh: secret.New(r.Refresh), Scopes: slices.Clone(scopes), Key: key}
	if said {
		out.AccessExpires = asked.Add(lifetime)
	}
	for _, raw := range []json.RawMessage{r.RefreshExpires, r.RefreshTokenExpires} {
		// 0 is Keycloak's way to say that a refresh token does not expire.
		if lifetime, _, err := seconds(raw); err == nil && lifetime > 0 {
			out.RefreshExpires = asked.Add(lifetime)
		}
	}
	if granted, ok := r.Scope.(string); ok { // absent: as asked for (RFC 6749 §5.1)
		fields := strings.Fields(granted)
		out.Scopes = fields[:min(len(fields), maxScopes)]
	}
	return out, nil
}

// seconds reads a number of seconds, which some providers put in quotes, and
// whether there is one.
func seconds(raw json.RawMessage) (d time.Duration, said bool, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, false, nil
	}
	var number json.Number
	if err := json.Unmarshal(raw, &number); err != nil {
		return 0, false, err
	}
	n, err := number.Float64()
	if err != nil {
		return 0, false, err
	}
	return time.Duration(max(-1, min(n, math.MaxInt32))) * time.Second, true, nil
}

// isVisible reports whether all of s is ASCII from lowest to ~ (RFC 6749 §A.12,
// §A.17). An access token has no space: it becomes part of a header.
func isVisible(s string, lowest byte) bool {
	for _, c := range []byte(s) {
		if c < lowest || c > '~' {
			return false
		}
	}
	return true
}
