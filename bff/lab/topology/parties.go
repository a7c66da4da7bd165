package topology

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloakroom/bff/demo/api"
	"cloakroom/bff/demo/idp"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// clientID and scopes are Cloakroom's at the provider.
const clientID, scopes = "topology", "[openid, profile, email, offline_access, orders]"

// parties are the provider and the API, on listeners of their own.
type parties struct {
	provider, api *party
	idp           *idp.Provider
	client        string // ID
	secret        secret.String

	mu    sync.Mutex
	calls map[string]*atomic.Int64 // of the API, by the server that made them
}

// Person is somebody with an account at the provider.
type Person struct {
	User, Password string
	Subject        string
	// Orders is how many orders the person has at the API; of visitors no two
	// have the same number.
	Orders int
}

// Visitor is the n-th of the people who come in numbers, from 0 on.
func Visitor(n int) Person {
	return Person{
		User: fmt.Sprintf("visitor-%d", n), Password: fmt.Sprintf("open-sesame-%d", n),
		Subject: fmt.Sprintf("user-visitor-%d", n), Orders: n + 1,
	}
}

func (w *World) openParties() error {
	p := &parties{client: clientID, secret: secret.New(rand.Text()), calls: map[string]*atomic.Int64{}}
	w.parties = p
	if within := w.options.Within; within != nil {
		p.client, p.secret, w.issuer, w.apiOrigin = within.ClientID, within.ClientSecret, within.Issuer, within.API
		p.provider, p.api = &party{refuse: within.Provider}, &party{}
		return errors.Join(p.provider.up(), p.api.up())
	}
	users, seed := idp.DefaultUsers(), api.DefaultSeed()
	for n := range w.options.Visitors {
		v := Visitor(n)
		users = append(users, idp.User{Name: v.User, Password: v.Password, Subject: v.Subject, FullName: v.User, Email: v.User + "@example.com"})
		seed[v.Subject] = v.Orders
	}
	// Below the ports of outgoing connections, so that nobody takes them while
	// the party is away.
	var idpAddress, apiAddress string
	if err := w.perform(func() {
		idpAddress, apiAddress = servers.Address(servers.FreePort(w.stage)), servers.Address(servers.FreePort(w.stage))
	}); err != nil {
		return err
	}
	w.issuer, w.apiOrigin = "http://"+idpAddress, "http://"+apiAddress
	var err error
	if p.idp, err = idp.New(idp.Config{
		Issuer: w.issuer, Audience: w.apiOrigin, Users: users,
		Clients: []idp.Client{{
			ID: clientID, Name: w.topology.Name, Secret: p.secret,
			RedirectURIs: []string{w.origin + shared.PathCallback}, PostLogoutRedirectURIs: []string{w.origin + shared.PathSignedOut},
		}},
		Scopes:              []idp.Scope{{Name: "orders", Description: "See, add and delete your orders"}},
		AccessTokenLifetime: w.options.AccessTokenLifetime,
	}); err != nil {
		return err
	}
	orders, err := api.New(api.Config{Issuer: w.issuer, Audience: w.apiOrigin, Seed: seed})
	if err != nil {
		return err
	}
	if p.provider, err = openParty(idpAddress, p.idp); err != nil {
		return err
	}
	p.api, err = openParty(apiAddress, p.counting(orders))
	return err
}

// counting notes which server calls: its name is the first part of the path.
func (p *parties) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		p.by(name).Add(1)
		r.URL.Path, r.URL.RawPath = "/"+rest, ""
		w.Header().Set(HeaderServer, name)
		next.ServeHTTP(w, r)
	})
}

// HeaderServer is in answers of the API, and says which server called it.
const HeaderServer = "X-Lab-Server"

// by counts the calls of a server.
func (p *parties) by(name string) *atomic.Int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[name] == nil {
		p.calls[name] = &atomic.Int64{}
	}
	return p.calls[name]
}

func (p *parties) close() error {
	var errs []error
	for _, one := range []*party{p.provider, p.api} {
		switch {
		case one == nil:
		case one.handler == nil:
			errs = append(errs, one.up()) // it is left as it was found
		default:
			errs = append(errs, one.down())
		}
	}
	return errors.Join(errs...)
}

// party is an HTTP server of this process, which can go away and come back; or
// somebody else's, who is asked to.
type party struct {
	address string
	handler http.Handler      // nil: it is somebody else's
	refuse  func(refuse bool) // of somebody else's; nil: it never does

	mu     sync.Mutex
	server *http.Server // nil: it is away
}

func openParty(address string, h http.Handler) (*party, error) {
	p := &party{address: address, handler: h}
	return p, p.up()
}

func (p *party) up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return nil
	}
	if p.handler == nil {
		p.server = &http.Server{ReadHeaderTimeout: time.Second} // stands for it
		p.tell(false)
		return nil
	}
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: p.handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with down
	p.server = server
	return nil
}

// down refuses connections from now on, and ends those there are.
func (p *party) down() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return nil
	}
	ending := p.server
	p.server = nil
	if p.handler == nil {
		p.tell(true)
		return nil
	}
	return ending.Close()
}

func (p *party) tell(refuse bool) {
	if p.refuse != nil {
		p.refuse(refuse)
	}
}

func (p *party) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server != nil
}
