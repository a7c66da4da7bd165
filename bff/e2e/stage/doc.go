// Package stage puts the whole demo and a real Chromium on a stage, for tests.
//
// It owns one running server.Demo per Stage (application, provider, API), the
// list of every token and code the provider issued, the server's whole log;
// and per Browser a fresh profile, a tap on the wire that keeps every byte of
// every exchange, and what the pages wrote to the console. It never looks
// inside what it judges, never touches a network but loopback, and never
// waits without a condition and a deadline.
//
//	Stage.Browser -> Chromium -> tap -> server.Demo -> OnIssue, log
//	                    |         |
//	                 console   Exchanges -> Search(needles) -> Finding
//
// A page that logs an error, throws, or breaks its Content-Security-Policy
// fails the test at its end, unless the test forgave it; so does a server that
// does not drain.
package stage
