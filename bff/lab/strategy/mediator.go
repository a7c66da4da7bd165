package strategy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"cloakroom/bff/secret"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// mediator is a token-mediating backend (draft §6.2): a confidential client
// that keeps the refresh token, and hands its page short access tokens, each
// for what was asked for and no more (BBA-38 to BBA-41). Cloakroom is none.
//
//	GET  /sign-in   -> the provider -> GET /callback -> the page
//	GET  /session      is somebody signed in?
//	POST /token        scope, resource -> an access token
//	POST /sign-out     revokes the refresh token
type mediator struct {
	origin   string
	audience string
	client   *http.Client
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	revoke   string // the provider's revocation endpoint

	mu       sync.Mutex
	flows    map[string]mediatedFlow // by cookie
	sessions map[string]*mediated    // by cookie
}

// mediatedFlow is a sign-in under way in one browser.
type mediatedFlow struct{ state, nonce, verifier string }

// mediated is one signed-in browser.
type mediated struct {
	mu      sync.Mutex // held over a renewal: the refresh token is good once
	refresh secret.String
	scopes  []string                 // that were granted
	tokens  map[string]*oauth2.Token // by what they are for
}

// Cookies of the mediator, as the draft has them (BBA-36). That of the flow is
// Lax: the visit that brings the answer was begun by the provider.
const (
	mediatorSession = "__Host-Http-mediator"
	mediatorFlow    = "__Host-Http-mediator-flow"
)

// maxFlows bounds what visitors can make it remember.
const maxFlows = 1000

func (w *World) mediator(s lab.Strategy) (http.Handler, error) {
	page, err := w.page(s)
	if err != nil {
		return nil, err
	}
	m := &mediator{
		origin: w.Origin(s.ID), audience: w.API(), client: &http.Client{Transport: w.Transport(), Timeout: 10 * time.Second},
		flows: map[string]mediatedFlow{}, sessions: map[string]*mediated{},
	}
	provider, err := oidc.NewProvider(m.context(context.Background()), w.Issuer())
	if err != nil {
		return nil, fmt.Errorf("discover the provider: %w", err)
	}
	var more struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("discover the provider: %w", err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // to try both ways would be to send a refresh token twice
	m.oauth = oauth2.Config{
		ClientID: w.ClientID(s.ID), ClientSecret: w.secrets[s.ID].Reveal(), Endpoint: endpoint,
		RedirectURL: w.RedirectURI(s), Scopes: strings.Fields(scopes),
	}
	m.verifier, m.revoke = provider.Verifier(&oidc.Config{ClientID: m.oauth.ClientID}), more.Revocation

	mux := http.NewServeMux()
	mux.HandleFunc("GET "+mediatorSignIn, m.signIn)
	mux.HandleFunc("GET "+mediatorCallback, m.callback)
	mux.Handle("GET /session", m.guarded(func(rw http.ResponseWriter, _ *http.Request, _ *mediated) { rw.WriteHeader(http.StatusNoContent) }))
	mux.Handle("POST /token", m.guarded(m.token))
	mux.Handle("POST /sign-out", m.guarded(m.signOut))
	mux.Handle("/", page)
	return mux, nil
}

const mediatorCallback = "/callback"

// mediatorSignIn begins one.
const mediatorSignIn = "/sign-in"

func (m *mediator) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, m.client)
}

func (m *mediator) cookie(rw http.ResponseWriter, name, value string, sameSite http.SameSite) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: sameSite}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(rw, c)
}

// signIn is visited, and by nothing else: what another page fetches begins no sign-in.
func (m *mediator) signIn(rw http.ResponseWriter, r *http.Request) {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		http.Error(rw, "not a visit", http.StatusForbidden)
		return
	}
	flow, id := mediatedFlow{rand.Text(), rand.Text(), oauth2.GenerateVerifier()}, rand.Text()
	m.mu.Lock()
	if len(m.flows) == maxFlows {
		clear(m.flows)
	}
	m.flows[id] = flow
	m.mu.Unlock()
	m.cookie(rw, mediatorFlow, id, http.SameSiteLaxMode)
	http.Redirect(rw, r, m.oauth.AuthCodeURL(flow.state, oauth2.S256ChallengeOption(flow.verifier), oidc.Nonce(flow.nonce)), http.StatusFound)
}

func (m *mediator) callback(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Referrer-Policy", "no-referrer")
	var flow mediatedFlow
	if c, err := r.Cookie(mediatorFlow); err == nil {
		m.mu.Lock()
		flow = m.flows[c.Value]
		delete(m.flows, c.Value)
		m.mu.Unlock()
	}
	m.cookie(rw, mediatorFlow, "", http.SameSiteLaxMode)
	s, err := m.redeem(r.Context(), flow, r.URL.Query())
	if err != nil {
		http.Error(rw, "the sign-in failed", http.StatusBadRequest)
		return
	}
	id := rand.Text()
	m.mu.Lock()
	m.sessions[id] = s
	m.mu.Unlock()
	m.cookie(rw, mediatorSession, id, http.SameSiteStrictMode)
	http.Redirect(rw, r, "/", http.StatusFound)
}

