package topology_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/lab/topology"
	"cloakroom/bff/lab/visitor"
	"cloakroom/bff/secret"
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
			t.Parallel()
			w := start(t, chosen.ID, topology.Options{TLS: strings.HasPrefix(chosen.ID, "redis")})
			v := enter(t, w)
			for _, address := range servers.Listening(t, os.Getpid()) {
				if !address.Addr().IsLoopback() {
					t.Errorf("something listens on %s", address)
				}
			}
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

// TestATopologyWithinAnotherWorld: provider, API and listener are somebody
// else's, here those of another topology, and are left as they were.
func TestATopologyWithinAnotherWorld(t *testing.T) {
	var asked []bool
	l := httptest.NewUnstartedServer(nil)
	origin := "http://" + l.Listener.Addr().String()
	outer := start(t, "memory-1", topology.Options{})
	t.Run("while it runs", func(t *testing.T) {
		w := start(t, "memory-n-sticky-app-cookie", topology.Options{Within: &topology.Within{
			Origin: origin, Issuer: outer.Issuer(), API: "http://127.0.0.1:9", ClientID: "app", ClientSecret: secret.New("a secret that is long enough"),
			Provider: func(refuse bool) { asked = append(asked, refuse) },
		}})
		l.Config.Handler = w.Handler()
		l.Start()
		defer l.Close()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+shared.PathPageCSS, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || len(w.Balanced()) != 3 || w.Origin() != origin {
			t.Errorf("%d at %s: %+v", response.StatusCode, w.Origin(), w.Balanced())
		}
		if err := errors.Join(w.Restart(t.Context(), "b"), w.Do(t.Context(), lab.ProviderDown)); err != nil {
			t.Error(err)
		}
	})
	if !slices.Equal(asked, []bool{false, true, false}) {
		t.Errorf("the provider was told to refuse: %v", asked)
	}
}
