package topology_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"cloakroom/bff/lab/topology"
	"cloakroom/bff/lab/visitor"
	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

func start(t *testing.T, id string, o topology.Options) *topology.World {
	t.Helper()
	chosen, ok := lab.FindTopology(id)
	if !ok {
		t.Fatalf("there is no %s", id)
	}
	o.Program, o.Progress = servers.Build(t, "", "./bff", "cloakroom"), os.Stderr
	w, err := topology.Start(t.Context(), chosen, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func enter(t *testing.T, w *topology.World) *visitor.Visitor {
	t.Helper()
	site := visitor.NewSite(w.Origin(), w.Roots())
	t.Cleanup(site.Close)
	v := visitor.New(site, "alice", "wonderland")
	if err := v.SignIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestEveryTopologyServes: somebody signs in, is who they are at every server
// that should know, and is nobody after signing out.
func TestEveryTopologyServes(t *testing.T) {
	for _, chosen := range lab.Topologies() {
		t.Run(chosen.ID, func(t *testing.T) {
			w := start(t, chosen.ID, topology.Options{TLS: strings.HasPrefix(chosen.ID, "redis")})
			v := enter(t, w)
			knows := 0
			for _, n := range w.State().Nodes {
				if n.Kind != lab.NodeServer {
					continue
				}
				got, err := v.CallAt(t.Context(), n.Address, shared.PathUser)
				if err != nil {
					t.Fatal(err)
				}
				if who, _ := got.Who(); got.Status == http.StatusOK && who == v.Subject {
					knows++
				} else if got.Status != http.StatusUnauthorized {
					t.Errorf("server %s: %d %s", n.Name, got.Status, got.Body)
				}
			}
			want := 1
			if chosen.Many && chosen.Kind.Shared() {
				want = 3
			}
			if knows != want {
				t.Errorf("%d servers know the session, want %d", knows, want)
			}
			if chosen.Balance == lab.RoundRobin && !chosen.Kind.Shared() {
				return // who signs out somewhere else is answered, and that is all
			}
			if got, err := v.SignOut(t.Context()); err != nil || got.Status != http.StatusSeeOther {
				t.Fatalf("signing out: %d %v", got.Status, err)
			}
			// A server may serve for two seconds more whom another signed out, where
			// sessions are in the browser or copies near.
			servers.WaitFor(t, "the session to be refused everywhere", func(ctx context.Context) error {
				for range 3 {
					if got, err := v.Call(ctx, shared.PathUser); err != nil || got.Status != http.StatusUnauthorized {
						return fmt.Errorf("signed out, %d %s %v", got.Status, got.Body, err)
					}
				}
				return nil
			})
		})
	}
}

func TestWhatCannotHappenIsRefused(t *testing.T) {
	w := start(t, "memory-1", topology.Options{})
	var spared *topology.SparedError
	if err := w.Do(t.Context(), lab.FlushStore); !errors.As(err, &spared) || spared.Event != lab.FlushStore {
		t.Errorf("flushing no store: %v", err)
	}
	if err := w.Do(t.Context(), "earthquake"); err == nil {
		t.Error("an earthquake can happen")
	}
}
