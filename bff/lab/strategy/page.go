package strategy

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"cloakroom/shared/lab"
)

//go:embed pages
var pages embed.FS

var index = template.Must(template.ParseFS(pages, "pages/index.html"))

// files are an application's page, by their path: index.html and app.js are
// everybody's, session.js knows how to sign in and to call, and keep.js, where
// the page holds tokens, where it keeps them.
func (w *World) files(s lab.Strategy) (map[string][]byte, error) {
	var page bytes.Buffer
	agent := ""
	if w.cfg.Agent != nil {
		agent = AgentScript
	}
	if err := index.Execute(&page, map[string]string{
		"Agent": agent, "Name": s.Name, "Issuer": w.Issuer(), "Client": w.ClientID(s.ID), "API": w.API(), "Scope": scopes,
	}); err != nil {
		return nil, err
	}
	from := map[string]string{"app.js": "app.js", "session.js": "bff.js"}
	if s.Public {
		from["session.js"], from["keep.js"] = "signin.js", "keep/"+s.ID+".js"
	}
	files := map[string][]byte{"index.html": page.Bytes()}
	for name, source := range from {
		content, err := fs.ReadFile(pages, "pages/"+source)
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	return files, nil
}

// page serves an application that holds its tokens itself: a few files.
func (w *World) page(s lab.Strategy) (http.Handler, error) {
	files, err := w.files(s)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name, kind := r.URL.Path[1:], "text/javascript; charset=utf-8"
		if name == "" {
			name, kind = "index.html", "text/html; charset=utf-8"
		}
		content, ok := files[name]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", kind)
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
