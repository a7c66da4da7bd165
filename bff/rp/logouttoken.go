package rp

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"cloakroom/shared/problem"
)

// LogoutToken says whose sessions at this client are over: those of the
// provider's session SID or, when it names none, all of Subject. ID is unique;
// a token that comes twice before Expires is a replay, which is for the caller
// to see.
type LogoutToken struct {
	Issuer, Subject, SID, ID string
	IssuedAt, Expires        time.Time
}

const (
	verbLogout = "logout token"
	// logoutEvent is the member of `events` that makes a JWT a logout token
	// (OIDC Back-Channel Logout 1.0 §2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutAge is how long ago a logout token may have been made. Providers
	// try again for a while, but two minutes is what §4 gives them.
	maxLogoutAge   = 5 * time.Minute
	maxLogoutToken = 16 << 10 // bytes
)

// VerifyLogoutToken judges what a provider, or anybody, sent to the
// back-channel endpoint (OIDC Back-Channel Logout 1.0 §2.6). Whatever is wrong
// with it is problem.LogoutTokenInvalid; problem.ProviderUnavailable says that
// it could not be judged for want of the provider's keys.
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string) (LogoutToken, error) {
	provider, err := p.metadata()
	if err != nil {
		return LogoutToken{}, fail(problem.ProviderUnavailable, verbLogout, err)
	}
	claims, err := unverifiedLogout(raw, provider.algorithms)
	if err != nil {
		return LogoutToken{}, fail(problem.LogoutTokenInvalid, verbLogout, err)
	}
	expect := p.expect("", false)
	// Ours before the signature: what no signature could mend costs no fetch.
	if refused := expect.inspectLogout(claims); refused != nil {
		return LogoutToken{}, fail(problem.LogoutTokenInvalid, verbLogout, errors.New(refused.reason))
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	keys := &witness{keys: provider.keys}
	_, err = oidc.NewVerifier(p.issuer, keys, &oidc.Config{
		ClientID: p.clientID, SupportedSigningAlgs: names(provider.algorithms),
		Now: func() time.Time { return expect.now.Add(-expect.skew) },
	}).Verify(ctx, raw)
	switch {
	case errors.Is(keys.err, errKeys):
		return LogoutToken{}, fail(problem.ProviderUnavailable, verbLogout, keys.err)
	case keys.err != nil:
		return LogoutToken{}, fail(problem.LogoutTokenInvalid, verbLogout, errNoKey)
	case err != nil:
		return LogoutToken{}, fail(problem.LogoutTokenInvalid, verbLogout, errors.New("a claim is not of its type"))
	}
	return p.logoutToken(claims), nil
}

// logoutToken is made of claims that were verified.
func (p *Provider) logoutToken(claims claimSet) LogoutToken {
	token := LogoutToken{Issuer: p.issuer}
	token.Subject, _ = claims.text("sub")
	token.SID, _ = claims.text("sid")
	token.ID, _ = claims.text("jti")
	token.IssuedAt, _ = claims.date("iat")
	token.Expires, _ = claims.date("exp")
	return token
}

// unverifiedLogout reads the claims of raw without believing them. Its type
// must not be another one (RFC 8725 §3.11); providers older than that say JWT,
// or nothing (§2.4).
func unverifiedLogout(raw string, algorithms []jose.SignatureAlgorithm) (claimSet, error) {
	if len(raw) > maxLogoutToken {
		return nil, errors.New("too long")
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, errors.New("not a compact JWS with an algorithm the provider uses")
	}
	if typ, present := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType]; present {
		text, _ := typ.(string)
		switch strings.TrimPrefix(strings.ToLower(text), "application/") { // RFC 7515 §4.1.9
		case "logout+jwt", "jwt":
		default:
			return nil, errors.New("typ is of another kind of token")
		}
	}
	claims := parseClaims(jws.UnsafePayloadWithoutVerification())
	if claims == nil {
		return nil, errors.New("the payload is not a JSON object")
	}
	return claims, nil
}

// inspectLogout goes through the claims from the top and returns the first
// thing that is wrong (OIDC Back-Channel Logout 1.0 §2.4, §2.6).
func (e expectation) inspectLogout(c claimSet) *refusal {
	for _, check := range []func(claimSet) *refusal{
		e.checkIssuer, e.checkAudience, e.checkTimes, e.checkRecent, checkID, checkEvent, checkWhom,
	} {
		if refused := check(c); refused != nil {
			return refused
		}
	}
	return nil
}

// checkRecent bounds how long a token that was seen once must be remembered.
// That iat and exp are there, the latter since errata set 1, checkTimes saw to.
func (e expectation) checkRecent(c claimSet) *refusal {
	if issued, _ := c.date("iat"); issued.Before(e.now.Add(-maxLogoutAge - e.skew)) {
		return &refusal{problem.LogoutTokenInvalid, "iat is too long ago"}
	}
	return nil
}

func checkID(c claimSet) *refusal {
	if id, _ := c.text("jti"); id == "" || len(id) > maxSubject {
		return &refusal{problem.LogoutTokenInvalid, "jti is missing or too long"}
	}
	return nil
}

// checkEvent: it is a logout token, and could not be an ID token.
func checkEvent(c claimSet) *refusal {
	var events map[string]json.RawMessage
	var event map[string]json.RawMessage
	if json.Unmarshal(c["events"], &events) != nil || json.Unmarshal(events[logoutEvent], &event) != nil || event == nil {
		return &refusal{problem.LogoutTokenInvalid, "events does not say logout"}
	}
	if _, present := c["nonce"]; present {
		return &refusal{problem.LogoutTokenInvalid, "nonce must not be there"}
	}
	return nil
}

// checkWhom: one of sub and sid is there, and whichever is, is a name.
func checkWhom(c claimSet) *refusal {
	names := slices.DeleteFunc([]string{"sub", "sid"}, func(name string) bool { _, present := c[name]; return !present })
	if len(names) == 0 {
		return &refusal{problem.LogoutTokenInvalid, "neither sub nor sid is there"}
	}
	for _, name := range names {
		if text, _ := c.text(name); text == "" || len(text) > maxSubject {
			return &refusal{problem.LogoutTokenInvalid, name + " is empty, too long or not a text"}
		}
	}
	return nil
}
