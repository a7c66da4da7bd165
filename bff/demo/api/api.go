package api

import (
	"net/http"
	"strings"

	"github.com/rs/cors"

	"cloakroom/bff/demo/dpop"
	"cloakroom/bff/respond"
	"cloakroom/shared/problem"
)

// API is the resource API as an http.Handler. It expects to be mounted on a
// host of its own.
type API struct {
	cfg       Config
	mux       *http.ServeMux
	handler   http.Handler // mux, and what pages of other origins may do
	responder *respond.Responder
	verifier  *verifier
	proofs    *dpop.Verifier
	orders    *ledger
}

var _ http.Handler = (*API)(nil)

// New checks cfg and seeds the orders. It fetches nothing.
func New(cfg Config) (*API, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	a := &API{
		cfg:       cfg,
		mux:       http.NewServeMux(),
		responder: &respond.Responder{Log: cfg.Log},
		verifier:  newVerifier(cfg),
		proofs:    dpop.NewVerifier(cfg.Now),
		orders:    newLedger(cfg.Seed, cfg.Now()),
	}
	a.routes()
	a.handler = a.toPages(a.mux)
	return a, nil
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// toPages lets pages of the allowed origins call (BBA-56). Credentials are not
// allowed: a token is all that counts here, and no page sends one unasked.
func (a *API) toPages(next http.Handler) http.Handler {
	if len(a.cfg.AllowedOrigins) == 0 {
		return next // cors.New would take an empty list for every origin
	}
	return cors.New(cors.Options{
		AllowedOrigins: a.cfg.AllowedOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "DPoP"},
	}).Handler(next)
}

// handler is an endpoint whose caller has shown a valid token.
type handler func(w http.ResponseWriter, r *http.Request, t *accessToken) error

func (a *API) routes() {
	orders, anyone := a.cfg.RequiredScope, []string(nil)
	a.handle("GET /orders", orders, a.listOrders)
	a.handle("POST /orders", orders, a.placeOrder)
	a.handle("GET /orders/{id}", orders, a.showOrder)
	a.handle("DELETE /orders/{id}", orders, a.cancelOrder)
	a.handle("GET /debug/headers", anyone, a.showHeaders)
	a.handle("GET /debug/stream", anyone, a.stream)
	a.handle("POST /debug/echo", anyone, a.echoBody)
	a.handle("GET /debug/echo", anyone, a.echoMessages)

	a.handle("/orders", anyone, allow("GET", "HEAD", "POST"))
	a.handle("/orders/{id}", anyone, allow("GET", "HEAD", "DELETE"))
	a.handle("/debug/headers", anyone, allow("GET", "HEAD"))
	a.handle("/debug/stream", anyone, allow("GET", "HEAD"))
	a.handle("/debug/echo", anyone, allow("GET", "POST"))
	a.handle("/", anyone, nothing)
}

// handle registers h behind the token check. There is no other way in.
func (a *API) handle(pattern string, scopes []string, h handler) {
	a.mux.Handle(pattern, a.responder.Handler(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		token, err := a.authenticate(w, r, scopes)
		if err != nil {
			return err
		}
		return h(w, r, token)
	}))
}

// allow answers the methods an endpoint does not have (RFC 9110 §15.5.6).
func allow(methods ...string) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ *accessToken) error {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return problem.New(problem.MethodNotAllowed, nil)
	}
}

func nothing(http.ResponseWriter, *http.Request, *accessToken) error {
	return problem.New(problem.NotFound, nil)
}
