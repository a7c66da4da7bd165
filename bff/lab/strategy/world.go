package strategy

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloakroom/bff/demo/api"
	"cloakroom/bff/demo/idp"
	"cloakroom/bff/secret"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// Config of a World.
type Config struct {
	// Strategies to set up; nil: all.
	Strategies []lab.Strategy
	// Cloakroom starts a Cloakroom with the config file of that content, whose
	// public URL is of this world. It is needed for the strategies that have one.
	Cloakroom func(config []byte) (Server, error)
	// Store starts a session store: "redis" or "postgres". It is needed for the
	// strategies that have one.
	Store func(kind string) (Store, error)
	// Between stands between the browser and Cloakroom, for tests that take a
	// defence away: it alters a request before it is sent on, an answer before
	// it is sent back, or answers by itself. The zero value changes nothing.
	Between Between
	// AccessTokenLifetime of every application's; 0: longer than a run, so that
	// no verdict hangs on an expiry.
	AccessTokenLifetime time.Duration
	// InsecurePublicBFF has the provider take Cloakroom for a public client.
	InsecurePublicBFF bool
	// Log receives failures of the world itself; nil discards.
	Log *slog.Logger
}

// Server is a running process that serves an application. Whoever started it
// ends it.
type Server interface {
	// Address is its host:port, the same after a Restart.
	Address() string
	// Restart kills it, starts it again, and waits until it is ready.
	Restart() error
	// CPU is the processor time it used so far.
	CPU() time.Duration
	// Memory is what it has resident, in bytes.
	Memory() (int64, error)
}

// Store is a running session store. Whoever started it ends it.
type Store interface {
	// URL is how Cloakroom is told of it.
	URL() string
	// Down stops it, and Up starts it again with what it had.
	Down() error
	Up() error
	// Dump is all that it holds, in memory and on disk, piece by piece.
	Dump() iter.Seq[[]byte]
	// Size is what it needs for what it holds, in bytes, as it says itself.
	Size() (int64, error)
}

// World is a running lab world.
type World struct {
	cfg      Config
	idp      *idp.Provider
	api      *api.API
	port     int
	listener net.Listener
	server   *http.Server
	hosts    map[string]http.Handler
	folder   string // what Cloakroom serves
	secrets  map[string]secret.String
	stores   map[string]Store  // by strategy
	configs  map[string][]byte // of Cloakrooms
	padding  atomic.Int64      // bytes

	mu        sync.Mutex
	servers   map[string]Server // by strategy
	visits    []Visit
	calls     map[string]Call
	issued    Tokens
	infected  string // host
	infection Infection
}

// Victim is the person whose data is at stake.
var Victim = idp.DefaultUsers()[0]

// Stranger is somebody who may sign in at every application too, and has
// nothing there.
var Stranger = idp.DefaultUsers()[1]

// maxHeader bounds a request's head, in bytes: far beyond what servers usually
// take, so that what is measured is a strategy's own bound.
const maxHeader = 8 << 20

// scopes every application asks for.
const scopes = "openid profile offline_access orders"

