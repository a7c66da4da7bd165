package api

import (
	"context"
	"encoding/json"
	"errors"
	"syscall/js"

	"cloakroom/shared"
)

// said is what goes over the channel between tabs, as JSON.
type said struct {
	Event string              `json:"event"`
	Data  shared.SessionEvent `json:"data"`
}

// channelOf names the lock and the channel of all tabs that share a session.
func channelOf(session string) string { return "cloakroom.session." + session }

// Tell tells the other tabs that listen to a session.
func (c *Client) Tell(session, event string, e shared.SessionEvent) {
	channel := js.Global().Get("BroadcastChannel").New(channelOf(session))
	defer channel.Call("close") // what was posted before still arrives
	post(channel, event, e)
}

func post(channel js.Value, event string, e shared.SessionEvent) {
	if text, err := json.Marshal(said{event, e}); err == nil {
		channel.Call("postMessage", string(text))
	}
}

// together waits for the one lock of the session, and holds the stream while
// it has it. What the holder hears it says on the channel, where the others
// hear it.
func together(ctx context.Context, session string, heard func(string, shared.SessionEvent), listen listening) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	channel := js.Global().Get("BroadcastChannel").New(channelOf(session))
	defer channel.Call("close")
	inbox := make(chan said, 64)
	keep := func(s said) {
		select {
		case inbox <- s:
		default: // sixty-four unread: what they say is asked for anyway
		}
	}
	defer on(channel, "message", func(e js.Value) {
		var s said
		if data := e.Get("data"); data.Type() == js.TypeString && json.Unmarshal([]byte(data.String()), &s) == nil {
			keep(s)
		}
	})()

	over := make(chan error, 1)
	hold := func() (letGo func()) {
		mine, letGo := context.WithCancel(ctx)
		go func() {
			over <- holding(mine, channelOf(session), func() error {
				return listen(mine, func(event string, e shared.SessionEvent) {
					post(channel, event, e)
					keep(said{event, e})
				})
			})
		}()
		return letGo
	}
	letGo, away, back := hold(), false, make(chan struct{}, 1)

	// A page that was left may be kept to come back to, with its lock and its
	// stream and no way to pass on what it hears.
	defer on(js.Global(), "pagehide", func(js.Value) { away = true; letGo() })()
	defer on(js.Global(), "pageshow", func(js.Value) {
		select {
		case back <- struct{}{}:
		default:
		}
	})()
	for running := true; ; {
		select {
		case s := <-inbox:
			heard(s.Event, s.Data)
			if s.Event == shared.EventSessionEnded {
				if cancel(); running {
					<-over
				}
				return nil
			}
		case err := <-over:
			for len(inbox) > 0 {
				s := <-inbox
				heard(s.Event, s.Data)
			}
			if running = false; !away || ctx.Err() != nil {
				return err
			}
		case <-back:
			if !away { // it is the page's first showing
				continue
			}
			if running {
				<-over
			}
			away, running = false, true
			letGo = hold()
		case <-ctx.Done():
			if running {
				<-over
			}
			return ctx.Err()
		}
	}
}

// holding runs work while it alone, of all tabs, holds a lock. A browser without
// locks runs it at once.
func holding(ctx context.Context, lock string, work func() error) error {
	locks := js.Global().Get("navigator").Get("locks")
	if !locks.Truthy() {
		return work()
	}
	granted, free := make(chan js.Value, 1), js.Value{}
	onExecute := js.FuncOf(func(_ js.Value, args []js.Value) any {
		granted <- args[0]
		return nil
	})
	defer onExecute.Release()
	onGrant := js.FuncOf(func(js.Value, []js.Value) any {
		return js.Global().Get("Promise").New(onExecute) // held until it resolves
	})
	defer onGrant.Release()

	abort := js.Global().Get("AbortController").New()
	options := js.Global().Get("Object").New()
	options.Set("signal", abort.Get("signal"))
	released := make(chan error, 1)
	go func() {
		_, err := await(ctx, abort, locks.Call("request", lock, options, onGrant))
		released <- err
	}()
	select {
	case free = <-granted:
	case err := <-released: // refused, or ctx ended before it was our turn
		return errors.Join(ctx.Err(), err)
	}
	err := work()
	free.Invoke()
	<-released
	return err
}
