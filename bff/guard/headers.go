package guard

import "net/http"

type header struct {
	name  string // canonical
	value []string
}

// Content-Security-Policy of answers that are data, and of those nobody
// thought about: nothing runs, nothing is shown, nobody frames it.
const dataPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// Content-Security-Policy of the SPA (BBA-15). No inline script or style, no
// eval; 'wasm-unsafe-eval' compiles WebAssembly and nothing else. Images of
// data: URLs are not needed.
//
// require-trusted-types-for 'script' is absent: go-app v10.1.11 registers its
// service worker with a plain string (app.js) and writes app.Raw through
// innerHTML, and both would throw. script-src already stops what injected
// markup could run.
const pagePolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; " +
	"font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// Permissions-Policy of the SPA. Data has none: where nothing runs, nobody asks for
// a camera, and half a KiB would go with every answer.
const permissions = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), " +
	"encrypted-media=(), fullscreen=(self), gamepad=(), geolocation=(), gyroscope=(), hid=(), " +
	"identity-credentials-get=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), " +
	"payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), " +
	"storage-access=(), usb=(), xr-spatial-tracking=()"

func commonHeaders(https bool) []header {
	common := []header{
		{"X-Content-Type-Options", []string{"nosniff"}},
		// No other origin learns a path. Not "no-referrer": under it a browser
		// sends "Origin: null" with some of our own requests, and Call would
		// refuse them (Fetch §"append a request Origin header").
		{"Referrer-Policy", []string{"same-origin"}},
		{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
		{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
		{"X-Frame-Options", []string{"DENY"}}, // for browsers without frame-ancestors
		{"Content-Security-Policy", []string{dataPolicy}},
		{"Cache-Control", []string{"no-store"}},
	}
	if https {
		// Without includeSubDomains: the siblings are not ours to decide for.
		common = append(common, header{"Strict-Transport-Security", []string{"max-age=31536000"}}) // RFC 6797 §6.1
	}
	return common
}

func pageHeaders() []header {
	return []header{
		{"Content-Security-Policy", []string{pagePolicy}},
		{"Permissions-Policy", []string{permissions}},
		{"Cache-Control", []string{"no-cache"}}, // the SPA's handler knows better per file
	}
}

// Headers puts the security headers on every answer of next, before next runs:
// those of data, which Handler replaces for a Page. A route that nobody
// declared gets the stricter ones. The ResponseWriter is passed on as it is,
// so that streams can be flushed and connections taken over.
func (g *Guard) Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w, g.common)
		next.ServeHTTP(w, r)
	})
}

// setHeaders shares the values between answers: they are full slices, which
// Set replaces and Add copies.
func setHeaders(w http.ResponseWriter, headers []header) {
	h := w.Header()
	for _, one := range headers {
		h[one.name] = one.value
	}
}
