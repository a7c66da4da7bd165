package strategy

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"text/template"

	"cloakroom/shared/lab"
)

// cloakroomConfig is what a deployment would write into its file.
var cloakroomConfig = template.Must(template.New("cloakroom.yaml").Parse(`public_url: {{.Origin}}
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
provider:
  issuer: {{.Issuer}}
  client_id: {{.Client}}
  client_secret: {{.Secret}}
  scopes: [openid, profile, offline_access, orders]
session:
  keys: [{id: lab-1, secret: {{.Key}}}]
{{.Session}}api:
  - path: /api/
    upstream: {{.API}}/
spa: {dir: {{.Folder}}}
`))

// sessions is what the strategies with a Cloakroom differ in: the part of its
// config that says where sessions are kept. One with a store has its URL put in.
var sessions = map[string]struct{ lines, store string }{
	"cookie-securecookie": {lines: "  store: cookie\n  cookie_format: securecookie\n"},
	"cookie-jws":          {lines: "  store: cookie\n  cookie_format: jws\n  insecure_readable_tokens: true\n"},
	"cookie-jwe":          {lines: "  store: cookie\n  cookie_format: jwe\n"},
	"cookie-nested":       {lines: "  store: cookie\n  cookie_format: nested\n"},
	"bff-memory":          {lines: "  store: memory\n"},
	"bff-redis":           {lines: "  store: redis\n  url: %q\n", store: "redis"},
	"bff-sql":             {lines: "  store: postgres\n  url: %q\n", store: "postgres"},
}

// StoreOf is the kind of store that a strategy needs; empty: none.
func StoreOf(s lab.Strategy) string { return sessions[s.ID].store }

// Between alters what passes between a browser and a server. Each may be nil.
type Between struct {
	// Answer may answer a request by itself, and then reports true.
	Answer func(http.ResponseWriter, *http.Request) bool
	// Request alters what is sent on, Response the header of what comes back.
	Request  func(*http.Request)
	Response func(http.Header)
}

// cloakroom starts a real Cloakroom and stands in front of it like any load
// balancer: it passes everything on, host and all.
func (w *World) cloakroom(s lab.Strategy) (http.Handler, error) {
	if w.cfg.Cloakroom == nil {
		return nil, errors.New("no Cloakroom to put in front")
	}
	config, err := w.configure(s)
	if err != nil {
		return nil, err
	}
	w.configs[s.ID] = config
	if _, err := w.start(s.ID); err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			server, _ := w.Server(s.ID)
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", server.Address(), p.In.Host
			if w.cfg.Between.Request != nil {
				w.cfg.Between.Request(p.Out)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if w.cfg.Between.Response != nil {
				w.cfg.Between.Response(resp.Header)
			}
			return nil
		},
		ErrorLog: slog.NewLogLogger(w.cfg.Log.Handler(), slog.LevelWarn),
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.cfg.Between.Answer == nil || !w.cfg.Between.Answer(rw, r) {
			proxy.ServeHTTP(rw, r)
		}
	}), nil
}

// configure writes a Cloakroom's config file, and starts the store it names.
func (w *World) configure(s lab.Strategy) ([]byte, error) {
	session, ok := sessions[s.ID]
	if !ok {
		return nil, errors.New("nobody knows where its sessions are kept")
	}
	if session.store != "" {
		if w.cfg.Store == nil {
			return nil, fmt.Errorf("no %s to keep sessions in", session.store)
		}
		store, err := w.cfg.Store(session.store)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", session.store, err)
		}
		w.stores[s.ID] = store
		session.lines = fmt.Sprintf(session.lines, store.URL())
	}
	folder, err := w.writePage(s)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	rand.Read(key)
	var config bytes.Buffer
	err = cloakroomConfig.Execute(&config, map[string]string{
		"Origin": w.Origin(s.ID), "Issuer": w.Issuer(), "API": w.API(), "Folder": folder,
		"Client": w.ClientID(s.ID), "Secret": w.secrets[s.ID].Reveal(),
		"Key": base64.StdEncoding.EncodeToString(key), "Session": session.lines,
	})
	return config.Bytes(), err
}
