package sealed

import (
	"crypto/sha256"
	"sync"
	"time"

	"cloakroom/bff/recent"
	"cloakroom/bff/session"
)

// stamp marks a state of a session.
type stamp struct {
	refreshes int
	lastSeen  int64 // Unix seconds
}

func stampOf(s *session.Session) stamp { return stamp{s.Refreshes, s.LastSeen.Unix()} }

// seen is what is known of a set of cookies that was opened. It has no pointers,
// so that the collector passes over all that is remembered.
type seen struct {
	ticket session.Ticket
	id     session.ID // the ticket's
	stamp  stamp
	turn   session.Turn  // of the ring that opened it: once a key has gone, it need not any more
	asked  time.Duration // by the jar's clock, when it was last made sure that the session had not ended
}

// memo remembers the cookies that were opened, by their hash: opening costs a
// hundred times as much. It holds the latest memoSize to twice that many, 200 bytes
// each.
type memo struct {
	mu     sync.Mutex
	latest recent.Map[[sha256.Size]byte, seen]
}

const memoSize = 1 << 15

func newMemo() *memo {
	return &memo{latest: recent.Map[[sha256.Size]byte, seen]{Most: memoSize}}
}

func (m *memo) get(hash [sha256.Size]byte) (seen, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest.Get(hash)
}

func (m *memo) put(hash [sha256.Size]byte, s seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest.Put(hash, s)
}
