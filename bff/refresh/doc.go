// Package refresh decides when an access token is renewed, and sees to it that
// it is renewed once.
//
// It owns the moment (ahead of expiry, unseen by the user), the single flight
// (all calls of a session that need the new token wait for the same request)
// and what a refusal means. It never speaks the protocol: a Provider does; and
// it keeps nothing: the session does.
//
//	fresh                 -> use the token
//	soon to expire        -> use the token, renew it meanwhile
//	as good as expired    -> wait for the renewal
//	refresh token is dead -> the session ends, here and now
//	provider is down      -> use the token while it lasts, then 503
//
// A renewal that has begun runs to its end even when every caller is gone: a
// rotated refresh token that nobody stored would sign the user out.
package refresh
