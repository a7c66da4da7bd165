package api

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"cloakroom/shared"
)

const typeEvents = "text/event-stream"

// listening is holding the stream and telling what comes.
type listening func(ctx context.Context, tell func(event string, e shared.SessionEvent)) error

// Events reports what happens to a session, named by its User.State, until it
// is over or ctx ends. heard is called from one goroutine, with
//
//	EventSessionExpiring  it is about to end, in ExpiresIn seconds
//	EventSessionLasts     it lasts that long: another tab used it, or the
//	                      server answers again and what it said meanwhile is lost
//	EventSessionLater     another tab asked whether to stay, and got no answer
//	EventSessionEnded     it is over; the last one
//
// Events returns nil once the session is over, and otherwise the error of ctx.
//
// A browser has six connections to a host over HTTP/1.1, and a stream keeps
// one. So of all tabs that name the same session only one holds the stream and
// tells the others; when it goes, another takes over.
func (c *Client) Events(ctx context.Context, session string, heard func(event string, e shared.SessionEvent)) error {
	return together(ctx, session, heard, func(ctx context.Context, tell func(string, shared.SessionEvent)) error {
		return c.listen(ctx, session, tell)
	})
}

// listen holds the stream. After a break it asks who is there before it listens
// again: a session that ended meanwhile would be told to nobody, and one that
// ends after the answer refuses the new stream.
func (c *Client) listen(ctx context.Context, session string, tell func(string, shared.SessionEvent)) error {
	for tries := 0; ; tries++ {
		ended, began := false, time.Now()
		// Why it ended is not worth knowing: the answer to who is there is.
		_ = stream(ctx, c.base+shared.PathEvents, func(event string, data []byte) {
			if e, ok := sessionEvent(event, data); ok && !ended {
				ended = event == shared.EventSessionEnded
				tell(event, e)
			}
		})
		if ended {
			return nil
		}
		if time.Since(began) > stood {
			tries = 0
		}
		if err := wait(ctx, c.pause(tries)); err != nil {
			return err
		}
		user, err := c.User(ctx, false)
		switch {
		case errors.Is(err, ErrSignedOut), err == nil && user.State != session:
			tell(shared.EventSessionEnded, shared.SessionEvent{})
			return nil
		case err == nil:
			tell(shared.EventSessionLasts, shared.SessionEvent{ExpiresIn: int64(user.ExpiresIn.Seconds())})
		}
	}
}

// stood is how long a stream must have lasted for the next one to be tried at
// once: one that is cut as soon as it opens is as good as refused.
const stood = 30 * time.Second

// pause doubles from a second to half a minute. Its random half keeps the tabs
// of many people from coming back to a restarted server all at once.
func pause(tries int) time.Duration {
	whole := min(time.Second<<min(max(tries, 0), 5), 30*time.Second)
	return whole/2 + rand.N(whole/2)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// sessionEvent reads an event this package knows; any other is not passed on.
func sessionEvent(event string, data []byte) (shared.SessionEvent, bool) {
	var e shared.SessionEvent
	switch event {
	case shared.EventSessionEnded, shared.EventSessionExpiring, shared.EventSessionLasts, shared.EventSessionLater:
		return e, json.Unmarshal(data, &e) == nil
	}
	return e, false
}
