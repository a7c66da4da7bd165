// Package person plays the person at the pages of package idp, by HTTP alone.
//
// It owns reading those pages. It never reaches into the provider: what it
// does, a browser could do.
//
//	SignIn: authorize -> login form -> consent form -> the callback URL, not visited
//	Visit, Page.Submit: the same, one page at a time
package person
