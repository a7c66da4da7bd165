package api

import (
	"context"
	"errors"
	"syscall/js"

	"cloakroom/shared"
)

// stream is the browser's EventSource. It is not left to reconnect: it would
// not back off, and would not ask who is there.
func stream(ctx context.Context, url string, got func(event string, data []byte)) error {
	source := js.Global().Get("EventSource").New(url)
	defer source.Call("close")

	type piece struct {
		event string
		data  []byte
	}
	pieces, broken := make(chan piece, 16), make(chan struct{}, 1)
	for _, event := range []string{shared.EventSessionEnded, shared.EventSessionExpiring} {
		defer on(source, event, func(e js.Value) {
			select {
			case pieces <- piece{event, []byte(e.Get("data").String())}:
			default: // sixteen unread: what they say is asked for anyway
			}
		})()
	}
	defer on(source, "error", func(js.Value) {
		select {
		case broken <- struct{}{}:
		default:
		}
	})()
	for {
		select {
		case p := <-pieces:
			got(p.event, p.data)
			if p.event == shared.EventSessionEnded {
				return nil
			}
		case <-broken:
			for len(pieces) > 0 { // said before it broke
				p := <-pieces
				got(p.event, p.data)
			}
			return errors.New("the stream broke")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// on calls f for every event of a target, until stop.
func on(target js.Value, event string, f func(e js.Value)) (stop func()) {
	handler := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	target.Call("addEventListener", event, handler)
	return func() {
		target.Call("removeEventListener", event, handler)
		handler.Release()
	}
}
