package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"cloakroom/bff/config"
	"cloakroom/bff/events"
	"cloakroom/bff/guard"
	"cloakroom/bff/login"
	"cloakroom/bff/observe"
	"cloakroom/bff/proxy"
	"cloakroom/bff/refresh"
	"cloakroom/bff/respond"
	"cloakroom/bff/rp"
	"cloakroom/bff/session"
	"cloakroom/bff/spa"
	"cloakroom/bff/upstream"
)

// Options are what a Server needs besides its config.
type Options struct {
	// Log receives everything; nil discards.
	Log *slog.Logger
	// Version is shown in the metrics.
	Version string
	// ProviderTimeout bounds each call to the provider, whatever the config
	// says; 0 means that it says so.
	ProviderTimeout time.Duration
	// Now is the clock of sessions and tokens; nil means time.Now.
	Now func() time.Time
}

// Server is one BFF, ready to run.
type Server struct {
	config  *config.Config
	log     *slog.Logger
	routes  []Route
	handler http.Handler
	admin   http.Handler
	health  *observe.Health
	store   home
	keys    *session.KeyRing
	refresh *refresh.Refresher
	hub     *events.Hub
	api     *proxy.Proxy
	rp      *rp.Provider
	// sessions are those of the desk.
	sessions *session.Manager
}

// New builds a Server from a checked config. It opens nothing and dials
// nobody.
func New(c *config.Config, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: c, log: o.Log}
	answer := &respond.Responder{Log: o.Log}
	metrics := observe.NewMetrics(o.Version)
	dial := dialer()

	keys, err := keyRing(c.Session.Keys)
	if err != nil {
		return nil, err
	}
	s.keys = keys
	if s.store, err = openStore(c.Session, keys, metrics, o.Log, o.Now); err != nil {
		return nil, err
	}
	watched := events.Store(s.store.Store)
	if s.store.look != nil {
		watched = s.store.look
	}
	s.hub, err = events.New(events.Config{Store: watched, Idle: c.Session.IdleTimeout, Poll: s.store.poll})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	desk, err := newDesk(c, s.store, keys, s.hub.Ended, o.Now)
	if err != nil {
		return nil, err
	}
	s.sessions = desk.Sessions
	if s.rp, err = rp.New(providerConfig(c, o, dial)); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	provider := relyingParty{s.rp}
	s.refresh, err = refresh.New(refresh.Config{Sessions: desk.Sessions, Provider: provider, Together: s.store.browser != nil, Observe: metrics.Refresh, Log: o.Log, Now: o.Now})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	endpoints, err := login.New(login.Config{
		Desk: desk, Cookie: sessionCookie(c), Provider: provider, Logouts: provider, Keys: keys, Events: s.hub, StoreName: c.Session.Store, Observe: metrics.Login, Log: o.Log,
		Now:     o.Now,
		Address: func(r *http.Request) netip.Addr { return proxy.ClientAddr(r, c.TrustedProxies) },
	})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	transport, err := upstream.New(upstream.Config{Dial: dial, Others: proxy.NewTransport(dial)})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.api, err = proxy.New(proxy.Config{
		Routes: proxyRoutes(c.API), Tokens: tokenSource{desk, s.refresh, s.hub}, CheckPath: guard.CanonicalPath, Origin: c.Origin(),
		TrustedProxies: c.TrustedProxies, Transport: transport, Respond: answer, Log: o.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	app, err := spa.New(spaConfig(c, o.Log, answer))
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	gate, err := guard.New(guard.Config{Origin: c.Origin(), WorkerPath: workerPath, Respond: answer})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}

	s.routes = routes(endpoints, s.api, app, answer)
	s.handler = observe.Access{Log: o.Log, Metrics: metrics, Session: fingerprint(desk.Browser)}.Handler(
		gate.Headers(recoverer(answer, gate.Paths(gate.Hosts(newMux(s.routes, gate))))))
	s.health = observe.NewHealth(
		observe.Check{Name: "store " + c.Session.Store, Required: true, Ready: s.store.ping},
		observe.Check{Name: "provider", Ready: s.rp.Ready},
	)
	s.admin = adminMux(s.health, metrics)
	return s, nil
}

// Sessions is the door to the sessions, for who measures with more of them than
// could sign in.
func (s *Server) Sessions() *session.Manager { return s.sessions }

// Handler serves the public origin.
func (s *Server) Handler() http.Handler { return s.handler }

// Admin serves health and metrics.
func (s *Server) Admin() http.Handler { return s.admin }

// Routes lists every way into the public origin.
func (s *Server) Routes() []Route { return s.routes }

// Work does what goes on besides requests, until ctx ends or a part of it fails:
// finding the provider, sweeping the store, telling who waits for the end of a
// session.
func (s *Server) Work(ctx context.Context) error {
	work := []func(context.Context) error{s.rp.Run, s.hub.Run}
	if s.store.watch != nil {
		work = append(work, func(ctx context.Context) error { return s.store.watch(ctx, s.hub.Changed) })
	}
	if runner, ok := s.store.Store.(session.Runner); ok {
		work = append(work, runner.Run)
	}
	if s.store.more != nil {
		work = append(work, s.store.more.Run)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range work {
		group.Go(func() error { return run(ctx) })
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ReplaceKeys puts another key ring in the place of the one in use. Sessions
// under a key that is in both stay open. An empty ring is refused: it would end
// them all.
func (s *Server) ReplaceKeys(keys []config.Key) error { return s.keys.Replace(ringKeys(keys)) }

// Drain ends what was begun: it takes the server out of the pool, sends away
// who would stay, then waits for the token renewals under way. The listeners
// drain themselves.
func (s *Server) Drain(ctx context.Context) error {
	s.leave()
	return s.refresh.Drain(ctx)
}

// leave tells the balancer, the open tabs and the streams that do not end by
// themselves to go elsewhere.
func (s *Server) leave() {
	s.health.Drain()
	s.hub.Drain()
	s.api.Drain()
}
