package balancer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"sync"
	"time"

	"cloakroom/bff/respond"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// Policy says who serves whom, in the lab's words.
type Policy = lab.Balance

// The policies.
const (
	RoundRobin       = lab.RoundRobin // each in its turn
	LeastConnections = lab.LeastConn  // the one with the fewest requests under way
	// OwnCookie sticks by a cookie of the balancer's, which names the instance.
	// The instances never see it.
	OwnCookie = lab.StickyCookie
	// SessionCookie sticks by the application's session cookie: whoever set it
	// gets it back, as with HAProxy's "stick store-response". One that nobody
	// was seen to set goes round robin, and so does one whose instance is away,
	// until it is back.
	SessionCookie = lab.StickySession
)

// Policies lists them.
func Policies() []Policy { return []Policy{RoundRobin, LeastConnections, OwnCookie, SessionCookie} }

// CookieName is the balancer's own cookie. It is of one browser session, and Lax:
// the way back from the provider is a visit from another site.
const CookieName = "__Host-instance"

// Config of a Balancer. The zero value is round robin.
type Config struct {
	Policy Policy
	// Session is the name of the application's session cookie; "": shared.CookieName.
	Session string
	// Check is how often each instance is asked whether it is ready; 0: 1 s.
	Check time.Duration
	// Fall is after how many failures in a row an instance is down, Rise after
	// how many successes it is up again; 0: 2. An instance that takes no
	// connection is down at once.
	Fall, Rise int
	// Observe hears of every request, when its answer begins. It must not block.
	// nil: nobody does.
	Observe func(Request)
	// Changed hears when an instance's state is another one; nil: nobody does.
	Changed func(Status)
	// Log receives changes and failures; nil discards.
	Log *slog.Logger
}

// Balancer is an http.Handler that passes requests on. All of its methods may be
// called at any time, from any goroutine.
type Balancer struct {
	cfg       Config
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	probe     *http.Client
	table     *table
	answer    *respond.Responder

	mu        sync.Mutex
	instances []*instance
	turn      int
}

var _ http.Handler = (*Balancer)(nil)

// New returns a balancer without instances: every request is a 503 until there
// is one.
func New(c Config) (*Balancer, error) {
	c.Policy = cmp.Or(c.Policy, RoundRobin)
	c.Session = cmp.Or(c.Session, shared.CookieName)
	c.Check, c.Fall, c.Rise = cmp.Or(c.Check, time.Second), cmp.Or(c.Fall, 2), cmp.Or(c.Rise, 2)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var wrong []error
	if !slices.Contains(Policies(), c.Policy) {
		wrong = append(wrong, fmt.Errorf("there is no policy %q, but %q", c.Policy, Policies()))
	}
	if c.Check < 0 || c.Fall < 0 || c.Rise < 0 {
		wrong = append(wrong, errors.New("what Check, Fall and Rise count cannot be negative"))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("balancer: %w", err)
	}
	b := &Balancer{cfg: c, table: newTable(tableSize), answer: &respond.Responder{Log: c.Log}}
	b.transport = &http.Transport{
		DialContext:        (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10, // up to 24 KiB of it are cookies
	}
	b.probe = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	b.proxy = &httputil.ReverseProxy{
		Rewrite: forward, Transport: roundTripper{b}, FlushInterval: -1,
		ErrorHandler: b.failed, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return b, nil
}

// Instance is where requests can go.
type Instance struct {
	// Name tells it from the others, in the cookie and in reports: 1 to 32 of
	// a-z, 0-9 and hyphen.
	Name string
	// Address is its host and port, plain HTTP.
	Address string
	// Admin is the host and port where /readyz is. Empty: it is never asked, and
	// if it takes no connection, it is tried again after Config.Check.
	Admin string
}

var nameForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Add takes an instance in, as one that is ready.
func (b *Balancer) Add(i Instance) error {
	if !nameForm.MatchString(i.Name) {
		return fmt.Errorf("balancer: add: %q is no name of an instance", i.Name)
	}
	if _, _, err := net.SplitHostPort(i.Address); err != nil {
		return fmt.Errorf("balancer: add %s: %w", i.Name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.find(i.Name) != nil {
		return fmt.Errorf("balancer: add: there is an instance %s already", i.Name)
	}
	b.instances = append(b.instances, &instance{Instance: i, state: Up})
	return nil
}

// Remove takes an instance out. What is under way there goes on.
func (b *Balancer) Remove(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.find(name)
	if i == nil {
		return fmt.Errorf("balancer: remove: there is no instance %s", name)
	}
	i.gone = true // for its own requests, which may still want to say how it is
	b.instances = slices.DeleteFunc(b.instances, func(one *instance) bool { return one == i })
	return nil
}

// Drain keeps new requests from an instance, sticky ones too, and lets those
// under way finish; off undoes it. An instance that says so itself, on /readyz,
// drains without being told here.
func (b *Balancer) Drain(name string, on bool) error {
	b.mu.Lock()
	i := b.find(name)
	if i == nil {
		b.mu.Unlock()
		return fmt.Errorf("balancer: drain: there is no instance %s", name)
	}
	i.drained = on
	status := i.status()
	b.mu.Unlock()
	b.tell(status)
	return nil
}

// Instances says how each is, in the order in which they were added.
func (b *Balancer) Instances() []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Status, len(b.instances))
	for n, i := range b.instances {
		list[n] = i.status()
	}
	return list
}

// find returns an instance by its name; nil: there is none. b.mu is held.
func (b *Balancer) find(name string) *instance {
	if n := slices.IndexFunc(b.instances, func(i *instance) bool { return i.Name == name }); n >= 0 {
		return b.instances[n]
	}
	return nil
}

// Serve answers on a listener until ctx ends, and asks the instances how they
// are meanwhile. With certificates TLS ends here; nil is plain HTTP.
func (b *Balancer) Serve(ctx context.Context, l net.Listener, certificates *tls.Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler: b, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(b.cfg.Log.Handler(), slog.LevelDebug),
	}
	if certificates != nil {
		server.TLSConfig = certificates.Clone()
		server.TLSConfig.MinVersion = max(certificates.MinVersion, tls.VersionTLS12)
	}
	failed := make(chan error, 1)
	go func() {
		if certificates != nil {
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
	checked := make(chan struct{})
	go func() { defer close(checked); b.Run(ctx) }()
	defer func() { stop(); <-checked }()
	select {
	case err := <-failed:
		return fmt.Errorf("balancer: %w", err)
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil {
		return fmt.Errorf("balancer: %w", err)
	}
	return nil
}
