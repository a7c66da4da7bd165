// Package shared is the vocabulary that the browser side and the server side
// both compile: paths, header names and the shapes that travel as JSON.
//
// It owns names and shapes. It never holds behaviour of either side, never a
// token, and imports the standard library only, so that it costs the Wasm
// build nothing.
package shared
