package compare_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/chromium"
	"cloakroom/bff/lab/machine"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// moment is a browser that calls itself when an attack begins.
type moment func()

var errNone = errors.New("that is all")

func (m moment) Go(context.Context, string) error                        { return errNone }
func (m moment) Run(context.Context, string, any) error                  { return errNone }
func (m moment) Cookies(context.Context, string) ([]*http.Cookie, error) { return nil, errNone }
func (m moment) Forget(context.Context, string) error                    { m(); return errNone }

// Nobody but this machine reaches anything of the lab: applications with holes,
// an attacker, a provider that prints its passwords, stores without any.
func TestTheLabListensOnLoopbackOnly(t *testing.T) {
	var chosen []lab.Strategy
	for _, id := range []string{"local-storage", "cookie-jwe", "bff-redis", "bff-sql"} {
		s, ok := lab.FindStrategy(id)
		if !ok {
			t.Fatalf("there is no %s", id)
		}
		chosen = append(chosen, s)
	}
	m := machine.New(t.Context(), servers.Build(t, "", "./bff", "cloakroom"), os.Stderr)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	w, err := strategy.Open(strategy.Config{Strategies: chosen, Cloakroom: m.Cloakroom, Store: m.Store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	b, err := chromium.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	before := len(servers.Listening(t, os.Getpid()))
	// The world, three Cloakrooms with two listeners each, and two stores.
	if before < 1+3*2+2 {
		t.Errorf("only %d listeners are found", before)
	}
	during := 0
	a, _ := lab.FindAttack("A1")
	if _, err := attack.Cell(t.Context(), w, moment(func() {
		all := servers.Listening(t, os.Getpid())
		during = len(all)
		for _, address := range all {
			if !address.Addr().IsLoopback() {
				t.Errorf("something listens on %s", address)
			}
		}
	}), chosen[0], a); err != nil {
		t.Fatal(err)
	}
	if during != before+1 {
		t.Errorf("with the attacker there are %d listeners, without %d", during, before)
	}
}
