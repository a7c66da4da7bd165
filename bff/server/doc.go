// Package server puts the house together: it is the only place where the
// packages of the BFF meet.
//
// It owns the list of routes with the guard each declares, the listeners, the
// order of starting and stopping, and the small adapters between packages that
// do not know each other. It decides nothing about a request itself.
//
//	listener -> access log -> headers -> path -> host -> mux
//	    -> guard (of the route) -> session -> refresh -> proxy -> upstream
//	                            '-> login -> relying party -> provider
//	                            '-> spa
package server
