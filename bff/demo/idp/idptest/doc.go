// Package idptest is for tests of whoever signs in at package idp: it starts a
// provider on a loopback port and plays the person at its pages, by HTTP alone.
//
// It owns reading those pages. It never reaches into the provider: what it
// does, a browser could do.
//
//	Start -> provider on 127.0.0.1
//	SignIn: authorize -> login form -> consent form -> the callback URL, not visited
//	Visit, Page.Submit: the same, one page at a time
package idptest
