package sealed

import (
	"context"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
)

// factEnded is the fact that a session, named by its record's ID, has ended: its
// cookie can still be opened.
const factEnded = "sealed session ended"

// Copies is the store of what was opened here. A session that is deleted from
// it is noted as ended first, so that its cookie opens nothing any more.
type Copies struct {
	*memory.Store
	ended *session.Manager
	life  time.Duration
	now   func() time.Time
}

// NewCopies returns a store over held. ended keeps the notes for life, the
// longest a session lasts.
func NewCopies(held *memory.Store, ended *session.Manager, life time.Duration, now func() time.Time) *Copies {
	if now == nil {
		now = time.Now
	}
	return &Copies{held, ended, life, now}
}

// Delete implements session.Store.
func (c *Copies) Delete(ctx context.Context, id session.ID) error {
	if _, err := c.ended.Note(ctx, c.now().Add(c.life), factEnded, string(id[:])); err != nil {
		return err
	}
	return c.Store.Delete(ctx, id)
}

// Look is Get, of a session that may have ended on another instance: for whoever
// waits for that.
func (c *Copies) Look(ctx context.Context, id session.ID) (session.Record, error) {
	ended, err := c.ended.Noted(ctx, factEnded, string(id[:]))
	if err != nil {
		return session.Record{}, err
	}
	if ended {
		return session.Record{}, session.ErrNotFound
	}
	return c.Store.Get(ctx, id)
}
