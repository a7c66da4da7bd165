package spa_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"
	"golang.org/x/net/html"

	"cloakroom/bff/spa"
	"cloakroom/shared/problem"
	"cloakroom/static"
)

var program = []byte("\x00asm not really, but long enough to be worth packing " + strings.Repeat("wasm ", 500))

// build is a file system as the build leaves it.
func build(t testing.TB) fstest.MapFS {
	t.Helper()
	var br, gz bytes.Buffer
	bw, gw := brotli.NewWriter(&br), gzip.NewWriter(&gz)
	for _, w := range []io.WriteCloser{bw, gw} {
		if _, err := w.Write(program); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(program)
	note, err := json.Marshal(static.Build{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(program)), Brotli: int64(br.Len()), Gzip: int64(gz.Len())})
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		static.Wasm: {Data: program}, static.WasmBrotli: {Data: br.Bytes()}, static.WasmGzip: {Data: gz.Bytes()}, static.WasmBuild: {Data: note},
		"web/.hidden": {Data: []byte("hidden")},
	}
	for _, name := range []string{"web/app.css", "web/probe.js", "web/icon.svg", "web/icon-192.png", "web/icon-512.png", "web/icon-maskable-512.png"} {
		content, err := static.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

func embedded(t testing.TB) *spa.SPA {
	t.Helper()
	s, err := spa.New(spa.Config{Files: build(t), Origin: "https://app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get sends a GET with headers given as pairs.
func get(t testing.TB, h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return send(h, http.MethodGet, target, headers...)
}

func send(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var wasmURL = regexp.MustCompile(`/web/[0-9a-f]{16}/app\.wasm`)

func TestABuildThatIsNotWholeIsRefusedAtStart(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(fstest.MapFS)
	}{
		{"no program", func(f fstest.MapFS) { delete(f, static.Wasm) }},
		{"no brotli form", func(f fstest.MapFS) { delete(f, static.WasmBrotli) }},
		{"no note of the build", func(f fstest.MapFS) { delete(f, static.WasmBuild) }},
		{"a note cut short", func(f fstest.MapFS) { f[static.WasmBuild].Data = f[static.WasmBuild].Data[:9] }},
		{"a program newer than its compressed forms", func(f fstest.MapFS) { f[static.Wasm].Data = []byte("\x00asm newer") }},
		{"a compressed form of another length", func(f fstest.MapFS) { f[static.WasmGzip].Data = []byte("x") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := build(t)
			row.spoil(files)
			_, err := spa.New(spa.Config{Files: files})
			if !errors.Is(err, spa.ErrNotBuilt) || !strings.Contains(err.Error(), "make build") {
				t.Errorf("error: %v", err)
			}
		})
	}
	if _, err := spa.New(spa.Config{Dir: "a", DevServer: "b"}); err == nil {
		t.Error("a folder and a dev server at once")
	}
	if _, err := spa.New(spa.Config{Files: build(t), Origin: "app.example.com/x"}); err == nil {
		t.Error("an origin that is none")
	}
}

func TestPagesLoadOnlyWhatIsServedHere(t *testing.T) {
	s := embedded(t)
	for _, path := range []string{"/", "/orders", "/session", "/inspector"} {
		page := get(t, s, path)
		if page.Code != 200 || page.Header().Get("Content-Type") != "text/html; charset=utf-8" || page.Header().Get("Cache-Control") != "no-cache" {
			t.Fatalf("%s: %d %v", path, page.Code, page.Header())
		}
		document, err := html.Parse(page.Body)
		if err != nil {
			t.Fatal(err)
		}
		loaded := 0
		for n := range document.Descendants() {
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: inline %s on <%s>", path, a.Key, n.Data)
				}
				loads := a.Key == "src" || n.Data == "link" && a.Key == "href"
				if !loads {
					continue
				}
				loaded++
				if !strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("%s loads %s from elsewhere", path, a.Val)
				} else if got := get(t, s, a.Val); got.Code != 200 {
					t.Errorf("%s loads %s: %d", path, a.Val, got.Code)
				}
			}
			if n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s: an inline script", path)
			}
		}
		if loaded < 5 {
			t.Errorf("%s: only %d things are loaded; is this the page?", path, loaded)
		}
	}
}

