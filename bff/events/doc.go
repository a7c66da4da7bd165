// Package events tells whoever waits for it that a session is ending or has
// ended, on whichever instance it did: the tabs of its user, and the streams
// that were opened with its token.
//
// It owns the list of the sessions that are watched here, and when each is
// looked at. It never holds a ticket, so it cannot open a session: it asks the
// store whether the record is there and until when. It ends nothing itself, and
// a store that does not answer is no ending.
//
//	this instance ended it     -> Ended    -> told at once
//	the store says it changed  -> Changed  -> read -> gone? told : noted
//	its end comes near, passes            -> read -> prolonged? noted : told
//	once in a while, unasked              -> read, for what nobody said
//
// However many wait, there is one loop, one read a session, and a bound on how
// many reads run and how many a second nobody asked for.
package events
