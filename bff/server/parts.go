package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/proxy"
	"cloakroom/bff/respond"
	"cloakroom/bff/rp"
	"cloakroom/bff/session"
	"cloakroom/bff/spa"
	"cloakroom/shared"
)

// keyRing makes the ring of the config, or one that ends with the process.
func keyRing(keys []config.Key) (*session.KeyRing, error) {
	if len(keys) == 0 {
		return session.EphemeralKeyRing(), nil
	}
	made, err := session.NewKeyRing(ringKeys(keys))
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return made, nil
}

func ringKeys(keys []config.Key) []session.RingKey {
	ring := make([]session.RingKey, len(keys))
	for i, key := range keys {
		ring[i] = session.RingKey{ID: key.ID, Secret: key.Secret}
	}
	return ring
}

func newDesk(c *config.Config, h home, keys *session.KeyRing, ended func(session.ID), now func() time.Time) (session.Desk, error) {
	scattered := h.browser != nil
	sessions, err := session.New(h.Store, session.Config{
		Keys: keys, Ended: ended, Lifetimes: lifetimes(c.Session), Scattered: scattered, Now: now,
	})
	if err != nil {
		return session.Desk{}, fmt.Errorf("server: %w", err)
	}
	desk := session.Desk{Browser: sessionCookie(c), Sessions: sessions, Notes: h.notes}
	if scattered {
		if desk.Browser, err = h.browser(sessionCookie(c), sessions); err != nil {
			return session.Desk{}, fmt.Errorf("server: %w", err)
		}
	}
	return desk, nil
}

// sessionCookie is the one name everywhere, save on an origin where no browser
// would keep it: plain http that is not loopback, which the config allows only
// under an insecure_ key.
func sessionCookie(c *config.Config) session.Cookie {
	host := c.PublicURL.Hostname()
	ip, err := netip.ParseAddr(host)
	loopback := isLocalhost(host) || err == nil && ip.IsLoopback()
	if c.PublicURL.Scheme == "http" && !loopback {
		return session.Cookie{Name: strings.TrimPrefix(shared.CookieName, "__Host-Http-"), InsecurePlainHTTP: true}
	}
	return session.Cookie{Name: shared.CookieName}
}

// providerConfig asks at the sign-in for what any route wants, so that each can
// have its token later.
func providerConfig(c *config.Config, o Options, dial dialFunc) rp.Config {
	p := c.Provider
	made := rp.Config{
		Issuer: p.Issuer, ClientID: p.ClientID, ClientAuth: string(p.ClientAuth), ClientSecret: p.ClientSecret,
		ClientKey: p.ClientKey, ClientKeyID: p.ClientKeyID, Scopes: p.Scopes, Resource: p.Resource,
		PAR: p.PAR, DPoP: p.DPoP, UserInfo: p.UserInfo, IDTokenAlg: p.IDTokenAlg,
		RedirectURL: c.Origin() + shared.PathCallback, PostLogoutURL: c.Origin() + shared.PathSignedOut,
		InsecureHTTP: c.InsecureHTTP, Timeout: cmp.Or(o.ProviderTimeout, p.Timeout),
		HTTPClient: &http.Client{Transport: providerTransport(dial)}, Log: o.Log, Now: o.Now,
	}
	for _, route := range c.API {
		if route.Resource != "" {
			made.MoreResources = append(made.MoreResources, route.Resource)
		}
	}
	return made
}

// proxyRoutes gives every route that allows GET its HEAD.
func proxyRoutes(list []config.Route) []proxy.Route {
	auth := map[config.Auth]proxy.Auth{
		config.AuthRequired: proxy.Required, config.AuthOptional: proxy.Optional, config.AuthNone: proxy.None,
	}
	out := make([]proxy.Route, len(list))
	for i, route := range list {
		methods := slices.Clone(route.Methods)
		if slices.Contains(methods, http.MethodGet) && !slices.Contains(methods, http.MethodHead) {
			methods = append(methods, http.MethodHead)
		}
		out[i] = proxy.Route{Path: route.Path, Upstream: route.Upstream, Methods: methods, Auth: auth[route.Auth], Timeout: route.Timeout,
			Want: proxy.Want{Resource: route.Resource, Scopes: route.Scopes}}
	}
	return out
}

// workerPath is where the embedded application's service worker is; it caches
// nothing and only clears what an older one left.
const workerPath = "/app-worker.js"

func spaConfig(c *config.Config, log *slog.Logger, answer *respond.Responder) spa.Config {
	made := spa.Config{Dir: c.SPA.Dir, Origin: c.Origin(), Log: log, Respond: answer}
	if c.SPA.DevServer != nil {
		made.DevServer = c.SPA.DevServer.String()
	}
	return made
}

// fingerprint names the session of a request for the log.
func fingerprint(browser session.Holder) func(*http.Request) string {
	return func(r *http.Request) string {
		id, known := browser.Known(r)
		if !known {
			return ""
		}
		return id.Fingerprint()
	}
}
