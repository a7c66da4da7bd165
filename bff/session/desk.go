package session

import (
	"errors"
	"net/http"

	"cloakroom/shared/problem"
)

// Desk is where a request shows its ticket.
type Desk struct {
	Browser  Holder
	Sessions *Manager
	// Notes keeps what every instance must know; nil: Sessions does.
	Notes *Manager
}

// Admit returns the session r belongs to. It fails with
// problem.SessionRequired when r has no live one, whatever the reason, and
// with problem.StoreUnavailable when the store could not say.
func (d Desk) Admit(r *http.Request) (Ticket, Session, error) {
	t, s, err := d.Browser.Admit(r, d.Sessions)
	if err != nil {
		return Ticket{}, Session{}, Problem(err)
	}
	return t, s, nil
}

// Problem tells "not there" from "down" for a caller: what is not there is
// problem.SessionRequired, everything else problem.StoreUnavailable.
func Problem(err error) error {
	if errors.Is(err, ErrNotFound) {
		return problem.New(problem.SessionRequired, err)
	}
	return problem.New(problem.StoreUnavailable, err)
}

// Board is where notes are kept.
func (d Desk) Board() *Manager {
	if d.Notes != nil {
		return d.Notes
	}
	return d.Sessions
}
