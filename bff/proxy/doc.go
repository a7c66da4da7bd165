// Package proxy forwards API calls of signed-in pages to the listed upstreams,
// with the access token in the place of the session cookie (BBA-7, BBA-16).
//
// It owns the route table, what a request must lose and gain on its way out,
// and what an answer must lose on its way back. What is not listed is not
// forwarded. It streams both ways, follows no redirect and caches nothing.
//
// A WebSocket or a stream ends with the session it was opened with, and a token
// that is bound to a key is sent with a proof (RFC 9449).
//
// It never checks for CSRF (bff/guard), never finds a session (its TokenSource
// does), never logs a token, a query or a body.
//
//	mux -> route -> method -> path -> token -> exchange -> upstream
package proxy
