//go:build js

// Command wasmpage is the lab's application whose tokens are in the linear
// memory of a WebAssembly program, and nowhere else for longer than a request
// takes. It is a public client of the provider, with PKCE and a refresh token
// that is rotated, like the lab's pages in JavaScript. Built by make wasm, it
// leaves one function behind, which session.js takes.
package main

import "syscall/js"

func main() {
	js.Global().Set("application", js.FuncOf(func(_ js.Value, args []js.Value) any {
		s := newSession(args[0])
		return map[string]any{
			"begin":   promised(func([]js.Value) (any, error) { return nil, s.begin() }),
			"restore": promised(func([]js.Value) (any, error) { return s.restore() }),
			"end":     promised(func([]js.Value) (any, error) { return nil, s.end() }),
			"call": promised(func(args []js.Value) (any, error) {
				body := js.Undefined()
				if len(args) > 2 {
					body = args[2]
				}
				return s.call(args[0].String(), args[1].String(), body)
			}),
		}
	}))
	select {}
}
