// Package upstream carries requests to the upstreams, over HTTP/1.1 connections
// that it keeps.
//
// It owns the connections: one request at a time on each, written and read by
// whoever called, so that a call wakes nobody else. A connection is used again
// only if nothing can be left on it: neither a rest of an answer in a buffer nor
// a byte in the socket, for the next caller would get it as their own (RFC 9112
// §11.1). What may not be repeated is never sent twice.
//
// It reads answers with net/http's own parser, and leaves to net/http's
// transport what it does not speak: HTTP/2 and upgrades. It knows no proxy of
// the environment, follows no redirect, and unpacks nothing.
//
//	RoundTrip -> pool -> conn: head, body (in a goroutine) | 1xx, answer, body -> pool
package upstream
