package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/demo/api"
	"cloakroom/bff/demo/idp"
	"cloakroom/bff/secret"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// DemoOptions shape the demo. The zero value is the demo as documented, but
// for Listen.
type DemoOptions struct {
	// Listen is the one address of all three origins; loopback only.
	Listen string
	// AccessTokenLifetime is short, so that renewals are seen; 0 means 60s.
	AccessTokenLifetime time.Duration
	// SessionIdle ends a session that nobody uses, SessionAbsolute any; 0 means
	// the usual half hour, and half a day.
	SessionIdle, SessionAbsolute time.Duration
	// OnIssue sees every token the provider issues, for tests that search for
	// them where they must not be.
	OnIssue func(kind, token string)
	// DPoP binds tokens to a key of their session, and has the provider insist.
	DPoP bool
	// ProviderTimeout bounds each call of the BFF to the provider; 0 means 15s.
	ProviderTimeout time.Duration
	// Lab is where the live lab answers, for lab.PathLive; empty: there is none.
	Lab string
	// Guest is a further application in the demo's world; nil: there is none.
	Guest *Guest
	// Host is the application's; empty means localhost. It must be localhost
	// or below it.
	Host    string
	Log     *slog.Logger
	Version string
}

// Guest is an application at a host of its own on the demo's port, with the
// demo's provider and API.
type Guest struct {
	// Host is below localhost, and none of the demo's own.
	Host string
	// Open is called once, before anything is served, with where everything is.
	Open func(Surroundings) (http.Handler, error)
}

// Surroundings are what a Guest is told.
type Surroundings struct {
	Origin       string // the guest's own
	Home         string // the application's origin
	Issuer, API  string // origins
	ClientID     string // the guest's, at the provider
	ClientSecret secret.String
	// User and Password are of somebody who may sign in.
	User, Password string
	// Refuse has the provider break off every connection, or answer again.
	Refuse func(bool)
}

// Demo is a whole world on one loopback port: the application with its BFF, an
// OpenID Provider and a resource API, told apart by their host names.
type Demo struct {
	App *Server
	IDP *idp.Provider
	API *api.API

	Origin, IDPOrigin, APIOrigin string

	listener net.Listener
	handler  http.Handler
	guest    http.Handler // nil: there is none
	refuses  atomic.Bool  // the provider breaks off
}

// demoConfig is the configuration the demo's BFF runs with: what a deployment
// would write into its file.
const demoConfig = `
public_url: %[1]s
provider:
  issuer: %[2]s
  client_id: cloakroom-demo
  client_secret: %[4]s
  scopes: [openid, profile, email, offline_access, orders]
api:
  - path: /api/
    upstream: %[3]s/
`

// labRoute is the live lab's, which asks nobody to sign in.
const labRoute = `  - path: %s
    upstream: %s
    methods: [GET, POST, DELETE]
    auth: none
`

// OpenDemo takes the port and builds the three servers.
func OpenDemo(o DemoOptions) (*Demo, error) {
	addr, err := netip.ParseAddrPort(strings.Replace(o.Listen, "localhost:", "127.0.0.1:", 1))
	if err != nil || !addr.Addr().IsLoopback() {
		return nil, fmt.Errorf("the demo listens on loopback only, such as 127.0.0.1:8080, not on %q", o.Listen)
	}
	listener, err := listen(addr.String())
	if err != nil {
		return nil, err
	}
	d := &Demo{listener: listener}
	if err := d.build(o, listener.Addr().(*net.TCPAddr).Port); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return d, nil
}

