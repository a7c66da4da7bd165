package strategy

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"cloakroom/shared/lab"
)

//go:embed pages
var pages embed.FS

// built is what make wasm leaves there, and does not commit: the program of
// wasmpage, and the script of Go's that runs it.
//
//go:embed all:built
var built embed.FS

// ErrNotBuilt says that wasmpage is missing.
var ErrNotBuilt = errors.New("the application in WebAssembly is not built: run make wasm")

var index = template.Must(template.ParseFS(pages, "pages/index.html"))

// files are an application's page, by their path: index.html and app.js are
// everybody's, session.js knows how to sign in and to call. A page that holds
// tokens has, besides what it shares with others, the files of its strategy's
// own folder, or keep.js, which says where it keeps them.
func (w *World) files(s lab.Strategy) (map[string][]byte, error) {
	var page bytes.Buffer
	agent := ""
	if w.cfg.Agent != nil {
		agent = AgentScript
	}
	if err := index.Execute(&page, map[string]string{"Agent": agent, "Name": s.Name}); err != nil {
		return nil, err
	}
	from := map[string]string{"app.js": "app.js", "session.js": "bff.js"}
	files := map[string][]byte{"index.html": page.Bytes()}
	if s.Public {
		for _, shared := range []string{"ask.js", "oauth.js", "store.js"} {
			from[shared] = shared
		}
	}
	if s.TokensInPage {
		own, err := fs.Glob(pages, "pages/"+s.ID+"/*")
		if err != nil {
			return nil, err
		}
		if len(own) == 0 {
			from["session.js"], from["keep.js"] = "signin.js", "keep/"+s.ID+".js"
		}
		for _, name := range own {
			from[path.Base(name)] = strings.TrimPrefix(name, "pages/")
		}
		files["config.js"] = w.config(s)
	}
	if s.ID == "wasm-memory" {
		for _, name := range []string{"app.wasm", "wasm_exec.js"} {
			content, err := built.ReadFile("built/" + name)
			if err != nil {
				return nil, ErrNotBuilt
			}
			files[name] = content
		}
	}
	for name, source := range from {
		content, err := fs.ReadFile(pages, "pages/"+source)
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	return files, nil
}

// config tells the scripts of an application where everybody is.
func (w *World) config(s lab.Strategy) []byte {
	var script bytes.Buffer
	for _, constant := range [][2]string{
		{"issuer", w.Issuer()}, {"client", w.ClientID(s.ID)}, {"api", w.API()}, {"scope", scopes}, {"redirect", w.RedirectURI(s)},
	} {
		fmt.Fprintf(&script, "export const %s = %q;\n", constant[0], constant[1])
	}
	return script.Bytes()
}

// page serves an application that holds its tokens itself: a few files.
func (w *World) page(s lab.Strategy) (http.Handler, error) {
	files, err := w.files(s)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name := cmp.Or(r.URL.Path[1:], "index.html")
		content, ok := files[name]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", map[string]string{
			".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".wasm": "application/wasm",
		}[path.Ext(name)])
		rw.Header().Set("Cache-Control", "no-store")
		rw.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = rw.Write(content)
	}), nil
}

// writePage puts an application's files into a folder, for a server to serve.
func (w *World) writePage(s lab.Strategy) (folder string, err error) {
	files, err := w.files(s)
	if err != nil {
		return "", err
	}
	if w.folder == "" {
		if w.folder, err = os.MkdirTemp("", "cloakroom-lab-"); err != nil {
			return "", err
		}
	}
	folder = filepath.Join(w.folder, s.ID)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return "", fmt.Errorf("write page: %w", err)
		}
	}
	return folder, nil
}
