// Package strategy is the lab's world: one victim application per strategy of
// keeping a session or a token, an OpenID Provider, and an API, on one port of
// loopback.
//
// It owns the pages of the applications that hold tokens, each a few lines of
// plain script or, for one, a Go program, and a small token-mediating backend.
// It runs the others' servers as anybody would: Cloakroom is an address, reached
// over HTTP, and configured by a file. It never looks inside what is judged, and
// judges nothing.
//
//	<id>.lab.localhost  -> page with the tokens, mediator, or proxy in front of Cloakroom
//	idp.lab.localhost   -> OpenID Provider (package idp)
//	api.lab.localhost   -> API (package api), open to the pages with tokens
//
// All are of one site, as applications of one company often are. So the
// provider's Lax cookie comes along in a hidden frame; with a provider on
// another site only a window would bring it, now that Chromium withholds
// cookies from frames of other sites. The pages have no
// Content-Security-Policy: what is compared is where tokens are kept.
package strategy
