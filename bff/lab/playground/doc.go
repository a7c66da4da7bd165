// Package playground lets a person play with a topology in their own browser:
// start one, have things happen to it, and see what becomes of their session.
//
// It owns the one topology that runs, the API that controls it, the host at which
// it is reached, and the words for what happened. What it says, it saw: requests
// as the balancer passed them on, processes as the topology has them, counters as
// the servers show them. It keeps nothing, has one topology at a time, and ends it
// when nobody played for a while.
//
//	home, the demo's origin ---(lab.PathPlay)--> Control
//	the topology's origin   ---(lab.PathPlay)--> guard -> Control
//	                        ---(all else)------> the balancer -> cloakroom serve, N times
//
// Control answers whether there is an instance that can answer or not. It sees the
// session cookie and keeps a fingerprint of it.
package playground
