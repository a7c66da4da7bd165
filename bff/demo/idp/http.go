package idp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const maxBody = 64 << 10

// harden gives every answer the headers of a page that may do nothing; pages
// that may do more say so themselves. It bounds what is read.
func (p *Provider) harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store") // RFC 6749 §5.1
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		// same-origin and not no-referrer: the latter turns a form's Origin into null.
		h.Set("Referrer-Policy", "same-origin")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(challenger{w, r.URL.Path}, r)
	})
}

// challenger names the scheme with every 401 (RFC 9110 §11.6.1).
type challenger struct {
	http.ResponseWriter
	path string
}

func (c challenger) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c challenger) WriteHeader(status int) {
	if status == http.StatusUnauthorized && c.Header().Get("WWW-Authenticate") == "" {
		challenge := `Basic realm="token endpoint"`
		if c.path == pathUserinfo {
			challenge = `Bearer error="invalid_token"`
		}
		c.Header().Set("WWW-Authenticate", challenge)
	}
	c.ResponseWriter.WriteHeader(status)
}

// backChannelOnly holds the endpoints of clients to what RFC 6749 §3.2 allows:
// POST, parameters once, and no secret in a URI (§2.3.1).
func backChannelOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuseRequest(w, r, http.StatusMethodNotAllowed, "only POST is allowed")
			return
		}
		if r.URL.RawQuery != "" {
			refuseRequest(w, r, http.StatusBadRequest, "parameters belong in the body")
			return
		}
		if err := r.ParseForm(); err != nil {
			refuseRequest(w, r, http.StatusBadRequest, "the body could not be read")
			return
		}
		for name, values := range r.PostForm {
			if len(values) > 1 && name != paramResource {
				refuseRequest(w, r, http.StatusBadRequest, "a parameter was sent twice")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func refuseRequest(w http.ResponseWriter, r *http.Request, status int, why string) {
	op.WriteError(w, r, op.NewStatusError(oidc.ErrInvalidRequest().WithDescription("%s", why), status), nil)
}

// readable turns the JSON errors of the endpoints that people visit into a page.
func readable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			next.ServeHTTP(w, r)
			return
		}
		held := &heldResponse{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(held, r)
		if held.status < http.StatusBadRequest {
			w.WriteHeader(held.status)
			_, _ = w.Write(held.body.Bytes())
			return
		}
		var problem struct {
			Code        string `json:"error"`
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(held.body.Bytes(), &problem)
		showError(w, held.status, problem.Code, problem.Description)
	})
}

// heldResponse keeps status and body back until it is known what they are.
type heldResponse struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldResponse) WriteHeader(status int)      { h.status = status }
func (h *heldResponse) Write(b []byte) (int, error) { return h.body.Write(b) }
