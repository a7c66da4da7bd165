package interop_test

import (
	"encoding/json"
	"errors"
	"fmt"
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
	// audience is what JWTs must be for (RFC 8707); empty: there are none.
	audience string
	// nonce must be in every proof (RFC 9449 §9); empty: it need not.
	nonce string

	mu   sync.Mutex
	seen []admission
	jtis map[string]bool // of proofs
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
	a := &resource{world: w, jtis: map[string]bool{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := admission{Header: r.Header.Clone()}
	one.Scheme, one.Token, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	err := a.judge(r, &one)
	if err != nil {
		one.Why = err.Error()
	}
	a.mu.Lock()
	a.seen = append(a.seen, one)
	a.mu.Unlock()
	switch {
	case errors.Is(err, errNonce):
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		w.Header().Set("DPoP-Nonce", a.nonce)
		w.WriteHeader(http.StatusUnauthorized)
	case err != nil:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 §3.1
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(shared.OrderPage{
			Orders: []shared.Order{{ID: "1", Item: hat, Quantity: 1, Created: time.Now().Unix()}}, Limit: shared.DefaultPageLimit, Total: 1,
		})
	}
}

// hat is the one order there is.
const hat = "A hat from another house"

// judge returns why not to let a call in.
func (a *resource) judge(r *http.Request, one *admission) (err error) {
	if len(r.Header.Values("Authorization")) != 1 {
		return errors.New("not exactly one Authorization header")
	}
	if a.audience != "" {
		one.Facts, err = a.world.verified(one.Token)
	} else {
		one.Facts, err = a.world.introspect(one.Token)
	}
	facts := one.Facts
	switch {
	case err != nil:
		return err
	case a.audience == "" && facts["active"] != true:
		return errors.New("the provider does not know the token, or not any more")
	case a.audience != "" && facts["aud"] != a.audience:
		return fmt.Errorf("the token is for %v", facts["aud"])
	case facts["client_id"] != clientID || facts["sub"] != user || facts["iss"] != a.world.IDPOrigin:
		return errors.New("the token is of another client, user or provider")
	}
	bound, _ := facts["cnf"].(map[string]any)
	switch {
	case bound == nil && one.Scheme != "Bearer", bound != nil && one.Scheme != "DPoP":
		return errors.New("the token does not go with " + one.Scheme)
	case bound != nil:
		return a.prove(r, one.Token, bound["jkt"])
	}
	return nil
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
