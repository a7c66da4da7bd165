package spa_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/spa"
)

// folder is an SPA as a bundler leaves it, next to what must stay unseen.
func folder(t *testing.T) *spa.SPA {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "dist")
	for name, content := range map[string]string{
		"secret.txt": "secret", "dist/index.html": "<!doctype html>index", "dist/about.html": "about",
		"dist/assets/index-Dq3rgTda.js": "hashed", "dist/assets/index-Dq3rgTda.js.br": "packed", "dist/assets/Overview.js": "o",
		"dist/main.3f2a1b9c.css": "hashed", "dist/report-20240101.js": "dated", "dist/app.wasm": "\x00asm", "dist/old.css": "plain", "dist/old.css.gz": "older",
		"dist/.env": "KEY=1", "dist/.git/config": "git", "dist/.well-known/security.txt": "contact", "dist/sub/page.js": "sub",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"old.css.gz", "assets/index-Dq3rgTda.js"} {
		if err := os.Chtimes(filepath.Join(root, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"out.txt": "../secret.txt", "absolute.txt": filepath.Join(dir, "secret.txt"), "in.html": "about.html", "up": ".."} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := spa.New(spa.Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAFolderShowsItsFilesAndNothingElse(t *testing.T) {
	s := folder(t)
	for _, row := range []struct {
		name, path, mode string
		status           int
		body             string
	}{
		{"the start", "/", "navigate", 200, "<!doctype html>index"},
		{"a file", "/about.html", "navigate", 200, "about"},
		{"a route of the SPA", "/orders/7", "navigate", 200, "<!doctype html>index"},
		{"a folder is a route too, never a listing", "/assets/", "navigate", 200, "<!doctype html>index"},
		{"a folder for a script", "/assets/", "cors", 404, ""},
		{"a script that is missing is not the index", "/assets/gone-Dq3rgTdb.js", "no-cors", 404, ""},
		{"a missing script is not the index even on a navigation", "/assets/gone.js", "navigate", 404, ""},
		{"a call to nowhere", "/orders/7", "cors", 404, ""},
		{"a file with a dot", "/.env", "navigate", 404, ""},
		{"a folder with a dot", "/.git/config", "navigate", 404, ""},
		{"except the one that is meant to be seen", "/.well-known/security.txt", "navigate", 200, "contact"},
		{"up", "/../secret.txt", "navigate", 404, ""},
		{"up from below", "/assets/../../secret.txt", "navigate", 404, ""},
		{"a backslash", `/..\secret.txt`, "navigate", 404, ""},
		{"a NUL", "/index.html\x00.png", "navigate", 404, ""},
		{"doubled slashes", "//index.html", "navigate", 404, ""},
		{"a link out of the folder", "/out.txt", "no-cors", 404, ""},
		{"an absolute link", "/absolute.txt", "no-cors", 404, ""},
		{"through a linked folder", "/up/secret.txt", "no-cors", 404, ""},
		{"a link within", "/in.html", "no-cors", 200, "about"},
		{"a file as a folder", "/about.html/x.js", "no-cors", 404, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path = row.path
			r.Header.Set("Sec-Fetch-Mode", row.mode)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != row.status || row.status == 200 && w.Body.String() != row.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, row.status, row.body)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("what is outside was shown")
			}
		})
	}
}

func TestAFolderKnowsWhatNeverChanges(t *testing.T) {
	s := folder(t)
	for path, want := range map[string]bool{
		"/assets/index-Dq3rgTda.js": true, "/main.3f2a1b9c.css": true,
		"/assets/Overview.js": false, "/report-20240101.js": false, "/": false, "/app.wasm": false, "/old.css": false,
	} {
		got := get(t, s, path).Header().Get("Cache-Control")
		if strings.Contains(got, "immutable") != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	page := get(t, s, "/")
	if again := get(t, s, "/", "If-None-Match", page.Header().Get("ETag")); again.Code != 304 {
		t.Errorf("asked again: %d", again.Code)
	}
	if kind := get(t, s, "/app.wasm").Header().Get("Content-Type"); kind != "application/wasm" {
		t.Errorf("wasm is %s", kind)
	}
}

func TestAFolderUsesFormsThatLieThere(t *testing.T) {
	s := folder(t)
	packed := get(t, s, "/assets/index-Dq3rgTda.js", "Accept-Encoding", "gzip, br")
	if packed.Body.String() != "packed" || packed.Header().Get("Content-Encoding") != "br" || packed.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("%q %v", packed.Body, packed.Header())
	}
	if plain := get(t, s, "/assets/index-Dq3rgTda.js"); plain.Body.String() != "hashed" || plain.Header().Get("ETag") == packed.Header().Get("ETag") {
		t.Errorf("%q %v", plain.Body, plain.Header())
	}
	if stale := get(t, s, "/old.css", "Accept-Encoding", "gzip"); stale.Body.String() != "plain" {
		t.Error("a packed form older than its file was sent")
	}
	part := get(t, s, "/about.html", "Range", "bytes=0-1")
	if part.Code != 206 || part.Body.String() != "ab" {
		t.Errorf("a range: %d %q", part.Code, part.Body)
	}
}

func TestAFolderWithoutAnIndexIsRefusedAtStart(t *testing.T) {
	for name, dir := range map[string]string{"no index": t.TempDir(), "no folder": filepath.Join(t.TempDir(), "gone")} {
		if _, err := spa.New(spa.Config{Dir: dir}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
