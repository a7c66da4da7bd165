// Package static holds what the browser loads besides the pages: the style
// sheet, the icons, the inspector's probe and, once built, the Wasm program
// with its compressed forms.
//
// It owns one file system. It never serves it: bff/spa decides what of it is
// reachable, under which address and for how long it may be kept.
//
// The Wasm files are made by the build and not committed. Without them this
// package still compiles; the server then says what is missing.
package static

import "embed"

// FS holds the files below "web/".
//
//go:embed all:web
var FS embed.FS

// What the build writes into web/ next to each other.
const (
	Wasm       = "web/app.wasm"
	WasmBrotli = "web/app.wasm.br"
	WasmGzip   = "web/app.wasm.gz"
	WasmBuild  = "web/app.wasm.json" // a Build
)

// Build says which app.wasm the compressed files were made from.
type Build struct {
	SHA256 string `json:"sha256"` // of app.wasm, in hex
	Bytes  int64  `json:"bytes"`
	Brotli int64  `json:"brotli"` // bytes of app.wasm.br
	Gzip   int64  `json:"gzip"`   // bytes of app.wasm.gz
	Level  int    `json:"level"`  // of brotli
}
