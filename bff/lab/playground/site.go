package playground

import (
	"fmt"
	"net/http"
	"strings"

	"cloakroom/bff/guard"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/respond"
	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Site is where a topology is played with.
type Site struct {
	// Home is the origin at which a topology is chosen. Within.Origin is the one at
	// which it is played with, of which the handler that Open returns is told.
	Home string
	topology.Within
	// User and Password are of somebody who may sign in.
	User, Password string
}

// Open returns the handler of the topology's origin. It stands in front of the
// balancer, so the API is there whatever happened to the instances.
func (p *Playground) Open(s Site) (http.Handler, error) {
	answer := &respond.Responder{Log: p.cfg.Log}
	gate, err := guard.New(guard.Config{Origin: s.Origin, Respond: answer})
	if err != nil {
		return nil, fmt.Errorf("playground: %w", err)
	}
	p.mu.Lock()
	p.site = s
	p.mu.Unlock()
	control := gate.Headers(gate.Paths(gate.Hosts(gate.Handler(guard.Call, http.StripPrefix(lab.PathPlay[:len(lab.PathPlay)-1], p.control)))))
	css := gate.Headers(gate.Hosts(gate.Handler(guard.Page, answer.Handler(respond.CSS))))
	nobody := gate.Headers(gate.Hosts(answer.Handler(func(http.ResponseWriter, *http.Request) error {
		return problem.New(problem.InstanceUnavailable, nil).WithDetail("No topology runs here. Start one at " + s.Home + "/lab/topologies.")
	})))
	// Not by http.ServeMux, which redirects what it takes for a crooked path: whether
	// it is one, a guard says, here or in the instances.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running := p.running()
		switch {
		case strings.HasPrefix(r.URL.Path, lab.PathPlay):
			control.ServeHTTP(w, r)
		case running != nil:
			running.ServeHTTP(w, r)
		case r.URL.Path == shared.PathPageCSS: // of the page that says so
			css.ServeHTTP(w, r)
		default:
			nobody.ServeHTTP(w, r)
		}
	}), nil
}

// running is the balancer; nil: there is none.
func (p *Playground) running() http.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.game == nil || p.game.world == nil {
		return nil
	}
	return p.game.world.Handler()
}
