package sealed

import (
	"context"
	"errors"
	"sync"

	"cloakroom/bff/session"
)

// waiting has the copies that were not made, of the sessions that calls under way
// are the first to bring. It holds plain tokens, for as long as those calls last.
type waiting struct {
	mu   sync.Mutex
	made map[session.ID]*made
}

// made makes a copy.
type made func() (session.Record, error)

// put has one wait until ctx is done, unless there is a copy of id, here or as kept
// says.
func (w *waiting) put(ctx context.Context, id session.ID, one made, kept func() bool) bool {
	if ctx.Done() == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.made[id] != nil || kept() {
		return false
	}
	if w.made == nil {
		w.made = map[session.ID]*made{}
	}
	w.made[id] = &one
	context.AfterFunc(ctx, func() { w.end(id, &one) })
	return true
}

// take hands what waits for id to keep, if something does. Until that is done,
// nobody finds it neither here nor there.
func (w *waiting) take(id session.ID, keep func(session.Record) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.made[id]
	if one == nil {
		return nil
	}
	delete(w.made, id)
	return (*one).keep(keep)
}

// takeAll is take of all that wait.
func (w *waiting) takeAll(keep func(session.Record) error) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, one := range w.made {
		delete(w.made, id)
		err = errors.Join(err, (*one).keep(keep))
	}
	return err
}

func (m made) keep(keep func(session.Record) error) error {
	r, err := m()
	if err != nil {
		return err
	}
	return keep(r)
}

// drop forgets what waits for id.
func (w *waiting) drop(id session.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.made, id)
}

// end forgets one, whose call is over.
func (w *waiting) end(id session.ID, one *made) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.made[id] == one {
		delete(w.made, id)
	}
}
