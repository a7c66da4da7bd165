package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/secret"
	"cloakroom/bff/session/storetest"
	"cloakroom/shared"
)

// Who everybody is at the provider, and what the fronts are to it.
const (
	userName, userPassword = "alice", "wonderland"
	clientID, clientSecret = "app", "not-a-secret-of-anybody"
)

// The tokens are as large as they are in life, in bytes: an access token of a
// KiB, with the ID token and the refresh token 3.5 KB.
const accessSize, tokensSize = 1024, 3500

// provider is a real OpenID Provider on loopback. It remembers which access
// token it gave last.
type provider struct {
	*idp.Provider
	server   *http.Server
	upstream *upstream

	mu    sync.Mutex
	last  string
	sizes map[string]int
}

// openProvider serves one that knows the redirect URIs of all fronts. Its access
// tokens are known to the upstream.
func openProvider(u *upstream, redirects []string, life time.Duration) (*provider, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &provider{upstream: u, sizes: map[string]int{}}
	p.Provider, err = idp.New(idp.Config{
		Issuer: "http://" + l.Addr().String(), Audience: "https://api.example.com",
		AccessTokenLifetime: life, IDTokenLifetime: life,
		Clients: []idp.Client{{ID: clientID, Name: "bench", Secret: secret.New(clientSecret), RedirectURIs: redirects}},
		Claims:  enlarge, OnIssue: p.issued,
	})
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	p.server = &http.Server{Handler: p.Provider, ReadHeaderTimeout: patience}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

func (p *provider) close() { _ = p.server.Close() }

// enlarge adds what makes tokens as large as they are: what their user may do
// where, in the form that Keycloak has for it.
func enlarge(kind string, claims map[string]any) {
	sizes := map[string]int{shared.TokenAccess: 180, shared.TokenID: 1050}
	var roles []string
	for range sizes[kind] / len(`"0123456789abcdef",`) {
		roles = append(roles, storetest.Noise(16))
	}
	claims["resource_access"] = map[string]any{"orders": map[string]any{"roles": roles}}
}

func (p *provider) issued(kind, token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes[kind] = len(token)
	if kind == shared.TokenAccess {
		p.last = token
		p.upstream.expect(token)
	}
}

// given returns the access token that was given last, and what it and the others
// measure together.
func (p *provider) given() (access string, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.sizes[shared.TokenAccess] + p.sizes[shared.TokenID] + p.sizes[shared.TokenRefresh]
}
