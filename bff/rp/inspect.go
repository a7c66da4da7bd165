package rp

import (
	"errors"
	"slices"
	"strings"
	"time"

	"cloakroom/shared/problem"
)

// refusal is what is wrong with an ID token. reason is written here, never by
// the provider.
type refusal struct {
	code   problem.Code
	reason string
}

func (r *refusal) error() error { return fail(r.code, verbIDToken, errors.New(r.reason)) }

// expectation is what an ID token must say (OIDC Core §3.1.3.7).
type expectation struct {
	issuer, clientID string
	nonce            string
	nonceRequired    bool
	first            claimSet  // of the ID token from the sign-in; nil at the sign-in
	proved           time.Time // when the user must have proved who they are, or later; zero: any time
	acr              []string  // ways of signing in that will do; none: any
	now              time.Time
	skew             time.Duration
}

func (p *Provider) expect(nonce string, required bool) expectation {
	return expectation{
		issuer: p.issuer, clientID: p.clientID, nonce: nonce, nonceRequired: required, now: p.now(), skew: p.skew,
	}
}

// expectSignIn adds what the sign-in asked for.
func (p *Provider) expectSignIn(pending Pending) (expectation, error) {
	e := p.expect(pending.Nonce, true)
	e.acr = strings.Fields(pending.ACRValues)
	if pending.MaxAge != "" {
		age, err := parseMaxAge(pending.MaxAge)
		if err != nil {
			return expectation{}, fail(problem.LoginStateInvalid, "callback", err)
		}
		e.proved = e.now.Add(-age - e.skew)
	}
	return e, nil
}

// inspect goes through the claims from the top and returns the first thing that
// is wrong; nil when it has nothing to object.
func (e expectation) inspect(c claimSet) *refusal {
	for _, check := range []func(claimSet) *refusal{
		e.checkIssuer, e.checkAudience, e.checkTimes, e.checkSubject, e.checkNonce, e.checkFirst, e.checkStrength,
	} {
		if refused := check(c); refused != nil {
			return refused
		}
	}
	return nil
}

// Google says who it is with and without the scheme; go-oidc allows that to
// Google alone, and so does this.
const googleIssuer, googleBare = "https://accounts.google.com", "accounts.google.com"

func (e expectation) checkIssuer(c claimSet) *refusal {
	issuer, _ := c.text("iss")
	if issuer != e.issuer && !(e.issuer == googleIssuer && issuer == googleBare) {
		return &refusal{problem.IDTokenIssuer, "iss is missing or another issuer"}
	}
	return nil
}

// checkAudience: an ID token for several must name this client as the one that
// asked for it (OIDC Core §3.1.3.7, 3 to 5).
func (e expectation) checkAudience(c claimSet) *refusal {
	audience, ok := c.texts("aud")
	if !ok || !slices.Contains(audience, e.clientID) {
		return &refusal{problem.IDTokenAudience, "aud is missing or does not name this client"}
	}
	azp, _ := c.text("azp")
	if _, present := c["azp"]; (present || len(audience) > 1) && azp != e.clientID {
		return &refusal{problem.IDTokenAudience, "azp is missing or another client"}
	}
	return nil
}

func (e expectation) checkTimes(c claimSet) *refusal {
	expires, ok := c.date("exp")
	if !ok {
		return &refusal{problem.IDTokenClaims, "exp is missing or not a date"}
	}
	if expires.Before(e.now.Add(-e.skew)) {
		return &refusal{problem.IDTokenExpired, "exp has passed"}
	}
	latest := e.now.Add(e.skew)
	if _, present := c["nbf"]; present {
		switch notBefore, ok := c.date("nbf"); {
		case !ok:
			return &refusal{problem.IDTokenClaims, "nbf is not a date"}
		case notBefore.After(latest):
			return &refusal{problem.IDTokenExpired, "nbf is still to come"}
		}
	}
	switch issued, ok := c.date("iat"); {
	case !ok:
		return &refusal{problem.IDTokenClaims, "iat is missing or not a date"}
	case issued.After(latest):
		return &refusal{problem.IDTokenExpired, "iat is still to come"}
	case issued.After(expires):
		return &refusal{problem.IDTokenClaims, "iat is after exp"}
	}
	if _, present := c["auth_time"]; present {
		if signedIn, ok := c.date("auth_time"); !ok || signedIn.After(latest) {
			return &refusal{problem.IDTokenClaims, "auth_time is not a date of the past"}
		}
	}
	return nil
}

// maxSubject is the length OIDC Core §2 gives a subject.
const maxSubject = 255

func (e expectation) checkSubject(c claimSet) *refusal {
	if subject, _ := c.text("sub"); subject == "" || len(subject) > maxSubject {
		return &refusal{problem.IDTokenClaims, "sub is missing or too long"}
	}
	return nil
}

func (e expectation) checkNonce(c claimSet) *refusal {
	nonce, _ := c.text("nonce")
	if _, present := c["nonce"]; (present || e.nonceRequired) && !same(nonce, e.nonce) {
		return &refusal{problem.IDTokenNonce, "nonce is missing or of another sign-in"}
	}
	return nil
}

// checkFirst: a renewed ID token speaks of the same user, to the same clients
// (OIDC Core §12.2).
func (e expectation) checkFirst(c claimSet) *refusal {
	if e.first == nil {
		return nil
	}
	subject, _ := c.text("sub")
	if first, _ := e.first.text("sub"); subject != first {
		return &refusal{problem.IDTokenClaims, "sub is not the one that signed in"}
	}
	issuer, _ := c.text("iss")
	if first, _ := e.first.text("iss"); issuer != first {
		return &refusal{problem.IDTokenIssuer, "iss is not the one of the sign-in"}
	}
	azp, _ := c.text("azp")
	if first, _ := e.first.text("azp"); azp != first {
		return &refusal{problem.IDTokenAudience, "azp is not the one of the sign-in"}
	}
	audience, _ := c.texts("aud")
	first, _ := e.first.texts("aud")
	slices.Sort(audience)
	slices.Sort(first)
	if !slices.Equal(audience, first) {
		return &refusal{problem.IDTokenAudience, "aud is not the one of the sign-in"}
	}
	return nil
}

// checkStrength: the user proved who they are as recently and as well as was
// asked for (OIDC Core §3.1.3.7, 12 and 13; RFC 9470 §6). The provider has to
// say when, once asked (OIDC Core §2).
func (e expectation) checkStrength(c claimSet) *refusal {
	if !e.proved.IsZero() {
		switch proved, ok := c.date("auth_time"); {
		case !ok:
			return &refusal{problem.IDTokenClaims, "auth_time is missing though max_age was asked for"}
		case proved.Before(e.proved):
			return &refusal{problem.LoginTooWeak, "auth_time is longer ago than was asked for"}
		}
	}
	if acr, _ := c.text("acr"); len(e.acr) > 0 && !slices.Contains(e.acr, acr) {
		return &refusal{problem.LoginTooWeak, "acr is none of those asked for"}
	}
	return nil
}
