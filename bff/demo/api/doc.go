// Package api is the demo's resource API: orders behind access tokens.
//
// It owns the check of every access token that reaches it (RFC 9068), the
// orders of each subject in memory, and endpoints that show what a proxy lets
// through. It knows nothing of cookies or sessions, believes no header but
// Authorization and DPoP, never sees a refresh or an ID token as proof of anything, and
// never repeats a token.
//
//	request -> token -> verify (issuer's keys) -> scope -> orders | debug
//	                 \__ 401, 403 with WWW-Authenticate (RFC 6750 §3)
package api
