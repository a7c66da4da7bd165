//go:build js

package main

import (
	"encoding/base64"
	"errors"
	"syscall/js"
)

// promised makes work, which may block, a function that returns a promise.
func promised(work func(args []js.Value) (any, error)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		start := js.FuncOf(func(_ js.Value, settle []js.Value) any {
			go func() {
				value, err := work(args)
				if err != nil {
					settle[1].Invoke(js.Global().Get("Error").New(err.Error()))
					return
				}
				settle[0].Invoke(value)
			}()
			return nil
		})
		defer start.Release() // a promise starts at once
		return js.Global().Get("Promise").New(start)
	})
}

// await blocks until a promise is settled.
func await(promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	kept := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		return nil
	})
	defer kept.Release()
	broken := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: errors.New(args[0].Call("toString").String())}
		return nil
	})
	defer broken.Release()
	promise.Call("then", kept, broken)
	got := <-settled
	return got.value, got.err
}

func fetch(method, address string, headers map[string]any, body js.Value) (js.Value, error) {
	options := map[string]any{"method": method, "headers": headers}
	if !body.IsUndefined() {
		options["body"] = body
	}
	return await(js.Global().Call("fetch", address, options))
}

func encode(form map[string]any) js.Value { return js.Global().Get("URLSearchParams").New(form) }

// random is 32 random bytes in base64url.
func random() string {
	bytes := js.Global().Get("crypto").Call("getRandomValues", js.Global().Get("Uint8Array").New(32))
	return base64url(bytes)
}

// digest is the SHA-256 of text in base64url.
func digest(text string) (string, error) {
	raw := js.Global().Get("TextEncoder").New().Call("encode", text)
	sum, err := await(js.Global().Get("crypto").Get("subtle").Call("digest", "SHA-256", raw))
	if err != nil {
		return "", err
	}
	return base64url(js.Global().Get("Uint8Array").New(sum)), nil
}

func base64url(bytes js.Value) string {
	raw := make([]byte, bytes.Length())
	js.CopyBytesToGo(raw, bytes)
	return base64.RawURLEncoding.EncodeToString(raw)
}