func TestTheProgramIsFoundWhereTheLoaderLooks(t *testing.T) {
	s := embedded(t)
	loader := get(t, s, "/app.js").Body.String()
	url := wasmURL.FindString(loader)
	got := get(t, s, url)
	if got.Code != 200 || got.Body.String() != string(program) || got.Header().Get("Content-Type") != "application/wasm" {
		t.Errorf("%q: %d %v", url, got.Code, got.Header())
	}
	if want := `goappWasmContentLength = "` + "2553" + `"`; len(program) != 2553 || !strings.Contains(loader, want) {
		t.Errorf("the loader does not know the unpacked length, %d", len(program))
	}
	var manifest struct {
		Icons []struct{ Src string }
	}
	if err := json.Unmarshal(get(t, s, "/manifest.webmanifest").Body.Bytes(), &manifest); err != nil || len(manifest.Icons) != 4 {
		t.Fatalf("manifest: %v %+v", err, manifest)
	}
	for _, icon := range manifest.Icons {
		if got := get(t, s, icon.Src); got.Code != 200 {
			t.Errorf("icon %s: %d", icon.Src, got.Code)
		}
	}
}

// What go-app would do with these is in its source: reflect the query into
// attributes, fetch files from the request's Host, answer any path with 304.
func TestNothingOfTheRequestReachesAPage(t *testing.T) {
	s := embedded(t)
	plain := get(t, s, "/orders").Body.String()
	called := false
	attacker := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer attacker.Close()

	hostile := httptest.NewRequest("GET", `/orders?page=%22%3E%3Cscript%3Ealert(1)%3C/script%3E`, nil)
	hostile.Host = strings.TrimPrefix(attacker.URL, "http://")
	for _, path := range []string{"/orders", "/robots.txt", "/sitemap.xml", "/ads.txt", `/"><script>alert(1)</script>`} {
		r := hostile.Clone(t.Context())
		r.URL.Path = path
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "alert(1)") {
			t.Errorf("%s: the request is reflected", path)
		}
		if path == "/orders" && w.Body.String() != plain {
			t.Error("a query changes the page")
		}
	}
	if called {
		t.Error("the server fetched something from the request's Host")
	}
	if got := get(t, s, "/robots.txt"); got.Code != 200 || !strings.HasPrefix(got.Body.String(), "User-agent: *") {
		t.Errorf("robots.txt: %d %s", got.Code, got.Body)
	}
	pageTag := get(t, s, "/").Header().Get("ETag")
	for _, path := range []string{"/nowhere", "/sitemap.xml", "/web/nothing.css"} {
		if got := get(t, s, path, "If-None-Match", pageTag, "Sec-Fetch-Mode", "navigate"); got.Code != 404 {
			t.Errorf("%s with the tag of another page: %d, want 404", path, got.Code)
		}
	}
}

func TestUnknownAddresses(t *testing.T) {
	s := embedded(t)
	page := get(t, s, "/nowhere", "Sec-Fetch-Mode", "navigate")
	if page.Code != 404 || !strings.Contains(page.Body.String(), "There is nothing on this hook") || page.Header().Get("ETag") != "" {
		t.Errorf("a navigation: %d %v", page.Code, page.Header())
	}
	script := get(t, s, "/api/nowhere", "Sec-Fetch-Mode", "cors", "Accept", "*/*")
	var details problem.Details
	if err := json.Unmarshal(script.Body.Bytes(), &details); err != nil || script.Code != 404 || details.Code != problem.NotFound {
		t.Errorf("a script: %d %s", script.Code, script.Body)
	}
	for _, path := range []string{"/web/", "/web/.hidden", "/web", "/web//app.css", "/web/0123456789abcdef/", "/web/../web/app.css", "/web/0123456789abcdef/.hidden", "/goapp.js", "/app.wasm"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 404 {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	s := embedded(t)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"} {
		if got := send(s, method, "/"); got.Code != 405 || got.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, got.Code, got.Header().Get("Allow"))
		}
	}
	head, full := send(s, "HEAD", "/"), get(t, s, "/")
	if head.Body.Len() != 0 || head.Header().Get("Content-Length") != full.Header().Get("Content-Length") || head.Header().Get("ETag") != full.Header().Get("ETag") {
		t.Errorf("HEAD: %d bytes, %v", head.Body.Len(), head.Header())
	}
}

func TestHowLongACopyIsGood(t *testing.T) {
	s := embedded(t)
	program := wasmURL.FindString(get(t, s, "/app.js").Body.String())
	style := regexp.MustCompile(`/web/[0-9a-f]{16}/app\.css`).FindString(get(t, s, "/").Body.String())
	for _, row := range []struct{ name, path, want string }{
		{"the program under its hash", program, "public, max-age=31536000, immutable"},
		{"the style sheet under the build's hash", style, "public, max-age=31536000, immutable"},
		{"without a hash", "/web/app.css", "no-cache"},
		{"under the hash of another build", "/web/0123456789abcdef/app.css", "no-cache"},
		{"a page", "/", "no-cache"},
		{"the loader", "/app.js", "no-cache"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := get(t, s, row.path)
			if got.Code != 200 || got.Header().Get("Cache-Control") != row.want {
				t.Errorf("%s: %d %q, want %q", row.path, got.Code, got.Header().Get("Cache-Control"), row.want)
			}
			tag := got.Header().Get("ETag")
			again := get(t, s, row.path, "If-None-Match", `"other", `+tag)
			if again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("Cache-Control") != row.want {
				t.Errorf("asked again with its tag %s: %d", tag, again.Code)
			}
			if other := get(t, s, row.path, "If-None-Match", `"other"`); other.Code != 200 {
				t.Errorf("asked with another tag: %d", other.Code)
			}
		})
	}
}