func (d *Demo) build(o DemoOptions, port int) error {
	d.Origin = fmt.Sprintf("http://%s:%d", cmp.Or(o.Host, "localhost"), port)
	d.IDPOrigin = fmt.Sprintf("http://idp.localhost:%d", port)
	d.APIOrigin = fmt.Sprintf("http://api.localhost:%d", port)
	clientSecret := secret.New(rand.Text())
	clients := []idp.Client{{
		ID: "cloakroom-demo", Name: "Cloakroom demo", Secret: clientSecret, DPoP: o.DPoP,
		RedirectURIs: []string{d.Origin + shared.PathCallback}, PostLogoutRedirectURIs: []string{d.Origin + shared.PathSignedOut},
	}}
	guest := Surroundings{Home: d.Origin, Issuer: d.IDPOrigin, API: d.APIOrigin, ClientID: "cloakroom-guest", ClientSecret: secret.New(rand.Text()), Refuse: d.refuses.Store}
	if o.Guest != nil {
		guest.Origin = fmt.Sprintf("http://%s:%d", o.Guest.Host, port)
		clients = append(clients, idp.Client{
			ID: guest.ClientID, Name: "Cloakroom demo, another one", Secret: guest.ClientSecret, DPoP: o.DPoP,
			RedirectURIs: []string{guest.Origin + shared.PathCallback}, PostLogoutRedirectURIs: []string{guest.Origin + shared.PathSignedOut},
		})
	}
	client := &http.Client{Transport: providerTransport(dialer()), Timeout: 10 * time.Second}

	var err error
	d.IDP, err = idp.New(idp.Config{
		Issuer: d.IDPOrigin, Audience: d.APIOrigin, AccessTokenLifetime: o.AccessTokenLifetime,
		Scopes:     []idp.Scope{{Name: "orders", Description: "See, add and delete your orders"}},
		Clients:    clients,
		HTTPClient: client, OnIssue: o.OnIssue, Log: o.Log,
	})
	if err != nil {
		return fmt.Errorf("server: demo: %w", err)
	}
	d.API, err = api.New(api.Config{Issuer: d.IDPOrigin, Audience: d.APIOrigin, HTTPClient: client, Log: o.Log})
	if err != nil {
		return fmt.Errorf("server: demo: %w", err)
	}
	file := fmt.Appendf(nil, demoConfig, d.Origin, d.IDPOrigin, d.APIOrigin, clientSecret.Reveal())
	if o.Lab != "" {
		file = fmt.Appendf(file, labRoute, lab.PathLive, o.Lab)
	}
	c, err := config.Parse("demo", file, nil)
	if err != nil {
		return fmt.Errorf("server: demo: %w", err)
	}
	c.Provider.DPoP = o.DPoP
	c.Session.IdleTimeout = cmp.Or(o.SessionIdle, c.Session.IdleTimeout)
	c.Session.AbsoluteTimeout = cmp.Or(o.SessionAbsolute, c.Session.AbsoluteTimeout)
	d.App, err = New(c, Options{Log: o.Log, Version: o.Version, ProviderTimeout: o.ProviderTimeout})
	if err != nil {
		return err
	}
	if o.Guest != nil {
		if users := d.IDP.Users(); len(users) > 0 {
			guest.User, guest.Password = users[0].Name, users[0].Password
		}
		if d.guest, err = o.Guest.Open(guest); err != nil {
			return fmt.Errorf("server: demo: %w", err)
		}
	}
	d.handler = d.byHost(port, strings.TrimPrefix(guest.Origin, "http://"))
	return nil
}

// byHost tells the origins apart. A host that is none of them gets the
// application's refusal.
func (d *Demo) byHost(port int, guestHost string) http.Handler {
	idpHost, apiHost := fmt.Sprintf("idp.localhost:%d", port), fmt.Sprintf("api.localhost:%d", port)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch host := strings.ToLower(r.Host); {
		case host == idpHost && d.refuses.Load():
			panic(http.ErrAbortHandler) // as near to refusing connections as one port allows
		case host == idpHost:
			d.IDP.ServeHTTP(w, r)
		case host == apiHost:
			d.API.ServeHTTP(w, r)
		case d.guest != nil && host == guestHost:
			d.guest.ServeHTTP(w, r)
		default:
			d.App.Handler().ServeHTTP(w, r)
		}
	})
}

// Run serves until ctx ends. ready is given the address of health and metrics
// and is called once everything accepts; nil is fine.
func (d *Demo) Run(ctx context.Context, ready func(admin string)) error {
	admin, err := listen("127.0.0.1:0") // any free port: nobody scrapes a demo
	if err != nil {
		return errors.Join(err, d.listener.Close())
	}
	if ready != nil {
		ready("http://" + admin.Addr().String())
	}
	return d.App.serve(ctx, listener{d.listener, d.handler}, listener{admin, d.App.Admin()})
}
