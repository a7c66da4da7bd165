package sealed

import (
	"context"
	"errors"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
)

// factEnded is the fact that a session, named by its record's ID, has ended: its
// cookie can still be opened.
const factEnded = "sealed session ended"

// Copies is the store of what was opened here. A session that is deleted from
// it is noted as ended first, so that its cookie opens nothing any more.
//
// A session that a call is the first to bring is copied when somebody asks for it
// while that lasts, and else by the next call: where each is of another session,
// copies would cost more than all else and serve nobody.
type Copies struct {
	held    *memory.Store
	ended   *session.Manager
	life    time.Duration
	now     func() time.Time
	waiting waiting
}

var (
	_ session.Store     = (*Copies)(nil)
	_ session.Sparing   = (*Copies)(nil)
	_ session.Finder    = (*Copies)(nil)
	_ session.Runner    = (*Copies)(nil)
	_ session.Deferring = (*Copies)(nil)
)

// NewCopies returns a store over held. ended keeps the notes for life, the
// longest a session lasts.
func NewCopies(held *memory.Store, ended *session.Manager, life time.Duration, now func() time.Time) *Copies {
	if now == nil {
		now = time.Now
	}
	return &Copies{held: held, ended: ended, life: life, now: now}
}

// Defer implements session.Deferring.
func (c *Copies) Defer(ctx context.Context, id session.ID, made func() (session.Record, error)) bool {
	return c.waiting.put(ctx, id, made, func() bool {
		_, err := c.held.Get(ctx, id)
		return err == nil
	})
}

// copy makes the copy of id that was deferred, if one was.
func (c *Copies) copy(ctx context.Context, id session.ID) error {
	return c.waiting.take(id, c.keep(ctx))
}

func (c *Copies) keep(ctx context.Context) func(session.Record) error {
	return func(r session.Record) error {
		_, err := c.held.Create(context.WithoutCancel(ctx), r) // it waits no more, whoever asked
		if errors.Is(err, session.ErrExists) {
			return nil // another call has brought it since
		}
		return err
	}
}

// Create implements session.Store.
func (c *Copies) Create(ctx context.Context, r session.Record) (session.Version, error) {
	if err := c.copy(ctx, r.ID); err != nil {
		return 0, err
	}
	return c.held.Create(ctx, r)
}

// Get implements session.Store.
func (c *Copies) Get(ctx context.Context, id session.ID) (session.Record, error) {
	return c.GetUnless(ctx, id, session.Mark{})
}

// GetUnless implements session.Sparing.
func (c *Copies) GetUnless(ctx context.Context, id session.ID, have session.Mark) (session.Record, error) {
	if err := c.copy(ctx, id); err != nil {
		return session.Record{}, err
	}
	return c.held.GetUnless(ctx, id, have)
}

// Update implements session.Store. Whoever has a version has asked for it.
func (c *Copies) Update(ctx context.Context, r session.Record) (session.Version, error) {
	return c.held.Update(ctx, r)
}

// Find implements session.Finder.
func (c *Copies) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	if err := c.waiting.takeAll(c.keep(ctx)); err != nil {
		return nil, err
	}
	return c.held.Find(ctx, key)
}

// Delete implements session.Store.
func (c *Copies) Delete(ctx context.Context, id session.ID) error {
	if _, err := c.ended.Note(ctx, c.now().Add(c.life), factEnded, string(id[:])); err != nil {
		return err
	}
	c.waiting.drop(id)
	return c.held.Delete(ctx, id)
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
	return c.Get(ctx, id)
}

// Run implements session.Runner.
func (c *Copies) Run(ctx context.Context) error { return c.held.Run(ctx) }
