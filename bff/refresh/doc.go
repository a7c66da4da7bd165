// Package refresh decides when an access token is renewed, and sees to it that
// it is renewed once, however many calls and instances want it.
//
// It owns the moment (ahead of expiry, unseen by the user), the single flight
// within the process, the lease between processes, and what a refusal means. It
// never speaks the protocol: a Provider does; and it keeps nothing: the session
// does, the lease included.
//
//	fresh                 -> use the token
//	soon to expire        -> use the token, renew it meanwhile
//	as good as expired    -> wait for the renewal
//	refresh token is dead -> the session ends, here and now
//	provider is down      -> use the token while it lasts, then 503
//
// A renewal takes the lease of the session by compare-and-swap, asks, and keeps
// the result only if nobody else's was kept since: the version is the fence.
// Whoever finds the lease taken waits for the result. An instance that dies
// holding it delays the others by the lease, no more.
//
// A renewal that has begun runs to its end even when every caller is gone, and a
// result that the store does not take just now is offered again: a rotated
// refresh token that nobody stored would sign the user out.
package refresh
