// Package balancer is a load balancer small enough to be looked into: it stands
// in front of instances of one application and says where each request went.
//
// It owns the choice of an instance, health, draining and retries, and the end
// of TLS. It reads two cookies, its own and the application's session cookie,
// and of the latter it keeps a SHA-256 only. It never looks at a path or a
// body, keeps nothing on disk, and is no match for what people deploy: those
// are in bff/deploy.
//
//	request -> choose (policy, cookies, health) -> instance -> answer
//	             ^             |                      |
//	             +--- again, on another one, if nothing left, or a read broke
//	/readyz of each instance, every second -> health
//
// A request goes to another instance if it never left, because no connection
// could be made, or if its method is safe and the connection broke instead of
// an answer; never when a part of its body was sent.
package balancer
