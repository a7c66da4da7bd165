package session

import (
	"encoding/binary"
	"sync"
	"time"

	"cloakroom/bff/recent"
)

// opened remembers sessions that were opened a moment ago, so that a page that
// makes many calls costs two decryptions. It answers for nothing: the store is
// asked every time whether there is a session and at which version, and only
// what it still says is remembered. What nobody asks for is forgotten within a
// minute: plain tokens do not lie about for longer than they are in use.
//
// What is opened for the first time is not remembered yet: where calls are of
// ever other sessions none would be asked for again in time, and the collector
// would go through thousands of them in each of its cycles.
type opened struct {
	mu     sync.Mutex
	latest recent.Map[ID, open]
	once   [openedMost]uint32 // by a part of an ID another part of it: of those opened, the latest
}

// open is a session as it was found in a record, by a ring.
type open struct {
	mark    Mark
	ring    *[]ringKey
	session Session
}

const (
	openedMost = 4096
	openedTurn = 30 * time.Second
)

func newOpened(now func() time.Time) *opened {
	return &opened{latest: recent.Map[ID, open]{Most: openedMost, Turn: openedTurn, Now: now}}
}

// get returns the session of id as it was opened last, by that ring; its mark
// is zero when there is none. Whoever gets it must not alter what it points to.
func (o *opened) get(id ID, ring *[]ringKey) open {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, _ := o.latest.Get(id)
	if found.ring != ring {
		return open{}
	}
	return found
}

func (o *opened) put(id ID, found open) {
	o.mu.Lock()
	defer o.mu.Unlock()
	once, part := &o.once[binary.LittleEndian.Uint32(id[:])%openedMost], binary.LittleEndian.Uint32(id[4:])
	if *once != part {
		*once = part
		return
	}
	o.latest.Put(id, found)
}

func (o *opened) forget(id ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latest.Take(id)
}
