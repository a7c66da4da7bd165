package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/shared"
)

// The API's own registration at the provider, with which it asks about tokens.
const (
	apiID     = "api"
	apiSecret = "known to the API only"
)

// resource is an API that lets nobody in whom the provider does not vouch for.
type resource struct {
	*httptest.Server
	world *world

	mu   sync.Mutex
	seen []admission
}

// admission is one call to the API, with what the provider said of its token.
type admission struct {
	Token, Scheme string
	Facts         map[string]any
	Why           string // not to let it in; empty if it was
	Header        http.Header
}

func startAPI(t *testing.T, w *world) *resource {
	t.Helper()
	a := &resource{world: w}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := admission{Header: r.Header.Clone()}
	one.Scheme, one.Token, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	one.Why = a.judge(r, &one)
	a.mu.Lock()
	a.seen = append(a.seen, one)
	a.mu.Unlock()
	if one.Why != "" {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 §3.1
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(shared.OrderPage{
		Orders: []shared.Order{{ID: "1", Item: hat, Quantity: 1, Created: time.Now().Unix()}}, Limit: shared.DefaultPageLimit, Total: 1,
	})
}

// hat is the one order there is.
const hat = "A hat from another house"

// judge returns why not to let a call in.
func (a *resource) judge(r *http.Request, one *admission) string {
	if len(r.Header.Values("Authorization")) != 1 {
		return "not exactly one Authorization header"
	}
	facts, err := a.world.introspect(one.Token)
	if err != nil {
		return err.Error()
	}
	one.Facts = facts
	switch {
	case facts["active"] != true:
		return "the provider does not know the token, or not any more"
	case facts["client_id"] != clientID || facts["sub"] != user || facts["iss"] != a.world.IDPOrigin:
		return "the token is of another client, user or provider"
	case facts["token_type"] != one.Scheme:
		return "a token of type " + one.Scheme + " the provider did not make"
	}
	return ""
}

// calls lists the calls so far.
func (a *resource) calls() []admission {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]admission(nil), a.seen...)
}

// admitted is the last call, which must have been let in.
func (a *resource) admitted(t *testing.T) admission {
	t.Helper()
	list := a.calls()
	if len(list) == 0 {
		t.Fatal("nobody called the API")
	}
	last := list[len(list)-1]
	if last.Why != "" {
		t.Fatalf("the API did not let the call in: %s", last.Why)
	}
	return last
}
