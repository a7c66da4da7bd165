// Package login is the part of the BFF a browser talks to: the /bff endpoints
// that sign in, say who is there, and sign out.
//
// It owns the sign-in transaction (one short-lived Lax cookie per attempt, so
// that tabs do not disturb each other), the return address, and the order of
// steps at sign-in and sign-out. It never speaks OpenID itself: a Provider
// does; it never keeps a token: the session does; and it never checks where a
// request came from: bff/guard did.
//
//	/bff/login    -> transaction cookie -> provider
//	/bff/callback -> transaction checked -> tokens -> new session -> returnUrl
//	/bff/user     -> claims, when the session ends, how to sign out
//	/bff/inspect  -> what the server holds for the session, without the tokens
//	/bff/events   -> stays open, says when the session expires and that it ended
//	/bff/logout   -> session deleted -> tokens revoked -> provider -> signed-out
//	/bff/sessions -> the user's sessions, on every device, to look at and to end
//	/bff/backchannel -> the provider's logout token -> its sessions deleted
package login
