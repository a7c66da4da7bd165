package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session/storetest"
)

// tokenEndpoint is what a storm of renewals needs of a provider, at no cost worth
// mentioning: metadata, and a token endpoint that knows the refresh_token grant
// (RFC 6749 §6). Each refresh token is good once, and the next one comes with the
// new access token.
type tokenEndpoint struct {
	issuer   string
	server   *http.Server
	upstream *upstream

	mu             sync.Mutex
	held           map[string]int // session by its refresh token that is good
	spent          map[string]bool
	first          []string // access tokens, as they were at the beginning
	renewed, again int
}

func openTokenEndpoint(u *upstream) (*tokenEndpoint, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tokenEndpoint{issuer: "http://" + l.Addr().String(), upstream: u, held: map[string]int{}, spent: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", t.metadata)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, map[string]any{"keys": []any{}}) })
	mux.HandleFunc("POST /token", t.token)
	t.server = &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go func() { _ = t.server.Serve(l) }()
	return t, nil
}

func (t *tokenEndpoint) close() { _ = t.server.Close() }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (t *tokenEndpoint) metadata(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"issuer": t.issuer, "authorization_endpoint": t.issuer + "/authorize", "token_endpoint": t.issuer + "/token", "jwks_uri": t.issuer + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		"grant_types_supported": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	})
}

// begin makes the tokens of a session, and what the upstream answers to each of
// its access tokens.
func (t *tokenEndpoint) begin(i int) (access, refresh secret.String, body []byte) {
	one, next := storetest.Noise(accessSize), storetest.Noise(70)
	body = t.upstream.expectAs(one, sessionName(i))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[next] = i
	t.first = append(t.first, one)
	return secret.New(one), secret.New(next), body
}

func sessionName(i int) string { return fmt.Sprintf("session-%d", i) }

func (t *tokenEndpoint) token(w http.ResponseWriter, r *http.Request) {
	id, password, _ := r.BasicAuth()
	if id != clientID || password != clientSecret {
		reply(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	refresh := r.PostFormValue("refresh_token")
	access, next := storetest.Noise(accessSize), storetest.Noise(70)
	t.mu.Lock()
	i, ok := t.held[refresh]
	if ok {
		delete(t.held, refresh)
		t.spent[refresh] = true
		t.held[next] = i
		t.renewed++
	} else if t.spent[refresh] {
		t.again++
	}
	t.mu.Unlock()
	if !ok {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	t.upstream.expectAs(access, sessionName(i))
	reply(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(tokenLife / time.Second), "refresh_token": next,
	})
}

// forgetOld makes the first access tokens unknown to the upstream, as they are
// once they have expired.
func (t *tokenEndpoint) forgetOld() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, token := range t.first {
		t.upstream.known.Delete(token)
	}
}

// counts are the renewals, and the refresh tokens that were used again.
func (t *tokenEndpoint) counts() (renewed, again int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.renewed, t.again
}
