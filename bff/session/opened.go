package session

import (
	"encoding/binary"
	"sync"
	"time"
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
	now func() time.Time

	mu         sync.Mutex
	young, old map[ID]open // of two turns, at most openedMost each
	turned     time.Time
	once       [openedMost]uint32 // by a part of an ID another part of it: of those opened, the latest
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

func newOpened(now func() time.Time) *opened { return &opened{now: now, young: map[ID]open{}} }

// get returns the session of id as it was opened last, by that ring; its mark
// is zero when there is none. Whoever gets it must not alter what it points to.
func (o *opened) get(id ID, ring *[]ringKey) open {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn()
	found, young := o.young[id]
	if !young {
		var old bool
		if found, old = o.old[id]; old {
			o.young[id] = found
		}
	}
	if found.ring != ring {
		return open{}
	}
	return found
}

func (o *opened) put(id ID, found open) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn()
	once, part := &o.once[binary.LittleEndian.Uint32(id[:])%openedMost], binary.LittleEndian.Uint32(id[4:])
	if *once != part {
		*once = part
		return
	}
	o.young[id] = found
}

func (o *opened) forget(id ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.young, id)
	delete(o.old, id)
}

// turn drops what was not asked for in the turn before, when this one is over.
func (o *opened) turn() {
	now := o.now()
	passed := now.Sub(o.turned)
	switch {
	case passed >= 2*openedTurn || passed < 0:
		o.young, o.old, o.turned = map[ID]open{}, nil, now
	case passed >= openedTurn || len(o.young) >= openedMost:
		o.young, o.old, o.turned = make(map[ID]open, len(o.young)/2), o.young, now
	}
}
