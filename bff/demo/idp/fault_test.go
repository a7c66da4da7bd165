package idp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/demo/idp"
)

// A row per fault: how a client sees it. The good provider must not look like it.
var faults = map[idp.Fault]func(p *party) bool{
	idp.FaultIDTokenIssuer:   claimIs("iss", "https://idp.attacker.example"),
	idp.FaultIDTokenAudience: func(p *party) bool { return p.claims()["aud"].([]any)[0] == "another-client" },
	idp.FaultIDTokenAudienceExtra: func(p *party) bool {
		c := p.claims()
		return len(c["aud"].([]any)) == 2 && c["azp"] == "another-client"
	},
	idp.FaultIDTokenNonce:      claimIs("nonce", "nonce-of-another-sign-in"),
	idp.FaultIDTokenNoNonce:    claimIs("nonce", nil),
	idp.FaultIDTokenNoSubject:  claimIs("sub", nil),
	idp.FaultIDTokenSubject:    claimIs("sub", "user-mallory"),
	idp.FaultIDTokenNoIssuedAt: claimIs("iat", nil),
	idp.FaultIDTokenNoExpiry:   claimIs("exp", nil),
	idp.FaultIDTokenAtHash:     claimIs("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
	idp.FaultIDTokenExpired: func(p *party) bool {
		return p.claims()["exp"] == float64(p.clock.Now().Add(-time.Hour).Unix())
	},
	idp.FaultIDTokenFuture: func(p *party) bool {
		return p.claims()["iat"] == float64(p.clock.Now().Add(time.Hour).Unix())
	},

	idp.FaultIDTokenAlgNone: func(p *party) bool {
		id := p.alice().ID
		header, claims := peek(p.t, id)
		return header["alg"] == "none" && id[len(id)-1] == '.' && claims["nonce"] == "nonce-1"
	},
	idp.FaultIDTokenAlgHS256: func(p *party) bool { return p.verifiesHS256(p.alice().ID) },
	idp.FaultIDTokenAlgConfusion: func(p *party) bool {
		id := p.alice().ID
		header, claims := peek(p.t, id)
		return header["alg"] == "HS256" && header["kid"] == p.jwks().Keys[0].KeyID && claims["sub"] == "user-alice" && !p.verifiesHS256(id)
	},
	idp.FaultIDTokenSignature: func(p *party) bool {
		id := p.alice().ID
		header, _ := peek(p.t, id)
		_, _, err := p.verify(id)
		return err != nil && header["alg"] == "RS256" && header["kid"] == p.jwks().Keys[0].KeyID
	},
	idp.FaultIDTokenUnknownKey: func(p *party) bool {
		header, _ := peek(p.t, p.alice().ID)
		return header["alg"] == "RS256" && len(p.jwks().Key(header["kid"].(string))) == 0
	},
	idp.FaultIDTokenForgedKey: func(p *party) bool {
		id := p.alice().ID
		header, _ := peek(p.t, id)
		_, _, err := p.verify(id)
		return err != nil && len(p.jwks().Key(header["kid"].(string))) == 1
	},

	idp.FaultTokenSlow:         nil, // TestASlowTokenEndpointWaitsForItsRelease
	idp.FaultTokenError:        func(p *party) bool { return p.token().Status == http.StatusInternalServerError },
	idp.FaultTokenInvalidGrant: func(p *party) bool { return p.token().Error == "invalid_grant" },
	idp.FaultTokenInvalidJSON: func(p *party) bool {
		got := p.token()
		return got.Status == http.StatusOK && !json.Valid([]byte(got.Body))
	},
	idp.FaultTokenNoIDToken: func(p *party) bool {
		got := p.token()
		return got.Status == http.StatusOK && got.ID == "" && got.Access != ""
	},
	idp.FaultTokenNoAccessToken: func(p *party) bool {
		got := p.token()
		return got.Status == http.StatusOK && got.ID != "" && got.Access == ""
	},
	idp.FaultTokenAnswerLost: func(p *party) bool {
		_, err := p.try("/oauth/token", codeForm(p.code()))
		return err != nil && len(p.Families()) == 1 // done, and not heard of
	},
	idp.FaultDown: func(p *party) bool {
		_, err := p.try("/oauth/token", codeForm("x"))
		return err != nil
	},
	idp.FaultKeysDown: func(p *party) bool {
		response, err := http.Get(p.Issuer() + "/keys")
		if err != nil {
			p.t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode == http.StatusInternalServerError
	},
	idp.FaultDiscoveryIssuer: func(p *party) bool {
		var metadata struct{ Issuer string }
		p.getJSON("/.well-known/openid-configuration", &metadata)
		return metadata.Issuer == "https://idp.attacker.example"
	},

	idp.FaultAuthorizeDenied:   answerIs("error", "access_denied"),
	idp.FaultAuthorizeError:    answerIs("error", "server_error"),
	idp.FaultAuthorizeIssuer:   answerIs("iss", "https://idp.attacker.example"),
	idp.FaultAuthorizeNoIssuer: answerIs("iss", ""),
	idp.FaultAuthorizeState:    answerIs("state", "state-of-another-sign-in"),
}

func (p *party) code() string           { return p.signIn("alice", "wonderland", nil).Get("code") }
func (p *party) token() tokens          { return p.post("/oauth/token", codeForm(p.code())) }
func (p *party) claims() map[string]any { _, c := p.mustVerify(p.alice().ID); return c }

func (p *party) verifiesHS256(token string) bool {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return false
	}
	_, err = jws.Verify([]byte(clientSecret))
	return err == nil
}

func claimIs(name string, want any) func(*party) bool {
	return func(p *party) bool { return p.claims()[name] == want }
}

func answerIs(name, want string) func(*party) bool {
	return func(p *party) bool {
		params := p.signIn("alice", "wonderland", nil)
		return params.Get(name) == want && params.Has("code") != params.Has("error")
	}
}

func TestEveryFaultIsVisibleAndMends(t *testing.T) {
	for _, fault := range idp.Faults() {
		visible, listed := faults[fault]
		if !listed {
			t.Errorf("%s has no test", fault)
		}
		if visible == nil {
			continue
		}
		t.Run(string(fault), func(t *testing.T) {
			if p := newParty(t); visible(p) {
				t.Error("the good provider looks like this too")
			}
			p := newParty(t)
			p.SetFault(fault)
			if !visible(p) {
				t.Error("cannot be seen")
			}
			p.SetFault(idp.FaultNone)
			if got := p.alice(); got.ID == "" {
				t.Error("does not mend")
			}
		})
	}
}

func TestASlowTokenEndpointWaitsForItsRelease(t *testing.T) {
	p := newParty(t)
	unused := p.alice().Refresh
	code := p.code()
	p.SetFault(idp.FaultTokenSlow)

	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := p.tryFor(ctx, "/oauth/token", refreshForm(unused))
		gone <- err
	}()
	served := make(chan string, 1)
	go func() {
		response, err := p.try("/oauth/token", codeForm(code))
		if err != nil {
			served <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		served <- string(body)
	}()
	if err := p.WaitHeld(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-served:
		t.Fatalf("answered while held: %s", body)
	default:
	}
	leave()
	if err := <-gone; err == nil {
		t.Error("the caller that left got an answer")
	}
	if err := p.WaitHeld(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p.SetFault(idp.FaultNone)
	var got tokens
	if body := <-served; json.Unmarshal([]byte(body), &got) != nil || got.ID == "" {
		t.Errorf("after the release: %s", body)
	}

	if got := p.post("/oauth/token", refreshForm(unused)); got.Status != http.StatusOK {
		t.Errorf("the token of the caller that left was used up: %s", got.Body)
	}

	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WaitHeld(done, 1); err == nil {
		t.Error("WaitHeld did not end with its context")
	}
}

func TestAFaultMayEndByItself(t *testing.T) {
	p := newParty(t)
	token := p.alice().Refresh
	p.SetFaultTimes(idp.FaultTokenError, 2)
	p.jwks() // no token request
	for range 2 {
		if got := p.post("/oauth/token", refreshForm(token)); got.Status != http.StatusInternalServerError {
			t.Errorf("while it lasts: %d %s", got.Status, got.Body)
		}
	}
	if got := p.post("/oauth/token", refreshForm(token)); got.Status != http.StatusOK {
		t.Errorf("afterwards: %d %s", got.Status, got.Body)
	}
}

func TestAFaultLeavesAccessTokensAlone(t *testing.T) {
	p := newParty(t)
	p.SetFault(idp.FaultIDTokenSignature)
	p.mustVerify(p.alice().Access)
}

func TestAFaultReachesARefreshToo(t *testing.T) {
	p := newParty(t)
	good := p.alice()
	p.SetFault(idp.FaultIDTokenSubject)
	if _, claims := p.mustVerify(p.post("/oauth/token", refreshForm(good.Refresh)).ID); claims["sub"] != "user-mallory" {
		t.Errorf("sub %v", claims["sub"])
	}
}

func TestAnUnknownFaultPanics(t *testing.T) {
	p := newParty(t)
	defer func() {
		if recover() == nil {
			t.Error("it did not")
		}
	}()
	p.SetFault("no such fault")
}

func TestSignSignsWhatItIsGiven(t *testing.T) {
	p := newParty(t)
	token, err := p.Sign("logout+jwt", map[string]any{"sid": "x", "nonce": "forbidden"})
	if err != nil {
		t.Fatal(err)
	}
	typ, claims := p.mustVerify(token)
	if typ != "logout+jwt" || claims["nonce"] != "forbidden" {
		t.Errorf("%s %v", typ, claims)
	}
}
