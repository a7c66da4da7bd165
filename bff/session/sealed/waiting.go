package sealed

import (
	"errors"
	"sync"
	"time"

	"cloakroom/bff/recent"
	"cloakroom/bff/session"
)

// waiting has the copies that were not made yet, for the calls under way: the next
// call of the session makes its copy, whether it is still here or not. It holds
// plain tokens, so that it forgets them within a minute.
type waiting struct {
	mu   sync.Mutex
	made recent.Map[session.ID, func() (session.Record, error)]
}

const (
	waitingMost = 256
	waitingTurn = 30 * time.Second
)

func newWaiting(now func() time.Time) *waiting {
	return &waiting{made: recent.Map[session.ID, func() (session.Record, error)]{Most: waitingMost, Turn: waitingTurn, Now: now}}
}

// put has made wait, unless there is a copy of id, here or as kept says.
func (w *waiting) put(id session.ID, made func() (session.Record, error), kept func() bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.made.Get(id); ok || kept() {
		return false
	}
	w.made.Put(id, made)
	return true
}

// take hands what waits for id to keep, if something does. Until that is done,
// nobody finds it neither here nor there.
func (w *waiting) take(id session.ID, keep func(session.Record) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	made, ok := w.made.Take(id)
	if !ok {
		return nil
	}
	return keepMade(made, keep)
}

// takeAll is take of all that wait.
func (w *waiting) takeAll(keep func(session.Record) error) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, made := range w.made.TakeAll() {
		err = errors.Join(err, keepMade(made, keep))
	}
	return err
}

func keepMade(made func() (session.Record, error), keep func(session.Record) error) error {
	r, err := made()
	if err != nil {
		return err
	}
	return keep(r)
}

// drop forgets what waits for id.
func (w *waiting) drop(id session.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made.Take(id)
}
