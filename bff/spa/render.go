package spa

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	goapp "github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/shared"
	"cloakroom/static"
	"cloakroom/wasm/ui"
)

// worker replaces go-app's service worker, which keeps "/" and passes every
// request through. This one handles no request at all; it only clears what an
// earlier worker of go-app may have left.
const worker = `"use strict";
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => {
  const clear = async () => {
    for (const name of await caches.keys()) if (name.startsWith("app-")) await caches.delete(name);
  };
  event.waitUntil(clear());
});
`

// What go-app's script does as soon as it is there, and when it does so here. A
// page comes rendered: it is to be seen before the program, which takes both cores
// to compile, and the worker begin, and before anybody reads the manifest. A page
// that nobody sees is painted by nobody and does not wait, and none waits for
// longer than a moment.
const (
	beginWorker  = "\ngoappInitServiceWorker();\n"
	beginProgram = "\ngoappInitWebAssembly();\n"
	beginPainted = `
(() => {
  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    goappInitServiceWorker();
    goappInitWebAssembly();
    document.head.append(Object.assign(document.createElement("link"), { rel: "manifest", href: "/manifest.webmanifest" }));
  };
  if (document.hidden) return begin();
  const painted = (list) => { if (list.getEntriesByName("first-contentful-paint").length) begin(); };
  new PerformanceObserver(painted).observe({ type: "paint", buffered: true });
  setTimeout(begin, 300);
})();
`
)

const robots = "User-agent: *\nDisallow: /bff/\nDisallow: /api/\n"

// resolver tells go-app where files are. It must not be an http.Handler: with
// one, go-app fetches /robots.txt and others from the request's Host.
type resolver struct{ app *app }

func (r resolver) Resolve(location string) string {
	switch {
	case location == "" || location == "/":
		return "/"
	case location == "/web":
		return "/web/" + r.app.version
	case location == "/"+static.Wasm:
		// By its own hash: a change of style does not load the program again.
		return "/web/" + r.app.files["app.wasm"].etag[1:17] + "/app.wasm"
	case len(location) > 5 && location[:5] == "/web/":
		return "/web/" + r.app.version + location[4:]
	}
	return location
}

// render has go-app make every page and script, once, and keeps the bytes.
func (a *app) render(rawOrigin string) error {
	origin, err := origin(rawOrigin)
	if err != nil {
		return err
	}
	ui.Register(nil)
	handler := a.handler(origin)

	a.fixed = map[string]*resource{}
	for _, path := range []string{"/app-worker.js", "/manifest.webmanifest"} {
		if a.fixed[path], err = capture(handler, path, asIs); err != nil {
			return err
		}
	}
	if a.fixed["/app.js"], err = a.script(handler); err != nil {
		return err
	}
	for _, path := range ui.Paths() {
		if a.fixed[path], err = capture(handler, path, beforePaint); err != nil {
			return err
		}
		// go-app writes attributes in random order, so two servers of one build
		// differ in bytes and agree in content: a weak ETag (RFC 9110 §8.8.1).
		a.fixed[path].etag = `W/"` + a.version + `"`
	}
	if a.missing, err = capture(handler, ui.PathNotFound, beforePaint); err != nil {
		return err
	}
	if a.fixed["/robots.txt"], err = newResource([]byte(robots), typeOf(".txt")); err != nil {
		return err
	}
	if icon, ok := a.files["icon-192.png"]; ok {
		a.fixed["/favicon.ico"] = icon // asked for by pages that name no icon
	}
	return nil
}

func (a *app) handler(origin *url.URL) *goapp.Handler {
	h := &goapp.Handler{
		Name:                  "Cloakroom",
		ShortName:             "Cloakroom",
		Title:                 "Cloakroom",
		Description:           "The browser holds a ticket, the server keeps the tokens.",
		Lang:                  "en",
		ThemeColor:            "#7c2d3e",
		BackgroundColor:       "#f6f3ee",
		LoadingLabel:          "Loading {progress} %",
		Icon:                  goapp.Icon{Default: "/web/icon-192.png", Large: "/web/icon-512.png", Maskable: "/web/icon-maskable-512.png", SVG: "/web/icon.svg"},
		Image:                 "/web/icon-512.png",
		Styles:                []string{"/web/app.css"},
		Resources:             resolver{a},
		Version:               a.version,
		WasmContentLength:     strconv.Itoa(len(a.files["app.wasm"].forms.identity)), // as unpacked: what the page counts
		ServiceWorkerTemplate: worker,
	}
	if origin != nil {
		if origin.Scheme == "https" {
			h.Domain = origin.Host // go-app knows no other scheme
		}
		// A link to the BFF is a navigation, not a page of the SPA.
		h.InternalURLs = []string{origin.Scheme + "://" + origin.Host + shared.BFFPrefix}
	}
	return h
}

