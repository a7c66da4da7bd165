package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"cloakroom/bff/lab/live"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/playground"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/server"
	"cloakroom/shared/lab"
)

// openLab starts the live lab beside the demo. What its worlds need, this very
// program and stores, it starts at the first run that needs it.
func openLab(ctx context.Context, log *slog.Logger, stderr io.Writer) (*demoLab, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	needs := machine.New(ctx, program, stderr)
	ground := playground.New(playground.Config{Program: program, Progress: stderr, Log: log})
	opened, err := live.Open(live.Config{
		Cloakroom: needs.Cloakroom, Store: needs.Store, Missing: notInstalled, Topologies: ground.Control(), Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, needs.Close())
	}
	context.AfterFunc(ctx, func() { _ = ground.Close() }) // or its open streams would hold up the demo's end
	return &demoLab{
		upstream: opened.Upstream(),
		guest:    &server.Guest{Host: lab.PlayHost, Open: func(s server.Surroundings) (http.Handler, error) { return ground.Open(siteOf(s)) }},
		end:      func() error { return errors.Join(ground.Close(), opened.Close(), needs.Close()) },
	}, nil
}

// demoLab is what the demo has of the lab.
type demoLab struct {
	upstream string        // for lab.PathLive
	guest    *server.Guest // the topology that is played with
	end      func() error
}

// siteOf is the topology's place in the demo's world.
func siteOf(s server.Surroundings) playground.Site {
	return playground.Site{
		Home: s.Home, User: s.User, Password: s.Password,
		Within: topology.Within{
			Origin: s.Origin, Issuer: s.Issuer, API: s.API, ClientID: s.ClientID, ClientSecret: s.ClientSecret, Provider: s.Refuse,
		},
	}
}

// notInstalled says which store has to be installed for a strategy; "": none.
func notInstalled(s lab.Strategy) string {
	kind := strategy.StoreOf(s)
	if kind == "" {
		return ""
	}
	if err := machine.Installed(kind); err != nil {
		return "It cannot be tried: " + err.Error() + "."
	}
	return ""
}
