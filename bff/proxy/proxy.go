package proxy

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/respond"
	"cloakroom/bff/secret"
	"cloakroom/shared"
)

// Grant is what a call may use of the session it belongs to. The zero Grant is
// nobody's.
type Grant struct {
	// Access is the token that is sent.
	Access secret.String
	// Key is the private key that Access is bound to (RFC 9449); empty for a
	// bearer token. The proxy only hands it back to Proof.
	Key secret.String
	// Session names the session to OnEnd; zero when there is none to wait for.
	Session [32]byte
}

// Want names the access token that a route sends: the zero value the session's
// own, anything else one for this API alone (RFC 8707).
type Want struct {
	Resource string
	Scopes   []string
}

// TokenSource knows the sessions.
type TokenSource interface {
	// Token finds the session r belongs to and grants the access token. It may
	// set cookies on w. When nobody is signed in it returns a *problem.Error of
	// SessionRequired or SessionEnded; any other error stops the request.
	Token(w http.ResponseWriter, r *http.Request, want Want) (Grant, error)
	// OnEnd calls f once, in a goroutine of its own, when the session of g
	// ends or if it has ended already. stop ends the waiting.
	OnEnd(g Grant, f func()) (stop func())
	// Proof returns the DPoP proof for one request with a token that is bound
	// to a key (RFC 9449 §7). nonce is the upstream's; empty when it gave none.
	Proof(g Grant, method string, target *url.URL, nonce string) (secret.String, error)
}

// Auth says whether a route's requests carry a token.
type Auth int

// The values of Auth.
const (
	Required Auth = iota // nobody signed in: 401
	Optional             // nobody signed in: forwarded without a token
	None                 // no session is looked for
)

// Route sends what is below Path to below Upstream: with Path "/api/" and
// Upstream "https://api.internal/v1/", "/api/orders" becomes
// "https://api.internal/v1/orders".
type Route struct {
	Path     string   // canonical, begins and ends with "/", not "/" itself
	Upstream *url.URL // scheme, host and a path; "/" is appended when it does not end in one
	Methods  []string // the only ones that are forwarded (BBA-19); HEAD is not implied by GET
	Auth     Auth
	Want     Want // which token goes along
	// Timeout is how long the upstream may stay silent until its answer
	// begins, not counting the time spent waiting for the client's body.
	// Streams are not cut. Zero is DefaultTimeout.
	Timeout time.Duration
}

// Defaults of what a Config leaves at zero.
const (
	DefaultTimeout       = 30 * time.Second
	DefaultMaxBody int64 = 32 << 20 // bytes
)

// Config is what a Proxy is made of.
type Config struct {
	Routes []Route
	// Tokens is required unless every route's Auth is None.
	Tokens TokenSource
	// CheckPath returns the one reading of a URL's path or an error, as
	// guard.CanonicalPath does. Required.
	CheckPath func(*url.URL) (string, error)
	// Origin the browser sees; upstreams are told it. Required.
	Origin string
	// TrustedProxies are the peers whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// Transport reaches the upstreams; nil is NewTransport(nil). One of your
	// own must not decompress (http.Transport.DisableCompression).
	Transport http.RoundTripper
	// MaxBody bounds a request's body in bytes; zero is DefaultMaxBody, less
	// than zero is no bound. WebSockets are not counted.
	MaxBody int64
	Respond *respond.Responder // nil answers without logging
	Log     *slog.Logger       // nil discards
}

// Proxy is a validated route table and the means to serve it.
type Proxy struct {
	routes    []*route
	tokens    TokenSource
	checkPath func(*url.URL) (string, error)
	origin    *url.URL
	trusted   []netip.Prefix
	transport http.RoundTripper
	maxBody   int64
	respond   *respond.Responder
	log       *slog.Logger
	streamLog *log.Logger
	buffers   bufferPool

	forwardedHost, forwardedProto []string // of origin, as header values

	// leaving ends when Drain is called.
	leaving context.Context
	leave   context.CancelFunc
}

// route is a Route with what every request of it needs, prepared.
type route struct {
	Route
	proxy *Proxy
	allow string
	nonce *nonce // shared by the routes of one upstream origin
}