// capture asks handler for path, with a request that carries nothing else, and
// keeps what amend makes of the answer.
func capture(handler http.Handler, path string, amend func([]byte) ([]byte, error)) (*resource, error) {
	got := &recorder{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(got, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}})
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("render %s: status %d", path, got.status)
	}
	contentType := got.header.Get("Content-Type")
	switch contentType {
	case "text/html", "text/css":
		contentType += "; charset=utf-8"
	case "application/javascript":
		contentType = typeOf(".js")
	}
	body, err := amend(got.body.Bytes())
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", path, err)
	}
	return newResource(body, contentType)
}

// script is the one script of all pages: what Go's WebAssembly needs and ours, each
// in a function of its own for its "use strict", then go-app's.
func (a *app) script(handler http.Handler) (*resource, error) {
	support, err := capture(handler, "/wasm_exec.js", asIs)
	if err != nil {
		return nil, err
	}
	a.fixed["/wasm_exec.js"] = support // for a page that a browser kept
	probe, ok := a.files["probe.js"]
	if !ok {
		return nil, errors.New("there is no probe.js")
	}
	return capture(handler, "/app.js", func(script []byte) ([]byte, error) {
		var all bytes.Buffer
		for _, one := range []*resource{support, probe} {
			fmt.Fprintf(&all, "(() => {\n%s\n})();\n", one.forms.identity)
		}
		script, err := afterPaint(script)
		return append(all.Bytes(), script...), err
	})
}

func asIs(body []byte) ([]byte, error) { return body, nil }

// afterPaint has go-app's script begin when the page was painted.
func afterPaint(script []byte) ([]byte, error) {
	for _, begin := range []string{beginWorker, beginProgram} {
		if bytes.Count(script, []byte(begin)) != 1 {
			return nil, fmt.Errorf("go-app begins in another way than with %q", begin)
		}
	}
	script = bytes.Replace(script, []byte(beginWorker), []byte("\n"), 1)
	return bytes.Replace(script, []byte(beginProgram), []byte(beginPainted), 1), nil
}

// Everything a page names is asked for at once, and the first paint waits for each
// a little. What go-app writes into every page and nobody needs by then:
var (
	nowhere  = regexp.MustCompile(`\s*<meta [^>]*"https:///[^>]*>`)                  // addresses of no host: there is no Domain
	itsStyle = regexp.MustCompile(`\s*<link [^>]*"/app\.css"[^>]*>`)                 // what it says of the loader is in our style sheet
	support  = regexp.MustCompile(`\s*<script [^>]*"/wasm_exec\.js"[^>]*></script>`) // is in /app.js
	manifest = regexp.MustCompile(`\s*<link [^>]*"manifest"[^>]*>`)                  // comes with the program
	sign     = regexp.MustCompile(`<img ([^>]*"app-wasm-loader-icon"[^>]*>)`)        // not seen at first: see app.css
)

// beforePaint leaves in a page what is to be seen first.
func beforePaint(page []byte) ([]byte, error) {
	for _, found := range []*regexp.Regexp{itsStyle, support, manifest, sign} {
		if n := len(found.FindAll(page, -1)); n != 1 {
			return nil, fmt.Errorf("go-app writes %d times what matches %s", n, found)
		}
	}
	for _, left := range []*regexp.Regexp{nowhere, itsStyle, support, manifest} {
		page = left.ReplaceAll(page, nil)
	}
	return sign.ReplaceAll(page, []byte(`<img loading="lazy" $1`)), nil
}

// recorder is the response go-app writes to.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// versionOf names the build: the same files give the same version on every
// server behind a balancer.
func versionOf(files map[string]*resource) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %s\n", name, files[name].etag)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