// Open starts a world; Close ends it.
func Open(cfg Config) (*World, error) {
	if cfg.Strategies == nil {
		cfg.Strategies = lab.Strategies()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("strategy: %w", err)
	}
	w := &World{
		cfg: cfg, listener: listener, port: listener.Addr().(*net.TCPAddr).Port,
		hosts: map[string]http.Handler{}, secrets: map[string]secret.String{}, stores: map[string]Store{},
		configs: map[string][]byte{}, servers: map[string]Server{}, calls: map[string]Call{},
	}
	w.server = &http.Server{
		Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	if err := w.build(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) build() error {
	if err := w.openParties(); err != nil {
		return fmt.Errorf("strategy: %w", err)
	}
	go func() { _ = w.server.Serve(w.listener) }() // ends with Close; Cloakroom may ask for the provider at once
	for _, s := range w.cfg.Strategies {
		handler, err := w.application(s)
		if err != nil {
			return fmt.Errorf("strategy: %s: %w", s.ID, err)
		}
		w.mu.Lock()
		w.hosts[w.host(s.ID)] = handler
		w.mu.Unlock()
	}
	return nil
}

// openParties makes the provider and the API, which know every application.
func (w *World) openParties() (err error) {
	var clients []idp.Client
	var pages []string
	for _, s := range w.cfg.Strategies {
		origin := w.Origin(s.ID)
		client := idp.Client{ID: w.ClientID(s.ID), Name: s.Name}
		switch {
		case s.Public:
			client.Public, client.AllowedOrigins = true, []string{origin}
			client.RedirectURIs = []string{w.RedirectURI(s)}
			client.InsecureImplicit, client.DPoP = s.ID == "implicit", s.ID == "dpop"
		default:
			w.secrets[s.ID] = secret.New(rand.Text())
			client.Public = w.cfg.InsecurePublicBFF
			if !client.Public {
				client.Secret = w.secrets[s.ID]
			}
			client.RedirectURIs = []string{w.RedirectURI(s)}
			client.PostLogoutRedirectURIs = []string{origin + shared.PathSignedOut}
		}
		if s.TokensInPage {
			pages = append(pages, origin)
		}
		clients = append(clients, client)
	}
	direct := &http.Client{Transport: w.Transport(), Timeout: 10 * time.Second}
	if w.idp, err = idp.New(idp.Config{
		Issuer: w.Issuer(), Audience: w.API(), Clients: clients, HTTPClient: direct, Log: w.cfg.Log,
		AccessTokenLifetime:  cmp.Or(w.cfg.AccessTokenLifetime, 10*time.Minute),
		RefreshTokenLifetime: RefreshTokenLifetime,
		Claims:               w.pad, OnIssue: w.onIssue,
		Scopes: []idp.Scope{{Name: "orders", Description: "See, add and delete your orders"}},
	}); err != nil {
		return err
	}
	if w.api, err = api.New(api.Config{
		Issuer: w.Issuer(), Audience: w.API(), HTTPClient: direct, Log: w.cfg.Log, AllowedOrigins: pages,
		Seed: map[string]int{Victim.Subject: 3}, MaxToken: maxHeader,
	}); err != nil {
		return err
	}
	w.hosts[w.host("idp")], w.hosts[w.host("api")] = w.idp, redirecting(w.api)
	return nil
}

// redirecting has an API, like many, one path that leads wherever one asks.
func redirecting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(rw, r, r.URL.Query().Get("to"), http.StatusFound)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// application makes what answers at a strategy's origin.
func (w *World) application(s lab.Strategy) (http.Handler, error) {
	switch {
	case s.Public:
		return w.page(s)
	case s.TokensInPage:
		return w.mediator(s)
	case s.ID == "cookie-jwt":
		return w.plainCookie(s)
	default:
		return w.cloakroom(s)
	}
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(r.Host)
	w.mu.Lock()
	handler := w.hosts[host]
	if handler != nil && host == w.infected {
		handler = w.infection.delivering(handler)
	}
	w.mu.Unlock()
	if handler == nil {
		http.Error(rw, "no such host in the lab", http.StatusMisdirectedRequest)
		return
	}
	w.note(rw, r, handler)
}

// Close ends the world. Whoever started a Cloakroom or a store ends it.
func (w *World) Close() error {
	err := w.server.Close()
	if closing := w.listener.Close(); closing != nil && !errors.Is(closing, net.ErrClosed) {
		err = errors.Join(err, closing)
	}
	if w.folder != "" {
		err = errors.Join(err, os.RemoveAll(w.folder))
	}
	return err
}

// Strategies are those of this world.
func (w *World) Strategies() []lab.Strategy { return slices.Clone(w.cfg.Strategies) }

func (w *World) host(label string) string { return fmt.Sprintf("%s.lab.localhost:%d", label, w.port) }

// Store is what a strategy keeps its sessions in, if that is a server.
func (w *World) Store(id string) (s Store, ok bool) {
	s, ok = w.stores[id]
	return s, ok
}

// Origin is the application's: its host is its own.
func (w *World) Origin(id string) string { return "http://" + w.host(id) }

// Issuer and API are origins.
func (w *World) Issuer() string { return w.Origin("idp") }

// API is the origin of the API.
func (w *World) API() string { return w.Origin("api") }

// ClientID is how the provider knows an application. It is no secret.
func (w *World) ClientID(id string) string { return "lab-" + id }

// RedirectURI is where the provider sends codes for an application.
func (w *World) RedirectURI(s lab.Strategy) string {
	switch {
	case s.Public:
		return w.Origin(s.ID) + "/"
	case s.TokensInPage:
		return w.Origin(s.ID) + mediatorCallback
	default:
		return w.Origin(s.ID) + shared.PathCallback
	}
}

// Scope is what the applications ask for, and anybody may.
func (w *World) Scope() string { return scopes }

// Orders is where an application's page finds its data, and whether a call
// needs the BFF's static header.
func (w *World) Orders(s lab.Strategy) (address string, header bool) {
	if s.TokensInPage {
		return w.API() + "/orders", false
	}
	return w.Origin(s.ID) + "/api/orders", true
}

// Transport reaches every name of the world, for clients outside the browser:
// no resolver is asked.
func (w *World) Transport() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			return nil, fmt.Errorf("strategy: %s is outside the lab", cmp.Or(host, address))
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}
}