func TestTwoServersOfOneBuildAgree(t *testing.T) {
	a, b := embedded(t), embedded(t)
	for _, path := range []string{"/", "/orders", "/app.js", "/web/app.css"} {
		if x, y := get(t, a, path).Header().Get("ETag"), get(t, b, path).Header().Get("ETag"); x != y {
			t.Errorf("%s: %s and %s", path, x, y)
		}
	}
	changed := build(t)
	changed["web/app.css"].Data = []byte("body{}")
	c, err := spa.New(spa.Config{Files: changed})
	if err != nil {
		t.Fatal(err)
	}
	if get(t, a, "/").Header().Get("ETag") == get(t, c, "/").Header().Get("ETag") {
		t.Error("a new style sheet leaves the pages' tag as it was")
	}
	if x, y := wasmURL.FindString(get(t, a, "/app.js").Body.String()), wasmURL.FindString(get(t, c, "/app.js").Body.String()); x != y {
		t.Error("a new style sheet moves the program to another address")
	}
}

func TestTheServiceWorkerTouchesNoRequest(t *testing.T) {
	script := get(t, embedded(t), "/app-worker.js").Body.String()
	if strings.Contains(script, "fetch") || !strings.Contains(script, "caches.delete") {
		t.Errorf("worker:\n%s", script)
	}
}

// No window is spoken to and none is listened to, so no message has a sender or
// receiver to mistake (BBA-55). go-app's loader speaks to its service worker,
// and our tabs may by BroadcastChannel: neither leaves the origin.
func TestNoScriptSpeaksToAnotherWindow(t *testing.T) {
	s := embedded(t)
	texts := map[string]string{}
	for _, path := range []string{"/", "/app.js", "/app-worker.js", "/web/probe.js"} {
		if got := get(t, s, path); got.Code == http.StatusOK && got.Body.Len() > 0 {
			texts[path] = got.Body.String()
		} else {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	ours, err := filepath.Glob("../../wasm/*/*.go")
	if err != nil || len(ours) == 0 {
		t.Fatalf("%d files of the program: %v", len(ours), err)
	}
	for _, path := range ours {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	harmless := strings.NewReplacer(`navigator.serviceWorker.addEventListener("message"`, "", "serviceWorker.postMessage(", "",
		`channel.Call("postMessage"`, "", `on(channel, "message",`, "")
	speaks := regexp.MustCompile(`postMessage|onmessage|["']message["']\s*,`)
	for path, text := range texts {
		if found := speaks.FindString(harmless.Replace(text)); found != "" {
			t.Errorf("%s has %s", path, found)
		}
	}
	for _, would := range []string{`opener.postMessage(x, "*")`, `addEventListener("message", f)`, `window.onmessage = f`, `w.Call("addEventListener", "message", f)`} {
		if !speaks.MatchString(harmless.Replace(would)) {
			t.Errorf("%s is not found: the test proves nothing", would)
		}
	}
}

// The first paint waits a little for everything a page asks for.
func TestAPageAsksForLittle(t *testing.T) {
	s := embedded(t)
	for _, path := range []string{"/", "/orders"} {
		page := get(t, s, path).Body.String()
		for part, times := range map[string]int{`rel="stylesheet"`: 1, `<script `: 1, `rel="manifest"`: 0, `<img `: 1, `<img loading="lazy" `: 1} {
			if n := strings.Count(page, part); n != times {
				t.Errorf("%s has %s %d times, not %d", path, part, n, times)
			}
		}
	}
	if got := get(t, s, "/app.css").Code; got != http.StatusNotFound {
		t.Errorf("go-app's own answers %d", got)
	}
}

func TestPagesWithoutAnOriginNameNone(t *testing.T) {
	s, err := spa.New(spa.Config{Files: build(t)})
	if err != nil {
		t.Fatal(err)
	}
	if page := get(t, s, "/").Body.String(); strings.Contains(page, "https:///") {
		t.Error("the page names an address of no host")
	}
	if page := get(t, embedded(t), "/orders").Body.String(); !strings.Contains(page, "https://app.example.com/orders") {
		t.Error("the page does not name its address")
	}
}
