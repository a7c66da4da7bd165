package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/storetest"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// waysOut are all that end a session of v, as told to one instance. other is
// the same person's other browser.
var waysOut = []struct {
	name string
	end  func(t *testing.T, f *fleet, told int, v, other browser)
}{
	{"the sign-out", func(t *testing.T, f *fleet, told int, v, _ browser) {
		if got := v.on(told).visit(t, f.origin+logoutLink(t, v.on(told))); got.StatusCode != http.StatusSeeOther {
			t.Errorf("sign-out: %d %s", got.StatusCode, got.body)
		}
	}},
	{"from another device", func(t *testing.T, _ *fleet, told int, v, other browser) {
		other.on(told).mustEnd(t, v.on(told).handle(t))
	}},
	{"all other devices", func(t *testing.T, _ *fleet, told int, _, other browser) {
		other.on(told).mustEnd(t, shared.HandleOthers)
	}},
	{"the provider's back channel", func(t *testing.T, f *fleet, told int, v, _ browser) {
		link, err := url.Parse(logoutLink(t, v.on(told)))
		if err != nil {
			t.Fatal(err)
		}
		f.told.Store(int64(told))
		if err := f.idp.EndSession(t.Context(), link.Query().Get(shared.ParamSID)); err != nil {
			t.Error(err)
		}
	}},
}

// signOutIsSeenEverywhere: whichever instance is told, all know.
func signOutIsSeenEverywhere(t *testing.T, sections []string) {
	f := openFleet(t, tokenLife, sections...)
	alice, elsewhere := f.browser(t), f.browser(t)
	elsewhere.signIn(t, 0)
	for _, way := range waysOut {
		for told := range f.instances {
			ticket := alice.signIn(t, told+1)
			for i := range f.instances { // where there are copies, each has one
				alice.on(i).mustBe(t, http.StatusOK)
			}
			way.end(t, f, told, alice, elsewhere)
			for i, other := range f.instances {
				f.mustForget(t, other, ticket)
				elsewhere.on(i).mustBe(t, http.StatusOK)
			}
		}
	}
	if left := elsewhere.on(0).devices(t); len(left) != 1 || !left[0].Current {
		t.Errorf("the user has %d sessions left", len(left))
	}
	for _, i := range f.instances { // what one has used, none takes again
		if got := f.tell(t, i, f.mint.last(idp.KindLogout)); got.code() != problem.LogoutTokenReplayed {
			t.Errorf("a logout token that was used: %d %s", got.StatusCode, got.body)
		}
	}
	t.Logf("%d ways to sign out, told to each of %d instances, seen by all", len(waysOut), len(f.instances))
}

// tell sends an instance a logout token, as the provider does.
func (f *fleet) tell(t *testing.T, i *instance, token string) answer {
	t.Helper()
	response, err := i.calls.PostForm(f.origin+shared.PathBackchannel, url.Values{"logout_token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	return read(t, response)
}

// mustForget returns when the instance does not know the ticket: at once, or
// where it keeps copies as soon as it has heard.
func (f *fleet) mustForget(t *testing.T, i *instance, ticket string) {
	t.Helper()
	for _, path := range []string{shared.PathUser, "/api/orders"} {
		servers.WaitFor(t, "the sign-out to be seen", func(ctx context.Context) error {
			got, err := f.ask(ctx, i, http.MethodGet, path, ticket)
			if err != nil {
				return err
			}
			if got.StatusCode != http.StatusUnauthorized {
				if !i.near {
					t.Fatalf("%s with the ticket of a session that ended: %d", path, got.StatusCode)
				}
				return fmt.Errorf("%d", got.StatusCode)
			}
			return nil
		})
	}
}

// signOutIsNeverUndone races a sign-out against 32 calls in flight, of which
// some renew the tokens and some note that their user was there.
func signOutIsNeverUndone(t *testing.T, rounds int, sections []string) {
	const life, inFlight = 10 * time.Second, 32
	f := openFleet(t, life, sections...)
	alice, elsewhere := f.browser(t), f.browser(t)
	elsewhere.signIn(t, 0)
	var tickets []string
	statuses, began := map[int]int{}, time.Now()
	for round := range rounds {
		ticket := alice.signIn(t, round)
		tickets = append(tickets, ticket)
		f.clock.advance(life + time.Second) // the token is spent, and a touch is due
		elsewhere.on(round).mustBe(t, http.StatusOK)
		way := waysOut[round%len(waysOut)]

		// The sign-out comes after as many answers as the round says.
		var answered atomic.Int64
		due, when := make(chan struct{}), int64(round%inFlight)
		if when == 0 {
			close(due)
		}
		var mu sync.Mutex
		together(inFlight+1, func(i int) {
			if i == inFlight {
				<-due
				way.end(t, f, round/len(waysOut), alice, elsewhere)
				return
			}
			path := "/api/orders"
			if i%4 == 3 {
				path = shared.PathUser
			}
			if i == inFlight/2 {
				f.clock.advance(2 * time.Second) // another touch is due
			}
			got, err := f.ask(t.Context(), f.instances[i%len(f.instances)], http.MethodGet, path, ticket)
			if err != nil {
				t.Errorf("call: %v", err)
			} else if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusUnauthorized {
				t.Errorf("call: %d %s", got.StatusCode, got.body)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				statuses[got.StatusCode]++
			}
			if answered.Add(1) == when {
				close(due)
			}
		})
		for _, i := range f.instances {
			f.mustForget(t, i, ticket)
		}
		if left := elsewhere.on(round).devices(t); len(left) != 1 || !left[0].Current {
			t.Errorf("the user has %d sessions left", len(left))
		}
		if t.Failed() {
			t.Fatalf("in round %d, %s", round, way.name)
		}
	}
	took := time.Since(began)
	for _, i := range f.instances { // nothing is under way any more
		if err := i.stage.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, ticket := range tickets {
		for _, i := range f.instances {
			f.mustForget(t, i, ticket)
		}
	}
	t.Logf("%d sign-outs, each racing %d calls on %d instances: answers %v; no session is back; in %v%s",
		rounds, inFlight, len(f.instances), statuses, took.Round(time.Millisecond), f.repeats(t))
}

// managersNeverUndoASignOut is the same race without HTTP around it: more often,
// and with more writes in flight.
func managersNeverUndoASignOut(t *testing.T, rounds int, sections []string) {
	var stores []session.Store
	for _, section := range sections {
		stores = append(stores, openStore(t, section))
	}
	for _, store := range stores {
		servers.WaitFor(t, "a store to be ready", func(ctx context.Context) error {
			_, err := store.Get(ctx, session.ID{})
			if errors.Is(err, session.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	storetest.RunSignOuts(t, rounds, stores...)
}

// openStore opens the store of a section, as an instance does.
func openStore(t *testing.T, section string) session.Store {
	t.Helper()
	c := configure(t, "http://app.localhost:8080", "127.0.0.1:8080", "127.0.0.1:9090", "http://127.0.0.1:1", newUpstream(t), section)
	store, closeStore, err := server.OpenStore(c.Session)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if runner, ok := store.(session.Runner); ok {
			_ = runner.Run(ctx)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := closeStore(); err != nil {
			t.Error(err)
		}
	})
	return store
}
