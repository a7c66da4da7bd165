// Package rp is the OpenID relying party: it sends a browser to the provider,
// turns the answer into an identity and tokens, and renews and revokes them.
//
// It owns discovery, the code flow with PKCE, the judgement on ID tokens, and
// the code that every failure carries. It never sees a cookie, keeps no
// session, stores no token, and parses or verifies no JOSE of its own: go-jose
// and go-oidc do.
//
//	New -> Run (discover, back off, refresh hourly)
//	Begin     -> redirect + Pending{state, nonce, verifier}
//	Redeem    -> query (callback.go) -> code for tokens (token.go)
//	             -> ID token: go-oidc decides, inspect.go adds and labels
//	             -> Identity (claims.go)
//	Refresh   -> token.go -> ID token again when one comes (OIDC Core §12.2)
//	Revoke    -> RFC 7009        EndSessionURL -> RP-Initiated Logout 1.0
//
// Every error is a *problem.Error. A deadline is provider_timeout; a refused or
// reset connection, DNS and TLS are provider_unavailable; an answer that is an
// error, 5xx included, is provider_error. No error text holds a token, a code,
// a secret or a body: what a provider says is scrubbed and cut (fault.go).
package rp
