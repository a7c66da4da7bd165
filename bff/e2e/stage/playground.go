package stage

import (
	"net/http"
	"os"

	"cloakroom/bff/lab/live"
	"cloakroom/bff/lab/playground"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/server"
	"cloakroom/shared/lab"
)

// OpenPlayground starts a demo with topologies to play with, as the command
// does, whose instances are processes of the given program.
func OpenPlayground(t T, program string) *Stage {
	t.Helper()
	ground := playground.New(playground.Config{Program: program, Progress: os.Stderr})
	l, err := live.Open(live.Config{Topologies: ground.Control()})
	if err != nil {
		t.Fatalf("stage: open the lab: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := Open(t, Options{Lab: l.Upstream(), Guest: &server.Guest{Host: lab.PlayHost, Open: func(at server.Surroundings) (http.Handler, error) {
		return ground.Open(playground.Site{Home: at.Home, User: at.User, Password: at.Password, Within: topology.Within{
			Origin: at.Origin, Issuer: at.Issuer, API: at.API, ClientID: at.ClientID, ClientSecret: at.ClientSecret, Provider: at.Refuse,
		}})
	}}})
	t.Cleanup(func() { _ = ground.Close() }) // first: its open streams hold the demo up
	return s
}
