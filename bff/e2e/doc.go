// Package e2e holds the tests that run the whole demo in a real browser. They
// are a module of their own, so that whoever builds on Cloakroom does not get
// a browser driver along with it.
//
// They look at what a person and an attacker can see: pages, cookies, bytes on
// the wire. Package stage sets up what they need; program shots takes pictures
// of every page for people to look at.
package e2e
