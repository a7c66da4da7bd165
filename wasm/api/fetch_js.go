package api

import (
	"context"
	"fmt"
	"syscall/js"
)

// fetch is the browser's own. A redirect could end at another origin's sign-in
// page; "manual" reports it as status 0 instead.
func fetch(ctx context.Context, r request) (answer, error) {
	abort := js.Global().Get("AbortController").New()
	headers := js.Global().Get("Object").New()
	for name, value := range r.header {
		headers.Set(name, value)
	}
	options := js.Global().Get("Object").New()
	options.Set("method", r.method)
	options.Set("headers", headers)
	options.Set("credentials", "same-origin")
	options.Set("mode", "same-origin")
	options.Set("redirect", "manual")
	options.Set("cache", "no-store")
	if r.kept {
		options.Set("cache", "default")
	}
	options.Set("signal", abort.Get("signal"))
	if len(r.body) > 0 {
		body := js.Global().Get("Uint8Array").New(len(r.body))
		js.CopyBytesToJS(body, r.body)
		options.Set("body", body)
	}

	res, err := await(ctx, abort, js.Global().Call("fetch", r.url, options))
	if err != nil {
		return answer{}, err
	}
	got := answer{
		status:      res.Get("status").Int(),
		contentType: header(res, "content-type"),
		retryAfter:  header(res, "retry-after"),
	}
	got.body, err = read(ctx, abort, res.Get("body"), r.limit())
	return got, err
}

// read takes a stream to its end, or until it is longer than any answer.
func read(ctx context.Context, abort, stream js.Value, most int) ([]byte, error) {
	if !stream.Truthy() {
		return nil, nil
	}
	reader := stream.Call("getReader")
	var body []byte
	for {
		chunk, err := await(ctx, abort, reader.Call("read"))
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if chunk.Get("done").Bool() {
			return body, nil
		}
		value := chunk.Get("value")
		at := len(body)
		body = append(body, make([]byte, value.Length())...)
		js.CopyBytesToGo(body[at:], value)
		if len(body) > most {
			abort.Call("abort")
			return body, nil
		}
	}
}

func header(res js.Value, name string) string {
	value := res.Get("headers").Call("get", name)
	if value.Type() != js.TypeString {
		return ""
	}
	return value.String()
}

// await waits for a promise. When ctx ends first it aborts the call, and still
// waits for the promise: its handlers must not be released before they ran.
func await(ctx context.Context, abort, promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	resolved := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		return nil
	})
	defer resolved.Release()
	rejected := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: fmt.Errorf("fetch: %s", args[0].Call("toString").String())}
		return nil
	})
	defer rejected.Release()
	promise.Call("then", resolved, rejected)

	select {
	case o := <-settled:
		return o.value, o.err
	case <-ctx.Done():
		abort.Call("abort")
		<-settled
		return js.Undefined(), ctx.Err()
	}
}