// New validates c, every problem at once, and returns its Proxy. It opens no
// connection.
func New(c Config) (*Proxy, error) {
	p := &Proxy{
		tokens: c.Tokens, checkPath: c.CheckPath, trusted: c.TrustedProxies, transport: c.Transport,
		maxBody: c.MaxBody, respond: c.Respond, log: c.Log,
	}
	if p.checkPath == nil {
		return nil, errors.New("proxy: no CheckPath")
	}
	var problems []error
	origin, err := url.Parse(c.Origin)
	if err != nil || origin.Host == "" || (origin.Scheme != "http" && origin.Scheme != "https") {
		problems = append(problems, errors.New("proxy: origin: not an http(s) origin"))
	}
	p.origin = origin
	if origin != nil {
		p.forwardedHost, p.forwardedProto = []string{origin.Host}, []string{origin.Scheme}
	}
	p.leaving, p.leave = context.WithCancel(context.Background())
	seen, nonces := map[string]bool{}, map[string]*nonce{}
	for _, r := range c.Routes {
		made, err := p.newRoute(r)
		if err != nil {
			problems = append(problems, fmt.Errorf("proxy: route %q: %w", r.Path, err))
			continue
		}
		if seen[r.Path] {
			problems = append(problems, fmt.Errorf("proxy: route %q: listed twice", r.Path))
		}
		seen[r.Path] = true
		upstream := made.Upstream.Scheme + "://" + made.Upstream.Host
		if nonces[upstream] == nil {
			nonces[upstream] = &nonce{}
		}
		made.nonce = nonces[upstream]
		p.routes = append(p.routes, made)
	}
	if len(problems) > 0 {
		p.leave()
		return nil, errors.Join(problems...)
	}
	p.setDefaults()
	return p, nil
}

func (p *Proxy) setDefaults() {
	if p.transport == nil {
		p.transport = NewTransport(nil)
	}
	if p.maxBody == 0 {
		p.maxBody = DefaultMaxBody
	}
	if p.respond == nil {
		p.respond = &respond.Responder{}
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.streamLog = log.New(streamLog{p.log}, "", 0)
}

// newRoute checks r, all of it, and makes it canonical.
func (p *Proxy) newRoute(r Route) (*route, error) {
	problems := []error{p.checkRoutePath(r.Path)}
	upstream, err := p.checkUpstream(r.Upstream)
	problems = append(problems, err, checkMethods(r.Methods))
	if r.Auth < Required || r.Auth > None {
		problems = append(problems, errors.New("unknown auth"))
	}
	if r.Auth != None && p.tokens == nil {
		problems = append(problems, errors.New("auth without a token source"))
	}
	if r.Timeout < 0 {
		problems = append(problems, errors.New("negative timeout"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	r.Upstream = upstream
	r.Methods = slices.Clone(r.Methods)
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	return &route{Route: r, proxy: p, allow: strings.Join(r.Methods, ", ")}, nil
}

func (p *Proxy) checkRoutePath(path string) error {
	canonical, err := p.checkPath(&url.URL{Path: path})
	switch {
	case err != nil || canonical != path || !strings.HasSuffix(path, "/"):
		return errors.New("the path must be canonical and end with a slash")
	case path == "/":
		return errors.New("the path must leave room for the application")
	case strings.HasPrefix(strings.ToLower(path), shared.BFFPrefix):
		return errors.New("the path belongs to the BFF")
	case strings.ContainsAny(path, "{}?"):
		return errors.New("the path must not have a wildcard") // http.ServeMux would read it as one
	}
	return nil
}

// checkUpstream returns u with a path that ends in a slash, so that whatever
// is appended stays below it.
func (p *Proxy) checkUpstream(u *url.URL) (*url.URL, error) {
	switch {
	case u == nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Opaque != "":
		return nil, errors.New("the upstream must be an http(s) URL with a host")
	case u.User != nil:
		return nil, errors.New("the upstream must not name a user")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the upstream must have no query or fragment")
	}
	path := u.Path
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	canonical, err := p.checkPath(&url.URL{Path: path})
	if err != nil || canonical != path || u.RawPath != "" {
		return nil, errors.New("the upstream's path must be canonical")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: path}, nil
}

// checkMethods wants methods named, and none that a page never needs: TRACE
// would show the token to script, OPTIONS would approve preflights.
func checkMethods(methods []string) error {
	if len(methods) == 0 {
		return errors.New("no method is allowed")
	}
	for i, m := range methods {
		switch {
		case m == http.MethodTrace || m == http.MethodConnect || m == http.MethodOptions:
			return fmt.Errorf("the method %s cannot be allowed", m)
		case m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "":
			return fmt.Errorf("%q is not a method in capitals", m)
		case slices.Contains(methods[:i], m):
			return fmt.Errorf("the method %s is listed twice", m)
		}
	}
	return nil
}

// Routes returns a copy of the table, in its order, with defaults filled in.
func (p *Proxy) Routes() []Route {
	out := make([]Route, 0, len(p.routes))
	for _, r := range p.routes {
		out = append(out, r.public())
	}
	return out
}

// Mount is a route and what serves it. Route.Path is the pattern for an
// http.ServeMux.
type Mount struct {
	Route   Route
	Handler http.Handler
}

// Mounts returns a handler for every route, in the table's order.
func (p *Proxy) Mounts() []Mount {
	out := make([]Mount, 0, len(p.routes))
	for _, r := range p.routes {
		out = append(out, Mount{r.public(), p.respond.Handler(r.serve)})
	}
	return out
}

func (r *route) public() Route {
	out := r.Route
	u := *r.Upstream
	out.Upstream, out.Methods = &u, slices.Clone(r.Methods)
	return out
}
