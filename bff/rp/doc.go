// Package rp is the OpenID relying party: it sends a browser to the provider,
// turns the answer into an identity and tokens, renews and revokes them, and
// judges logout tokens.
//
// It owns discovery, the code flow with PKCE, pushed requests, client
// authentication, proofs of possession, the judgement on what the provider
// signed, and the code that every failure carries. It never sees a cookie, keeps
// no session, stores no token, and parses or verifies no JOSE of its own:
// go-jose and go-oidc do.
//
//	New -> Run (discover, back off, refresh hourly)
//	Begin     -> authrequest.go -> par.go -> redirect + Pending
//	Redeem    -> query (callback.go) -> code for tokens (token.go)
//	             -> ID token: go-oidc decides, inspect.go adds and labels
//	             -> userinfo.go -> Identity (claims.go)
//	Refresh   -> token.go -> ID token again when one comes (OIDC Core §12.2)
//	Revoke    -> RFC 7009        EndSessionURL -> RP-Initiated Logout 1.0
//	VerifyLogoutToken -> OIDC Back-Channel Logout 1.0 §2.6
//	endpoint.go: every POST, with clientauth.go and dpop.go; keys.go: the JWKS
//
// Every error is a *problem.Error. A deadline is provider_timeout; a refused or
// reset connection, DNS and TLS are provider_unavailable; an answer that is an
// error, 5xx included, is provider_error. No error text holds a token, a code,
// a secret or a body: what a provider says is scrubbed and cut (fault.go).
package rp
