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
// own world: same origin, same globals, same network rules. What has to be there
// before the application is (X5, X9) is delivered with it, as a library of its
// origin that was taken over. How a script gets in is not what is compared, and
// every strategy meets the very same one; but for X8, whose script is of another
// site, which a Content-Security-Policy is there to forbid. Against the policy's
// other half, which connections a page may make, a payload fights as any would:
// it sends by fetch, and if it may not, by a navigation, which no policy stops.
//
// A1 reads what lies about and changes nothing. A2 stays, and listens to what
// passes from then on. X5 was there first, and lies. So a token that a closure
// hides is out of reach of the first, and not of the others.
//
// Where the lab lends a hand, the evidence says so: it copies cookies out of the
// jar as malware would (X10, logout, and X7's raw requests), signs the victim in
// without a browser for what is to be tampered with, and gives a code to the
// attacker that the payload could not read (A3).
package attack
