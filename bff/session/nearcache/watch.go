package nearcache

import (
	"context"

	"cloakroom/bff/session"
)

// listener is told of the changes that the backend tells of.
type listener struct {
	changed func(id session.ID, all bool)
}

// Watch implements Watcher, so that one Watch of the backend, which Run keeps,
// serves the copies and whoever else wants to know. What is told of has no copy
// here any more. A backend that tells of nothing leaves Watch waiting for ctx.
func (s *Store) Watch(ctx context.Context, changed func(id session.ID, all bool)) error {
	l := &listener{changed}
	s.telling.Lock()
	s.listeners[l] = struct{}{}
	changed(session.ID{}, true) // of what was before, nothing was heard
	s.telling.Unlock()
	<-ctx.Done()
	s.telling.Lock()
	defer s.telling.Unlock()
	delete(s.listeners, l)
	return ctx.Err()
}

// changed is told by the store that a record is not what it was. The copies go
// first: who is told reads anew.
func (s *Store) changed(id session.ID, all bool) {
	if all {
		s.forgetAll()
	} else {
		s.Forget(id)
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	for l := range s.listeners {
		l.changed(id, all)
	}
}
