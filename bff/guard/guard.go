package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloakroom/bff/respond"
	"cloakroom/shared/problem"
)

// Kind says how a route is meant to be reached. The zero Kind is not a way to
// reach anything: a route that forgot to declare one answers nobody.
type Kind int

// The kinds of routes.
const (
	// Call is for scripts of our own pages: BFF endpoints and proxied APIs.
	Call Kind = iota + 1
	// Navigation is for a person's own page load: login, logout, signed-out.
	Navigation
	// Return is for the provider's redirect back to us. Any site may start it;
	// the login transaction's state cookie is what protects it.
	Return
	// Page is the SPA's shell and static files. No session is used there.
	Page
	// Peer is for the provider's server, which proves itself in the body it
	// posts. No browser has business there.
	Peer
)

// String names k as its constant does.
func (k Kind) String() string {
	switch k {
	case Call:
		return "Call"
	case Navigation:
		return "Navigation"
	case Return:
		return "Return"
	case Page:
		return "Page"
	case Peer:
		return "Peer"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Config is what a Guard is made of.
type Config struct {
	// Origin the browser sees, as in "https://app.example.com". Required.
	Origin string
	// WorkerPath is the one path a service worker may be registered from.
	// Empty allows none.
	WorkerPath string
	// Respond answers for refused requests; nil answers without logging.
	Respond *respond.Responder
}

// Guard checks requests against one public origin.
type Guard struct {
	origin     string
	hosts      []string // spellings of the public host, lower case
	workerPath string
	respond    *respond.Responder
	common     []header // of every answer
	page       []header // of a Page, on top
}

// New returns the guard of c.Origin.
func New(c Config) (*Guard, error) {
	u, err := parseOrigin(c.Origin)
	if err != nil {
		return nil, err
	}
	if c.WorkerPath != "" {
		if _, err := CanonicalPath(&url.URL{Path: c.WorkerPath}); err != nil {
			return nil, fmt.Errorf("guard: worker path: %w", err)
		}
	}
	g := &Guard{
		origin:     u.Scheme + "://" + u.Host,
		hosts:      hostSpellings(u),
		workerPath: c.WorkerPath,
		respond:    c.Respond,
		common:     commonHeaders(u.Scheme == "https"),
		page:       pageHeaders(),
	}
	if g.respond == nil {
		g.respond = &respond.Responder{}
	}
	return g, nil
}

// Check decides whether r may reach a route of that kind. It returns a
// *problem.Error that names the layer which failed, or nil.
func (g *Guard) Check(kind Kind, r *http.Request) error {
	if err := g.checkWorker(r); err != nil {
		return err
	}
	switch kind {
	case Call:
		return g.checkCall(r)
	case Navigation:
		return g.checkNavigation(r)
	case Return:
		return checkReturn(r)
	case Page:
		return checkPage(r)
	case Peer:
		return checkPeer(r)
	}
	return problem.New(problem.Internal, fmt.Errorf("guard: check: route of unknown kind %v", kind))
}

// Handler lets only what Check allows reach next, and gives a Page the headers
// of a page.
func (g *Guard) Handler(kind Kind, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.Check(kind, r); err != nil {
			if problem.CodeOf(err) == problem.MethodNotAllowed {
				w.Header().Set("Allow", allowed(kind)) // RFC 9110 §15.5.6
			}
			g.respond.Error(w, r, err)
			return
		}
		if kind == Page {
			setHeaders(w, g.page)
		}
		next.ServeHTTP(w, r)
	})
}

func allowed(kind Kind) string {
	switch kind {
	case Page:
		return "GET, HEAD"
	case Peer:
		return "POST"
	}
	return "GET"
}

// parseOrigin reads a web origin (RFC 6454 §6.2) in its canonical form: lower
// case, without a default port.
func parseOrigin(origin string) (*url.URL, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, errors.New("guard: origin: not a URL")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("guard: origin: must begin with https:// or http://")
	case u.Hostname() == "" || u.User != nil || strings.HasSuffix(u.Hostname(), "."):
		return nil, errors.New("guard: origin: must name one host, without user and without a trailing dot")
	case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("guard: origin: must have no path, query or fragment")
	}
	for _, c := range []byte(u.Host) {
		if c >= 0x80 {
			return nil, errors.New("guard: origin: an international name must be written in its xn-- form")
		}
	}
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, ":"+defaultPort(u.Scheme))
	return &url.URL{Scheme: u.Scheme, Host: strings.TrimSuffix(host, ":")}, nil
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}
