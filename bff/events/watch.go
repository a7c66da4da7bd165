package events

import (
	"container/heap"
	"time"

	"cloakroom/bff/session"
)

// Event is what a Watch is told.
type Event struct {
	// Ended says that the session is over. It is the last event. An event that
	// does not say so is the warning that it expires.
	Ended bool
	// ExpiresIn is how long the session lasts unless it is used.
	ExpiresIn time.Duration
}

// Watch is somebody who waits for the end of a session.
type Watch struct {
	hub    *Hub
	id     session.ID
	events chan Event // nil when there is an onEnd
	onEnd  func()
}

// Watch begins to wait for the end of a session. One that is over already is
// told so too: the record is read once when a session begins to be watched, so
// what happens between a caller's own reading and this call is not missed.
//
// While the hub drains, the channel of the Watch is closed already.
func (h *Hub) Watch(id session.ID) *Watch {
	// Room for a warning and the end: the hub never waits.
	w := &Watch{hub: h, id: id, events: make(chan Event, 2)}
	h.add(w)
	return w
}

// OnEnd calls f in a goroutine of its own once the session ends, or has ended
// already. It is Watch for those who only want to know that; draining does not
// reach them. stop ends the waiting; f may run all the same if it was about to.
func (h *Hub) OnEnd(id session.ID, f func()) (stop func()) {
	w := &Watch{hub: h, id: id, onEnd: f}
	h.add(w)
	return w.Close
}

func (h *Hub) add(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining && w.events != nil {
		close(w.events)
		return
	}
	s, ok := h.sessions[w.id]
	if !ok {
		s = &watched{id: w.id, watches: map[*Watch]struct{}{}, due: time.Now()}
		h.sessions[w.id] = s
		heap.Push(&h.queue, s)
		h.rouse()
	}
	s.watches[w] = struct{}{}
	if left := time.Until(s.expires); s.warned && left > 0 {
		w.warn(left) // the others know
	}
}

// Events returns the channel of what happens. It is closed after the end of the
// session, or without one when the hub drains.
func (w *Watch) Events() <-chan Event { return w.events }

// Close ends the waiting. The channel stays as it is.
func (w *Watch) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	s, ok := w.hub.sessions[w.id]
	if !ok {
		return
	}
	delete(s.watches, w)
	if len(s.watches) == 0 {
		w.hub.forget(s)
	}
}

// Drain closes the channel of every Watch, and of all that come: who waited here
// can wait at another instance. What waits by OnEnd goes on.
func (h *Hub) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	for _, s := range h.sessions {
		for w := range s.watches {
			if w.events != nil {
				close(w.events)
				delete(s.watches, w)
			}
		}
		if len(s.watches) == 0 {
			h.forget(s)
		}
	}
}

// warn and end are called by the hub under its lock.

func (w *Watch) warn(left time.Duration) {
	if w.events != nil && len(w.events) == 0 { // one that was not heard yet says enough
		w.events <- Event{ExpiresIn: left}
	}
}

func (w *Watch) end() {
	if w.onEnd != nil {
		go w.onEnd()
		return
	}
	w.events <- Event{Ended: true}
	close(w.events)
}
