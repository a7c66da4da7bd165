// Package sealed keeps sessions in the browser itself, sealed into cookies: no
// store to run, and any instance with the key ring can open them.
//
// It owns the four formats, the splitting of a session over numbered cookies
// and its budget, and the copies of what was opened once. It never trusts a
// cookie for being well-formed: what no key of the ring sealed is no session.
//
//	cookies -> the connection's last? -> known by hash? -> opened, copied
//
// However they are known, the copy must be there and its times not over, and the
// ring that opened them in use.
//
//	securecookie  AES-256-CTR + HMAC-SHA-256 of the encoded session (gorilla/securecookie)
//	jws           HS256 of a JSON session: unforgeable, and readable by whoever has it
//	jwe           dir + A256GCM of the encoded session
//	nested        jws inside jwe
//
// What this home cannot give: a session that ended can be replayed by whoever
// copied the cookie before, until the session's deadline, on every instance that
// did not see it end (a denylist in a shared store closes that); one renewal
// holds within a process only; nobody can list a user's sessions; and the provider
// cannot end one, unless there is a denylist.
package sealed