// redeem takes the provider's answer to flow. The access token of the code is
// dropped: it may do all that was granted (BBA-38).
func (m *mediator) redeem(ctx context.Context, flow mediatedFlow, answer url.Values) (*mediated, error) {
	if flow.state == "" || answer.Get("state") != flow.state || answer.Get("code") == "" {
		return nil, errors.New("not an answer to a question of this browser")
	}
	ctx = m.context(ctx)
	token, err := m.oauth.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(flow.verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := m.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != flow.nonce || token.RefreshToken == "" {
		return nil, errors.New("the ID token is of another sign-in, or there is no refresh token")
	}
	granted, _ := token.Extra("scope").(string)
	return &mediated{
		refresh: secret.New(token.RefreshToken), scopes: strings.Fields(granted), tokens: map[string]*oauth2.Token{},
	}, nil
}

// guarded lets nothing through but a call of the own page with a session
// (BBA-37): a header that only script of this origin can send, and Sec-Fetch-Site
// or, where a browser knows none, Origin, both of the browser's own making.
func (m *mediator) guarded(next func(http.ResponseWriter, *http.Request, *mediated)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "no-store")
		rw.Header().Set("X-Content-Type-Options", "nosniff")
		site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
		if r.Header.Get(shared.HeaderCSRF) != shared.ValueCSRF || site != "" && site != "same-origin" || origin != "" && origin != m.origin {
			http.Error(rw, "not a call of the application's page", http.StatusForbidden)
			return
		}
		var s *mediated
		if c, err := r.Cookie(mediatorSession); err == nil {
			m.mu.Lock()
			s = m.sessions[c.Value]
			m.mu.Unlock()
		}
		if s == nil {
			http.Error(rw, "nobody is signed in", http.StatusUnauthorized)
			return
		}
		next(rw, r, s)
	})
}

// token hands out an access token for the scopes and the API that are asked
// for: a kept one if it is for just that, or one that the refresh token gets.
func (m *mediator) token(rw http.ResponseWriter, r *http.Request, s *mediated) {
	r.Body = http.MaxBytesReader(rw, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(rw, "the form cannot be read", http.StatusBadRequest)
		return
	}
	asked, resource := strings.Fields(r.PostForm.Get("scope")), r.PostForm.Get("resource")
	slices.Sort(asked)
	beyond := func(scope string) bool { return !slices.Contains(s.scopes, scope) }
	if len(asked) == 0 || slices.ContainsFunc(asked, beyond) || resource != m.audience {
		http.Error(rw, "a token is for scopes that were granted and an API that is known", http.StatusBadRequest)
		return
	}
	token, err := m.narrow(r.Context(), s, asked, resource)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode == "invalid_grant": // BBA-41: the session ends with it
		m.forget(rw, s)
		http.Error(rw, "nobody is signed in", http.StatusUnauthorized)
		return
	case err != nil:
		http.Error(rw, "the provider does not answer", http.StatusBadGateway)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"access_token": token.AccessToken, "token_type": "Bearer", "scope": strings.Join(asked, " "),
		"expires_in": max(0, int(time.Until(token.Expiry).Round(time.Second)/time.Second)),
	})
}

// narrow holds the session while it renews. A renewal that has begun is not
// broken off: the new refresh token would be lost.
func (m *mediator) narrow(ctx context.Context, s *mediated, asked []string, resource string) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	purpose := resource + " " + strings.Join(asked, " ")
	if kept := s.tokens[purpose]; kept.Valid() {
		return kept, nil
	}
	// The library's own refresh has no room for scope and resource.
	grant := clientcredentials.Config{
		ClientID: m.oauth.ClientID, ClientSecret: m.oauth.ClientSecret, TokenURL: m.oauth.Endpoint.TokenURL,
		AuthStyle: oauth2.AuthStyleInHeader, Scopes: asked,
		EndpointParams: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.refresh.Reveal()}, "resource": {resource}},
	}
	token, err := grant.Token(m.context(context.WithoutCancel(ctx)))
	if err != nil {
		return nil, err
	}
	if token.RefreshToken != "" {
		s.refresh = secret.New(token.RefreshToken)
	}
	s.tokens[purpose] = token
	return token, nil
}

// signOut forgets the session first, whatever the provider answers then.
func (m *mediator) signOut(rw http.ResponseWriter, r *http.Request, s *mediated) {
	m.forget(rw, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	form := url.Values{"token": {s.refresh.Reveal()}, "token_type_hint": {"refresh_token"}}
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), http.MethodPost, m.revoke, strings.NewReader(form.Encode()))
	if err != nil {
		http.Error(rw, "the token cannot be revoked", http.StatusInternalServerError)
		return
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(m.oauth.ClientID), url.QueryEscape(m.oauth.ClientSecret)) // RFC 6749 §2.3.1
	resp, err := m.client.Do(request)
	if err != nil || resp.StatusCode != http.StatusOK {
		http.Error(rw, "the provider did not revoke the token", http.StatusBadGateway)
	}
	if err == nil {
		_ = resp.Body.Close()
	}
}

func (m *mediator) forget(rw http.ResponseWriter, s *mediated) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, held := range m.sessions {
		if held == s {
			delete(m.sessions, id)
		}
	}
	m.cookie(rw, mediatorSession, "", http.SameSiteStrictMode)
}
