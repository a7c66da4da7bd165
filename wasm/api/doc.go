// Package api is the typed client of the BFF for a single-page application in
// Go and WebAssembly.
//
// It owns the calls an SPA makes (who is there, what is held, which sessions
// there are, the demo's orders), what the BFF says unasked, which all tabs of a
// browser hear over one connection, and the error that tells "signed out" from
// "down" from "offline". It never sees a token or a cookie: the browser attaches
// the cookie, the BFF the token. It never navigates and imports no UI framework,
// so it serves another SPA as it is and is tested natively.
//
//	page -> Client -> fetch (same origin, X-CSRF: 1) -> BFF
//	                     |
//	                     +-> value, or *Error carrying the problem document
//
//	BFF -> stream -> the one tab that holds the lock -> channel -> every tab: heard
//
// Signing in and out are top-level navigations, not calls: send the browser to
// LoginURL(path) or to User.LogoutURL.
package api
