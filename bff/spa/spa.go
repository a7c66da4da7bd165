package spa

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"

	"cloakroom/bff/respond"
	"cloakroom/shared/problem"
	"cloakroom/static"
)

// ErrNotBuilt says that the server was compiled without the Wasm program.
var ErrNotBuilt = errors.New("the SPA is not built: run make build")

// Config of an SPA. Its zero value serves the embedded one.
type Config struct {
	// Dir is a folder with a built SPA, DevServer the address of a dev server on
	// loopback ("http://localhost:5173"). At most one of them.
	Dir, DevServer string
	// Origin of the application as the browser sees it, scheme and host; it is
	// written into the embedded pages' metadata. Empty leaves that out.
	Origin string
	// Log gets failures of the server's side; nil discards.
	Log *slog.Logger
	// Respond answers for what fails; nil answers without logging.
	Respond *respond.Responder
	// Transport reaches the dev server; nil is one that dials loopback only.
	Transport http.RoundTripper
	// Files is where the embedded SPA's files are; nil is static.FS.
	Files fs.FS
}

// SPA serves one single-page application.
type SPA struct {
	respond *respond.Responder
	serve   respond.Func
	close   func() error
}

// New prepares the SPA cfg names. It reads what it will serve, so that a
// missing or half-built application is found at start.
func New(cfg Config) (*SPA, error) {
	if cfg.Respond == nil {
		cfg.Respond = &respond.Responder{Log: cfg.Log}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Files == nil {
		cfg.Files = static.FS
	}
	s := &SPA{respond: cfg.Respond, close: func() error { return nil }}
	var err error
	switch {
	case cfg.Dir != "" && cfg.DevServer != "":
		err = errors.New("dir and dev server exclude each other")
	case cfg.Dir != "":
		var f *folder
		if f, err = openFolder(cfg.Dir); err == nil {
			s.serve, s.close = f.serve, f.root.Close
		}
	case cfg.DevServer != "":
		s.serve, err = devServer(cfg)
	default:
		s.serve, err = embedded(cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("spa: %w", err)
	}
	return s, nil
}

// ServeHTTP answers GET and HEAD, and refuses what is neither.
func (s *SPA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD") // RFC 9110 §15.5.6
		s.respond.Error(w, r, problem.New(problem.MethodNotAllowed, nil))
		return
	}
	if err := s.serve(w, r); err != nil {
		s.respond.Error(w, r, err)
	}
}

// Close lets go of a folder.
func (s *SPA) Close() error { return s.close() }

var _ http.Handler = (*SPA)(nil)

// origin checks Config.Origin: scheme and host, nothing else.
func origin(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("origin %q is not scheme://host", raw)
	}
	return u, nil
}
