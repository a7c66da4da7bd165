// Package idptest is for tests of whoever signs in at package idp: it starts a
// provider on a loopback port, and a test that cannot go on at its pages fails.
//
//	Start -> provider on 127.0.0.1
//	SignIn, Visit, Page.Submit: package person's
package idptest
