package idp

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// authRequest is one authorization request on its way from /authorize to the
// token endpoint. It is passed by value: what op holds is a snapshot.
type authRequest struct {
	id          string
	clientID    string
	redirectURI string
	implicit    bool // answered with a token instead of a code
	state       string
	nonce       string
	challenge   string // S256; there is no request for a code without
	scopes      []string
	prompt      []string
	maxAge      *uint
	loginHint   string
	hinted      string // subject of id_token_hint

	browser   string // fingerprint of the browser it was opened in
	freshSID  string // the session that signed in for this very request
	consented bool   // said yes for this very request

	sid      string // the session it was answered for
	subject  string
	authTime time.Time
	codeKey  string // the code it was redeemed by
}

// needsLogin decides OIDC Core §3.1.2.1 `prompt`, `max_age` and `id_token_hint`
// for a browser with session s, which is nil when nobody is signed in.
func (r authRequest) needsLogin(s *session, now time.Time) bool {
	switch {
	case s == nil:
		return true
	case r.hinted != "" && r.hinted != s.subject:
		return true
	case r.freshSID == s.sid:
		return false
	case slices.Contains(r.prompt, oidc.PromptLogin), slices.Contains(r.prompt, oidc.PromptSelectAccount):
		return true
	}
	return r.maxAge != nil && now.Sub(s.authTime) > time.Duration(*r.maxAge)*time.Second
}

// needsConsent: granted are the scopes this user gave this client before.
func (r authRequest) needsConsent(granted []string) bool {
	if r.consented {
		return false
	}
	if slices.Contains(r.prompt, oidc.PromptConsent) {
		return true
	}
	return slices.ContainsFunc(r.scopes, func(scope string) bool { return !slices.Contains(granted, scope) })
}

func (r authRequest) silent() bool { return slices.Contains(r.prompt, oidc.PromptNone) }

var _ op.AuthRequest = (*authRequest)(nil)

func (r *authRequest) GetID() string          { return r.id }
func (r *authRequest) GetACR() string         { return "" }
func (r *authRequest) GetAMR() []string       { return []string{"pwd"} }
func (r *authRequest) GetAudience() []string  { return []string{r.clientID} }
func (r *authRequest) GetAuthTime() time.Time { return r.authTime }
func (r *authRequest) GetClientID() string    { return r.clientID }
func (r *authRequest) GetNonce() string       { return r.nonce }
func (r *authRequest) GetRedirectURI() string { return r.redirectURI }
func (r *authRequest) GetScopes() []string    { return r.scopes }
func (r *authRequest) GetState() string       { return r.state }
func (r *authRequest) GetSubject() string     { return r.subject }
func (r *authRequest) Done() bool             { return r.subject != "" }
func (r *authRequest) GetResponseType() oidc.ResponseType {
	if r.implicit {
		return responseToken
	}
	return oidc.ResponseTypeCode
}
func (r *authRequest) GetResponseMode() oidc.ResponseMode {
	if r.implicit {
		return oidc.ResponseModeFragment
	}
	return oidc.ResponseModeQuery
}
func (r *authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.challenge, Method: oidc.CodeChallengeMethodS256}
}
