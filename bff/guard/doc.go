// Package guard decides which requests may go on, by how they were made.
//
// It owns the CSRF layers that look at a request (Fetch Metadata, Origin, the
// static header), the Host check, the one reading of a path, the reading of
// query parameters and return addresses, and the security headers of every
// answer. Every route declares a Kind; a route without one is refused.
//
// It never looks at a session, never sets a cookie, and never approves a
// preflight. The decisions are pure; the wrappers only carry them out.
//
//	Headers -> Paths -> Hosts -> mux -> Handler(kind) -> session -> ...
package guard
