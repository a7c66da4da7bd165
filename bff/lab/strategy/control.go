package strategy

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httputil"
	"time"

	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// Server is the process that serves a strategy's application; false where the
// world does that itself.
func (w *World) Server(id string) (s Server, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok = w.servers[id]
	return s, ok
}

// start starts a Cloakroom for a strategy, in place of the one it has, which is
// returned and goes on.
func (w *World) start(id string) (before Server, err error) {
	server, err := w.cfg.Cloakroom(w.configs[id])
	if err != nil {
		return nil, fmt.Errorf("start Cloakroom: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, w.servers[id] = w.servers[id], server
	return before, nil
}

// Restart has an application's server killed and started again. Where the world
// serves it, what the server had in memory is dropped.
func (w *World) Restart(s lab.Strategy) error {
	if server, ok := w.Server(s.ID); ok {
		if err := server.Restart(); err != nil {
			return fmt.Errorf("strategy: restart %s: %w", s.ID, err)
		}
		return nil
	}
	_, err := w.replace(s)
	return err
}

// Another has a second server of the same configuration get all requests to an
// application, until back is called. It shares with the first what the
// configuration says, and nothing else.
func (w *World) Another(s lab.Strategy) (back func(), err error) {
	if _, ok := w.Server(s.ID); !ok {
		return w.replace(s)
	}
	first, err := w.start(s.ID)
	if err != nil {
		return nil, fmt.Errorf("strategy: another %s: %w", s.ID, err)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.servers[s.ID] = first
	}, nil
}

// replace makes an application that the world serves anew.
func (w *World) replace(s lab.Strategy) (back func(), err error) {
	handler, err := w.application(s)
	if err != nil {
		return nil, fmt.Errorf("strategy: %s: %w", s.ID, err)
	}
	set := func(h http.Handler) (before http.Handler) {
		w.mu.Lock()
		defer w.mu.Unlock()
		before, w.hosts[w.host(s.ID)] = w.hosts[w.host(s.ID)], h
		return before
	}
	first := set(handler)
	return func() { set(first) }, nil
}

// SignIn is where a visit begins a sign-in at an application whose server does
// that.
func (w *World) SignIn(s lab.Strategy) string {
	if s.TokensInPage {
		return w.Origin(s.ID) + mediatorSignIn
	}
	return w.Origin(s.ID) + shared.PathLogin
}

// Pad has the provider put a claim of n random letters into every access and
// every ID token from now on, as one does that lists a user's groups.
func (w *World) Pad(n int) { w.padding.Store(int64(n)) }

func (w *World) pad(_ string, claims map[string]any) {
	if n := int(w.padding.Load()); n > 0 {
		letters := make([]byte, (n+3)/4*3)
		rand.Read(letters)
		claims["groups"] = base64.RawURLEncoding.EncodeToString(letters)[:n]
	}
}

// Tokens are what the provider issued to somebody. They are what they look
// like: nothing that holds them may end up in a report.
type Tokens struct{ Access, Refresh string }

// Issued are the latest tokens that anybody was issued.
func (w *World) Issued() Tokens {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.issued
}

func (w *World) onIssue(kind, token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch kind {
	case shared.TokenAccess:
		w.issued.Access = token
	case shared.TokenRefresh:
		w.issued.Refresh = token
	}
}

// Secret is what an application proves itself with at the provider; empty for
// a public client.
func (w *World) Secret(id string) string { return w.secrets[id].Reveal() }

// RefreshTokenLifetime is how long the provider's refresh tokens are good,
// rotated or not.
const RefreshTokenLifetime = 8 * time.Hour

// Call is a request for the victim's orders as it arrived, with all it brought:
// the credentials too. Nothing that holds it may end up in a report.
type Call struct {
	Method, URL string
	Header      http.Header
	// Head is the size of its head in bytes, request line and Host included, as
	// it is written in HTTP/1.1.
	Head int
}

// LastCall is the latest request for orders that a page of the application
// made and that was answered; false if there was none.
func (w *World) LastCall(id string) (c Call, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok = w.calls[id]
	return c, ok
}

// remember keeps a call, if it is one. Browsers say where a call to another
// origin comes from, and what a request within an origin is for.
func (w *World) remember(c Call, v Visit) {
	if v.Method != http.MethodGet || v.Status != http.StatusOK {
		return
	}
	for _, s := range w.cfg.Strategies {
		address, _ := w.Orders(s)
		page := v.Origin == w.Origin(s.ID) || v.Origin == "" && v.Host == w.host(s.ID)
		if page && c.URL == address && c.Header.Get("Sec-Fetch-Mode") != "" {
			w.calls[s.ID] = c
		}
	}
}

// headSize writes a request's head again and counts.
func headSize(r *http.Request) int {
	head, err := httputil.DumpRequest(r, false)
	if err != nil {
		return 0
	}
	return len(head)
}
