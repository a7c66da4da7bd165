package server

import (
	"net/http"
	"slices"
	"strings"

	"cloakroom/bff/guard"
	"cloakroom/bff/login"
	"cloakroom/bff/observe"
	"cloakroom/bff/proxy"
	"cloakroom/bff/respond"
	"cloakroom/bff/spa"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Route is one way into the server. Every route declares how it is meant to be
// reached; the tests walk this list, so that none is forgotten.
type Route struct {
	Pattern string // of http.ServeMux, without a method
	Methods []string
	Guard   guard.Kind
	Handler http.Handler
}

// routes is the whole list.
func routes(e *login.Endpoints, api *proxy.Proxy, app *spa.SPA, answer *respond.Responder) []Route {
	get := []string{http.MethodGet}
	read := []string{http.MethodGet, http.MethodHead}
	list := []Route{
		{shared.PathLogin, get, guard.Navigation, answer.Handler(e.Login)},
		{shared.PathCallback, get, guard.Return, answer.Handler(e.Callback)},
		{shared.PathLogout, get, guard.Navigation, answer.Handler(e.Logout)},
		{shared.PathSignedOut, get, guard.Return, answer.Handler(e.SignedOut)}, // the provider's redirect too
		{shared.PathUser, read, guard.Call, answer.Handler(e.User)},
		{shared.PathInspect, read, guard.Call, answer.Handler(e.Inspect)},
		{shared.PathSessions, read, guard.Call, answer.Handler(e.Sessions)},
		{shared.PathSessions + "/{handle}", []string{http.MethodDelete}, guard.Call, answer.Handler(e.EndSession)},
		{shared.PathBackchannel, []string{http.MethodPost}, guard.Peer, answer.Handler(e.Backchannel)},
		{shared.PathEvents, get, guard.Call, answer.Handler(e.Events)},
		{shared.PathPageCSS, read, guard.Page, answer.Handler(respond.CSS)},
		{shared.BFFPrefix, nil, guard.Call, answer.Handler(nothing)},
		{"/", read, guard.Page, app},
	}
	for _, mount := range api.Mounts() {
		list = append(list, Route{mount.Route.Path, mount.Route.Methods, guard.Call, mount.Handler})
	}
	for i := range list {
		list[i].Handler = onlyMethods(list[i].Methods, list[i].Handler, answer)
	}
	return list
}

func newMux(list []Route, gate *guard.Guard) http.Handler {
	mux := http.NewServeMux()
	for _, route := range list {
		mux.Handle(route.Pattern, gate.Handler(route.Guard, route.Handler))
	}
	return mux
}

// onlyMethods refuses every method but the listed ones. None listed: whoever
// comes next decides.
func onlyMethods(methods []string, next http.Handler, answer *respond.Responder) http.Handler {
	if len(methods) == 0 {
		return next
	}
	allow := strings.Join(methods, ", ")
	return answer.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", allow) // RFC 9110 §15.5.6
			return problem.New(problem.MethodNotAllowed, nil)
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// nothing answers for paths below /bff/ that do not exist.
func nothing(http.ResponseWriter, *http.Request) error { return problem.New(problem.NotFound, nil) }

func adminMux(health *observe.Health, metrics *observe.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", health.Live)
	mux.HandleFunc("GET /readyz", health.Ready)
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}
