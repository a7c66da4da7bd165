//go:build js

package main

import (
	"errors"
	"strings"
	"sync"
	"syscall/js"
	"time"
)

// tokens are strings of Go: their bytes are in the program's memory. What was
// dropped stays there until the memory is used again.
type tokens struct {
	access, refresh string
	expires         time.Time
}

// session is one user's, as long as the page lives.
type session struct {
	issuer, client, api, scope, redirect string

	mu   sync.Mutex // held over a renewal: two with one refresh token would end its family (BBA-48)
	kept *tokens
}

func newSession(config js.Value) *session {
	text := func(name string) string { return config.Get(name).String() }
	return &session{
		issuer: text("issuer"), client: text("client"), api: text("api"), scope: text("scope"), redirect: text("redirect"),
	}
}

// begin leaves for the provider. The memory ends with the page, so the verifier
// is in sessionStorage until the page is back.
func (s *session) begin() error {
	verifier, state := random(), random()
	challenge, err := digest(verifier)
	if err != nil {
		return err
	}
	js.Global().Get("sessionStorage").Call("setItem", "flow", state+" "+verifier)
	js.Global().Get("location").Call("assign", s.issuer+"/authorize?"+encode(map[string]any{
		"response_type": "code", "client_id": s.client, "redirect_uri": s.redirect, "scope": s.scope, "state": state,
		"code_challenge": challenge, "code_challenge_method": "S256",
	}).Call("toString").String())
	return nil
}

// restore takes the provider's answer, if there is one, and reports whether
// somebody is signed in.
func (s *session) restore() (bool, error) {
	said := js.Global().Get("URLSearchParams").New(js.Global().Get("location").Get("search"))
	parameter := func(name string) string {
		if value := said.Call("get", name); value.Type() == js.TypeString {
			return value.String()
		}
		return ""
	}
	if parameter("state") != "" {
		storage := js.Global().Get("sessionStorage")
		flow := storage.Call("getItem", "flow")
		storage.Call("removeItem", "flow")
		js.Global().Get("history").Call("replaceState", nil, "", "/")
		state, verifier := "", ""
		if flow.Type() == js.TypeString {
			state, verifier, _ = strings.Cut(flow.String(), " ")
		}
		// BBA-46: an answer to a question that this tab did not ask is refused.
		if state == "" || parameter("state") != state || parameter("iss") != s.issuer {
			return false, errors.New("this sign-in was not begun here")
		}
		if parameter("code") == "" {
			return false, errors.New("the provider said " + parameter("error"))
		}
		if err := s.take(map[string]any{
			"grant_type": "authorization_code", "code": parameter("code"), "redirect_uri": s.redirect, "code_verifier": verifier,
		}); err != nil {
			return false, err
		}
	}
	return s.kept != nil, nil
}

// errDead: the provider knows the grant no more.
var errDead = errors.New("the grant is dead")

func (s *session) take(form map[string]any) error {
	form["client_id"] = s.client
	response, err := fetch("POST", s.issuer+"/oauth/token", nil, encode(form))
	if err != nil {
		return err
	}
	if response.Get("status").Int() == 400 {
		return errDead
	}
	if !response.Get("ok").Bool() {
		return errors.New("the token endpoint refused")
	}
	got, err := await(response.Call("json"))
	if err != nil {
		return err
	}
	s.kept = &tokens{
		access: got.Get("access_token").String(), refresh: got.Get("refresh_token").String(),
		expires: time.Now().Add(time.Duration(got.Get("expires_in").Int()) * time.Second),
	}
	return nil
}

// current is an access token that is still good; empty: nobody is signed in.
func (s *session) current() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil && !time.Now().Before(s.kept.expires) {
		err := s.take(map[string]any{"grant_type": "refresh_token", "refresh_token": s.kept.refresh})
		if errors.Is(err, errDead) {
			s.kept = nil
		} else if err != nil {
			return "", err
		}
	}
	if s.kept == nil {
		return "", nil
	}
	return s.kept.access, nil
}

// call returns the API's Response.
func (s *session) call(method, path string, body js.Value) (js.Value, error) {
	if !strings.HasPrefix(path, "/") { // the address would be of another host
		return js.Undefined(), errors.New("that is not the API")
	}
	token, err := s.current()
	if err != nil {
		return js.Undefined(), err
	}
	if token == "" {
		return js.Global().Get("Response").New(nil, map[string]any{"status": 401}), nil
	}
	headers := map[string]any{"Authorization": "Bearer " + token}
	if !body.IsUndefined() {
		headers["Content-Type"] = "application/json"
		body = js.Global().Get("JSON").Call("stringify", body)
	}
	return fetch(method, s.api+path, headers, body)
}

// end forgets the tokens first, whatever the provider answers then. With the
// refresh token its family ends (RFC 7009 §2.1).
func (s *session) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		return nil
	}
	form := encode(map[string]any{"client_id": s.client, "token": s.kept.refresh, "token_type_hint": "refresh_token"})
	s.kept = nil
	response, err := fetch("POST", s.issuer+"/revoke", nil, form)
	if err == nil && !response.Get("ok").Bool() {
		err = errors.New("the revocation endpoint refused")
	}
	return err
}
