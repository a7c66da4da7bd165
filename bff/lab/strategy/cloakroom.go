package strategy

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"

	"cloakroom/shared/lab"
)

// cloakroomConfig is what a deployment would write into its file.
const cloakroomConfig = `public_url: %s
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
provider:
  issuer: %s
  client_id: %s
  client_secret: %s
  scopes: [%s]
session:
  store: memory
api:
  - path: /api/
    upstream: %s/
spa: {dir: %s}
`

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
	folder, err := w.writePage(s)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(cloakroomConfig, w.Origin(s.ID), w.Issuer(), w.ClientID(s.ID), w.secrets[s.ID].Reveal(),
		"openid, profile, offline_access, orders", w.API(), folder)
	server, err := w.cfg.Cloakroom([]byte(config))
	if err != nil {
		return nil, fmt.Errorf("start Cloakroom: %w", err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
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
