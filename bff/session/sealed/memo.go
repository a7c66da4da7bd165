package sealed

import (
	"sync"
	"time"

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
	mu          sync.Mutex
	young, aged map[[32]byte]seen
}

const memoSize = 1 << 15

func (m *memo) get(hash [32]byte) (seen, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.young[hash]; ok {
		return s, true
	}
	s, ok := m.aged[hash]
	if ok {
		m.keep(hash, s)
	}
	return s, ok
}

func (m *memo) put(hash [32]byte, s seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(hash, s)
}

func (m *memo) keep(hash [32]byte, s seen) {
	if len(m.young) >= memoSize {
		m.young, m.aged = nil, m.young
	}
	if m.young == nil {
		m.young = map[[32]byte]seen{}
	}
	m.young[hash] = s
}
