// Package live runs the lab's attacks in the user's own browser, while they
// look on.
//
// It owns the control API of the page that looks on, and the tab of the victim:
// a page of the lab's world loads a script, the agent, which does what a driver
// does elsewhere. Payloads, attacker and judge are those of package attack. It
// judges nothing, keeps nothing, listens on loopback, and has one run at a time.
//
//	the page that looks on --(/api/lab/)--> Lab --> attack.Cell --> a lab.Cell
//	the victim's tab: agent.js <--(orders, as events)-- tab, an attack.Browser
//	                           --(results)-->
//
// What a script of a page is sent to do is a script of the page's own origin,
// so that a Content-Security-Policy has the say it has over one that was
// smuggled in there. Signing in is left to the person. What a page cannot do,
// reading the profile on the disk or the jar, a Lab does not do either.
package live
