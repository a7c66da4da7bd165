package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// A row is what a fault of the provider does to a session whose access token
// has run out: which code the call is answered with, and whether the session
// lives when the provider is well again.
var refreshFaults = map[idp.Fault]struct {
	code  problem.Code // empty: the call succeeds
	after fate
}{
	idp.FaultTokenInvalidGrant: {problem.SessionEnded, ended}, // BBA-9

	// The provider did nothing: the refresh token is as good as before.
	idp.FaultTokenError: {problem.ProviderError, lives},
	idp.FaultDown:       {problem.ProviderUnavailable, lives},
	idp.FaultTokenSlow:  {problem.ProviderTimeout, lives},

	// The provider rotated, and what it sent could not be taken. The old
	// refresh token is spent, so the next attempt is a replay that the
	// provider answers with the end of the grant (RFC 9700 §4.14.2).
	idp.FaultTokenInvalidJSON:   {problem.TokenResponse, lives}, // this one answers without doing anything
	idp.FaultTokenAnswerLost:    {problem.ProviderUnavailable, replay},
	idp.FaultTokenNoAccessToken: {problem.TokenResponse, replay},

	// A renewed ID token may be missing (OIDC Core §12.2); a false one may not be taken.
	idp.FaultTokenNoIDToken:       {"", lives},
	idp.FaultIDTokenSubject:       {problem.IDTokenClaims, replay},
	idp.FaultIDTokenIssuer:        {problem.IDTokenIssuer, replay},
	idp.FaultIDTokenAudience:      {problem.IDTokenAudience, replay},
	idp.FaultIDTokenAudienceExtra: {problem.IDTokenAudience, replay},
	idp.FaultIDTokenSignature:     {problem.IDTokenSignature, replay},
	idp.FaultIDTokenForgedKey:     {problem.IDTokenSignature, replay},
	idp.FaultIDTokenAlgNone:       {problem.IDTokenAlgorithm, replay},
	idp.FaultIDTokenAlgHS256:      {problem.IDTokenAlgorithm, replay},
	idp.FaultIDTokenAlgConfusion:  {problem.IDTokenAlgorithm, replay},
	idp.FaultIDTokenExpired:       {problem.IDTokenExpired, replay},
	idp.FaultIDTokenNonce:         {problem.IDTokenNonce, replay},

	// The key set is cached since the sign-in.
	idp.FaultKeysDown: {"", lives},
}

type fate int

const (
	lives  fate = iota // calls succeed again
	ended              // gone with the answer itself
	replay             // gone with the next attempt, which may be the same call
)

func TestWhatAFaultyProviderDoesToASessionThatIsUnderWay(t *testing.T) {
	for fault, want := range refreshFaults {
		t.Run(string(fault), func(t *testing.T) {
			// One second: every call of this session wants a renewal.
			w := openDemo(t, idp.FaultNone, server.DemoOptions{AccessTokenLifetime: time.Second, ProviderTimeout: timeout(fault)})
			v := newVisitor(t, w.Origin)
			v.signIn(t)
			if got := v.call(t, http.MethodGet, "/api/orders"); got.StatusCode != http.StatusOK { // the API has its keys now
				t.Fatalf("%d: %s", got.StatusCode, got.body)
			}
			w.IDP.SetFault(fault)
			got := v.callUntilRenewalCounts(t)

			switch code := got.code(); {
			case want.after == replay && code == problem.SessionEnded:
				// The first attempt was made while the old token lasted: this is the next.
			case code != want.code || code != "" && got.StatusCode != problem.Kinds[code].Status:
				t.Errorf("the call: %d %s, want %s: %s", got.StatusCode, code, want.code, got.body)
			}
			if want.code != "" && want.code != problem.SessionEnded {
				w.log.await(t, `"cause":"`+string(want.code)+`: `)
			}
			if got.Header.Get("Set-Cookie") != "" {
				t.Error("the answer touches the cookie: one that comes late would take a new session's") // "not there" is not "down"
			}
			w.noLeak(t, got)
			switch want.after {
			case ended:
				if !strings.Contains(got.body, `"login_url":"`+shared.PathLogin+`"`) {
					t.Errorf("the answer does not say where to sign in: %s", got.body)
				}
				v.mustBe(t, http.StatusUnauthorized)
			case lives:
				v.mustBe(t, http.StatusOK)
			}

			w.IDP.SetFault(idp.FaultNone)
			got = v.call(t, http.MethodGet, "/api/orders")
			switch {
			case want.after == lives && got.StatusCode != http.StatusOK:
				t.Errorf("the session did not live on: %d %s", got.StatusCode, got.body)
			case want.after != lives && got.StatusCode != http.StatusUnauthorized:
				t.Errorf("a session whose refresh token is spent: %d %s", got.StatusCode, got.body)
			case want.after != lives:
				v.mustBe(t, http.StatusUnauthorized)
			}
			v.signIn(t) // whatever happened, it heals
			w.noLeak(t)
		})
	}
}

// callUntilRenewalCounts calls the API again and again until the answer depends
// on the provider: while the token lasts, a renewal that fails is not noticed.
func (v *visitor) callUntilRenewalCounts(t *testing.T) answer {
	t.Helper()
	before := v.refreshes(t)
	deadline := time.After(patience)
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for {
		got := v.call(t, http.MethodGet, "/api/orders")
		if got.StatusCode != http.StatusOK || v.refreshes(t) > before {
			return got
		}
		select {
		case <-pace.C:
		case <-deadline:
			t.Fatal("no renewal counted")
		}
	}
}

// refreshes is how often the visitor's tokens were renewed.
func (v *visitor) refreshes(t *testing.T) int {
	t.Helper()
	var holdings shared.Holdings
	if got := v.call(t, http.MethodGet, shared.PathInspect); json.Unmarshal([]byte(got.body), &holdings) != nil {
		t.Fatalf("inspect: %d %s", got.StatusCode, got.body)
	}
	return holdings.Session.Refreshes
}
