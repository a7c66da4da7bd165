// Package session keeps what the browser must not hold: the tokens, and who is
// signed in. The browser gets a ticket.
//
// It owns the ticket and its cookie, the key ring, the sealing of a session,
// the contract of a store, the lifetimes, and the Manager through which
// everyone else reads and changes a session. It never speaks HTTP beyond its
// cookie, never talks to a provider, and never hands a store anything it could
// read.
//
//	cookie -> Ticket (256 random bits)
//	            |-- SHA-256 --------------> ID      the store's key
//	            '-- HKDF with a ring key -> AEAD    opens the store's Data
//
// A dump of the store lacks the tickets, a stolen key ring lacks them too, and
// a stolen ticket lacks the store: each holds half a key.
package session
