package spa

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"cloakroom/bff/respond"
	"cloakroom/shared/problem"
	"cloakroom/static"
)

// app is the embedded SPA, all of it in memory.
type app struct {
	files   map[string]*resource // by their name below web/
	version string               // of all of it
	fixed   map[string]*resource // by path: pages and what go-app loads with them
	missing *resource            // the page for unknown addresses
}

func embedded(cfg Config) (respond.Func, error) {
	a := &app{}
	var err error
	if a.files, err = readFiles(cfg.Files); err != nil {
		return nil, err
	}
	a.version = versionOf(a.files)
	if err := a.render(cfg.Origin); err != nil {
		return nil, err
	}
	return a.serve, nil
}

// readFiles takes every file of the build into a resource. The Wasm program
// comes with its compressed forms, which must be its own.
func readFiles(files fs.FS) (map[string]*resource, error) {
	wasm, err := readWasm(files)
	if err != nil {
		return nil, err
	}
	resources := map[string]*resource{path.Base(static.Wasm): wasm}
	err = fs.WalkDir(files, "web", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(name, static.Wasm) || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		resources[strings.TrimPrefix(name, "web/")], err = newResource(content, typeOf(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read files: %w", err)
	}
	return resources, nil
}

// readWasm reads app.wasm with its forms. An older build's forms next to a new
// program would run the old one in most browsers and the new one in the rest.
func readWasm(files fs.FS) (*resource, error) {
	var content [4][]byte
	for i, name := range []string{static.Wasm, static.WasmBrotli, static.WasmGzip, static.WasmBuild} {
		read, err := fs.ReadFile(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNotBuilt
		}
		if err != nil {
			return nil, fmt.Errorf("read files: %w", err)
		}
		content[i] = read
	}
	var build static.Build
	if err := json.Unmarshal(content[3], &build); err != nil {
		return nil, fmt.Errorf("%w (%s: %w)", ErrNotBuilt, static.WasmBuild, err)
	}
	sum := sha256Hex(content[0])
	if build.SHA256 != sum || build.Brotli != int64(len(content[1])) || build.Gzip != int64(len(content[2])) {
		return nil, fmt.Errorf("%w (the compressed files are of another build)", ErrNotBuilt)
	}
	return &resource{
		forms:       forms{identity: content[0], brotli: content[1], gzip: content[2]},
		contentType: typeOf(static.Wasm),
		etag:        `"` + sum[:16] + `"`,
	}, nil
}

// serve finds the resource of a path. Nothing of the request but its path and
// its caching headers has a say.
func (a *app) serve(w http.ResponseWriter, r *http.Request) error {
	if found, ok := a.fixed[r.URL.Path]; ok {
		found.send(w, r, http.StatusOK, cacheRevalidate)
		return nil
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/web/"); ok {
		return a.serveFile(w, r, name)
	}
	if !isNavigation(r) {
		return problem.New(problem.NotFound, nil)
	}
	a.missing.send(w, r, http.StatusNotFound, "no-store")
	return nil
}

// serveFile answers /web/<hash>/name and /web/name. Only the hash of what is
// sent makes a copy good for ever: a page of another build, seen while builds
// are exchanged, gets the file of this one for once.
func (a *app) serveFile(w http.ResponseWriter, r *http.Request, name string) error {
	hash, rest, _ := strings.Cut(name, "/")
	if file, ok := a.files[rest]; ok && isHash(hash) {
		cache := cacheRevalidate
		if hash == a.version || `"`+hash+`"` == file.etag {
			cache = cacheForever
		}
		file.send(w, r, http.StatusOK, cache)
		return nil
	}
	if file, ok := a.files[name]; ok {
		file.send(w, r, http.StatusOK, cacheRevalidate)
		return nil
	}
	return problem.New(problem.NotFound, nil)
}

func isHash(s string) bool {
	if len(s) != 16 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// isNavigation tells a person's page load from a script's or an element's.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
