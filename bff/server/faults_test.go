package server_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// world is the demo as it is delivered, and all it gave out and wrote down.
type world struct {
	*server.Demo
	log    *logBook
	issued *issued
}

// openDemo runs the demo until the test ends. Faults hold from before the BFF
// first speaks to the provider.
func openDemo(t testing.TB, fault idp.Fault, o server.DemoOptions) *world {
	t.Helper()
	w := &world{log: newLogBook(), issued: &issued{}}
	o.Listen, o.Log, o.OnIssue = "127.0.0.1:0", w.log.logger(), w.issued.add
	demo, err := server.OpenDemo(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Demo = demo
	demo.IDP.SetFault(fault)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- demo.Run(ctx, nil) }()
	t.Cleanup(func() {
		demo.IDP.SetFault(idp.FaultNone) // lets go of what the drain would wait for
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	if fault == idp.FaultNone {
		w.log.await(t, `"msg":"provider discovered`)
	} else {
		w.log.await(t, `"msg":"provider discover`)
	}
	return w
}

// timeout is short only where the provider keeps the BFF waiting for it.
func timeout(fault idp.Fault) time.Duration {
	if fault == idp.FaultTokenSlow {
		return time.Second
	}
	return 0
}

// noLeak fails if any token, code or ticket was written to the log, or is in
// one of the answers.
func (w *world) noLeak(t testing.TB, answers ...answer) {
	t.Helper()
	if _, leaked := w.issued.in(w.log.String()); leaked != "" {
		t.Errorf("the log contains %q", leaked)
	}
	for _, a := range answers {
		if _, leaked := w.issued.in(a.body); leaked != "" {
			t.Errorf("an answer contains %q", leaked)
		}
	}
}

// signInFaults says how a sign-in ends under each fault. Every fault has a row,
// and a code of its own where the cause is one of its own.
var signInFaults = map[idp.Fault]problem.Code{
	idp.FaultIDTokenIssuer:        problem.IDTokenIssuer,
	idp.FaultIDTokenAudience:      problem.IDTokenAudience,
	idp.FaultIDTokenAudienceExtra: problem.IDTokenAudience,
	idp.FaultIDTokenNonce:         problem.IDTokenNonce,
	idp.FaultIDTokenNoNonce:       problem.IDTokenNonce,
	idp.FaultIDTokenExpired:       problem.IDTokenExpired,
	idp.FaultIDTokenFuture:        problem.IDTokenExpired,
	idp.FaultIDTokenNoSubject:     problem.IDTokenClaims,
	idp.FaultIDTokenSubject:       "", // a first sign-in cannot know whose subject is right: only the API tells
	idp.FaultIDTokenNoIssuedAt:    problem.IDTokenClaims,
	idp.FaultIDTokenNoExpiry:      problem.IDTokenClaims,
	idp.FaultIDTokenAtHash:        problem.IDTokenClaims,
	idp.FaultIDTokenAlgNone:       problem.IDTokenAlgorithm,
	idp.FaultIDTokenAlgHS256:      problem.IDTokenAlgorithm,
	idp.FaultIDTokenAlgConfusion:  problem.IDTokenAlgorithm,
	idp.FaultIDTokenSignature:     problem.IDTokenSignature,
	idp.FaultIDTokenUnknownKey:    problem.IDTokenSignature,
	idp.FaultIDTokenForgedKey:     problem.IDTokenSignature,
	idp.FaultTokenSlow:            problem.ProviderTimeout,
	idp.FaultTokenError:           problem.ProviderError,
	idp.FaultTokenInvalidJSON:     problem.TokenResponse,
	idp.FaultTokenNoIDToken:       problem.TokenResponse,
	idp.FaultTokenNoAccessToken:   problem.TokenResponse,
	idp.FaultTokenInvalidGrant:    problem.LoginStateInvalid,
	idp.FaultTokenAnswerLost:      problem.ProviderUnavailable,
	idp.FaultDown:                 problem.ProviderUnavailable,
	idp.FaultKeysDown:             problem.ProviderError,
	idp.FaultDiscoveryIssuer:      "", // found out before: the metadata in use stay
	idp.FaultAuthorizeDenied:      problem.LoginDenied,
	idp.FaultAuthorizeError:       problem.ProviderError,
	idp.FaultAuthorizeIssuer:      problem.ProviderIssuer,
	idp.FaultAuthorizeNoIssuer:    problem.ProviderIssuer,
	idp.FaultAuthorizeState:       problem.LoginStateInvalid,
}

// beforeTheRedirect are the faults that must be there when the provider
// answers the browser; the others come to bear when the code is redeemed.
var beforeTheRedirect = []idp.Fault{
	idp.FaultAuthorizeDenied, idp.FaultAuthorizeError, idp.FaultAuthorizeIssuer, idp.FaultAuthorizeNoIssuer, idp.FaultAuthorizeState,
}

func TestAFaultyProviderSignsNobodyIn(t *testing.T) {
	for _, fault := range idp.Faults() {
		want, listed := signInFaults[fault]
		if !listed {
			t.Errorf("%s has no row", fault)
		}
		t.Run(string(fault), func(t *testing.T) {
			w := openDemo(t, idp.FaultNone, server.DemoOptions{ProviderTimeout: timeout(fault)})
			v := newVisitor(t, w.Origin)
			if slices.Contains(beforeTheRedirect, fault) {
				w.IDP.SetFault(fault)
			}
			callback := v.begin(t)
			w.IDP.SetFault(fault)
			got := v.visit(t, callback)

			if want == "" {
				if got.StatusCode != http.StatusSeeOther {
					t.Errorf("the sign-in ended with %d: %s", got.StatusCode, got.body)
				}
				return
			}
			if code := got.pageCode(); code != want || got.StatusCode != problem.Kinds[want].Status {
				t.Errorf("the page says %d %s, want %d %s: %s", got.StatusCode, code, problem.Kinds[want].Status, want, got.body)
			}
			if v.ticket(t) != "" {
				t.Error("there is a session cookie")
			}
			v.mustBe(t, http.StatusUnauthorized)
			w.noLeak(t, got)

			w.IDP.SetFault(idp.FaultNone)
			v.signIn(t)
			w.noLeak(t)
		})
	}
}

func TestAProviderOfAnotherNameIsNotUsed(t *testing.T) {
	w := openDemo(t, idp.FaultDiscoveryIssuer, server.DemoOptions{})
	v := newVisitor(t, w.Origin)
	got := v.visit(t, w.Origin+shared.PathLogin)
	if got.StatusCode != http.StatusBadGateway || got.pageCode() != problem.ProviderIssuer {
		t.Errorf("%d %s, want 502 %s", got.StatusCode, got.pageCode(), problem.ProviderIssuer)
	}
	// Nothing else depends on the provider.
	if got := v.visit(t, w.Origin+"/"); got.StatusCode != http.StatusOK {
		t.Errorf("the application answers %d while the provider is wrong", got.StatusCode)
	}
	v.mustBe(t, http.StatusUnauthorized)
	w.IDP.SetFault(idp.FaultNone)
	w.log.await(t, "provider discovered")
	v.signIn(t)
}

func TestAProviderThatIsDownAtStartDelaysSignInAndNothingElse(t *testing.T) {
	w := openDemo(t, idp.FaultDown, server.DemoOptions{})
	v := newVisitor(t, w.Origin)
	got := v.visit(t, w.Origin+shared.PathLogin)
	if got.StatusCode != http.StatusServiceUnavailable || got.pageCode() != problem.ProviderUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s (Retry-After %q), want 503 %s", got.StatusCode, got.pageCode(), got.Header.Get("Retry-After"), problem.ProviderUnavailable)
	}
	if len(got.Cookies()) > 0 {
		t.Errorf("a sign-in that never began left %v", got.Cookies())
	}
	if got := v.visit(t, w.Origin+"/"); got.StatusCode != http.StatusOK {
		t.Errorf("the application answers %d while the provider is down", got.StatusCode)
	}
	w.IDP.SetFault(idp.FaultNone)
	w.log.await(t, "provider discovered")
	v.signIn(t)
}

func TestACallbackAnswersOnce(t *testing.T) {
	w := openDemo(t, idp.FaultNone, server.DemoOptions{})
	v := newVisitor(t, w.Origin)
	callback := v.begin(t)
	if got := v.visit(t, callback); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.StatusCode, got.body)
	}
	ticket, spent := v.ticket(t), w.IDP.Requests(idp.GrantCode)
	if got := v.visit(t, callback); got.pageCode() != problem.LoginStateInvalid || len(got.Header.Values("Set-Cookie")) > 0 {
		t.Errorf("the second visit: %d %s %v", got.StatusCode, got.pageCode(), got.Header.Values("Set-Cookie"))
	}
	if v.ticket(t) != ticket {
		t.Error("the ticket changed")
	}
	if got := w.IDP.Requests(idp.GrantCode); got != spent {
		t.Errorf("%d token requests, %d before: a spent sign-in must not ask again", got, spent)
	}
	v.mustBe(t, http.StatusOK)
}
