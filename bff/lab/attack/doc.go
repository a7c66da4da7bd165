// Package attack attacks the victims of package strategy, in a real browser,
// and keeps what it saw as evidence.
//
// It owns the payloads, the attacker (an origin of its own with a collector,
// and an HTTP client outside the browser), and the order of events. It decides
// nothing: package report judges the evidence.
//
//	sign in -> payload in the victim's page -> collector -> attacker's client -> API
//	                                                              Evidence -> report.Judge
//
// Payloads enter the page by the browser's debugger, as script in the page's
// own world: same origin, same globals, same network rules. How a script gets
// in (a stolen dependency, an extension, a hole in the page) is not what is
// compared, and every strategy meets the very same script; a hole in the page
// itself would be closed on some by a Content-Security-Policy that says
// nothing about where tokens are kept. Against the policy's other half, which
// connections a page may make, a payload fights as any would: it sends by
// fetch, and if it may not, by a navigation, which no policy stops.
package attack
