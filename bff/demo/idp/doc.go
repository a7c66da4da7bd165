// Package idp is the demo's OpenID Provider: in process, in memory, on
// loopback only. The protocol is github.com/zitadel/oidc's; this package owns
// what a provider adds to it: users, pages, sessions, consent, keys, grants.
//
// It serves the authorization code flow with PKCE S256, to confidential clients
// and, if any are registered, to public ones, whose pages it then lets read; to
// clients that are InsecureImplicit the implicit grant, too; and nothing else:
// what server.go does not name does not exist. Tokens are bound to the key of a
// proof of possession that comes with their request (bound.go). It never extends
// a refresh token's life, never honours a token of an ended session, and never
// issues a token that is not a JWT its published keys verify, unless a test asks
// for one with SetFault.
//
//	/authorize -> rules (authorize.go) -> /interaction: sign in, consent -> code
//	/oauth/token -> op mints drafts -> seal (tokens.go): RFC 9068, clock, fault
//	/end_session -> session and grants end (logout.go) -> back-channel
//
// Refresh tokens are issued when offline_access was asked for and granted.
// Consent is remembered per user and client for as long as the process lives.
package idp
