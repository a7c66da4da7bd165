package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// calls at once, over all instances.
const calls = 256

// manyCallsRenewOnce: the access token has just expired, and a page with many
// widgets wakes up in front of a balancer.
func manyCallsRenewOnce(t *testing.T, each int, sections []string) {
	f := openFleet(t, tokenLife, sections...)
	ticket := f.browser(t).signIn(t, 0)
	first := f.mint.last(shared.TokenRefresh)
	const rounds = 20
	began, answered := time.Now(), 0
	for round := range rounds {
		f.clock.advance(tokenLife + time.Second)
		got := f.rush(t.Context(), ticket, each, f.instances...)
		answered += got.status[http.StatusOK]
		f.mustServe(t, got, each*len(f.instances))
		f.mustHaveRotated(t, 1+round, 1+round)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d rounds of %d calls on each of %d instances: %d answers of 200, %d token requests, in %v%s",
		rounds, each, len(f.instances), answered, f.idp.Requests(idp.GrantRefresh), time.Since(began).Round(time.Millisecond), f.repeats(t))

	// A second request of any round would have been the end of it.
	if status := f.replay(t, first); status != http.StatusBadRequest || len(f.idp.Families()) != 0 {
		t.Errorf("a spent refresh token got %d, and %d families live", status, len(f.idp.Families()))
	}
	f.clock.advance(tokenLife + time.Second)
	got := f.rush(t.Context(), ticket, each, f.instances...)
	if got.status[http.StatusUnauthorized] != each*len(f.instances) {
		t.Errorf("after a replay of a refresh token: %v", got)
	}
}

// replay shows the provider a refresh token, as a thief of it would.
func (f *fleet) replay(t *testing.T, token string) int {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.idp.Issuer()+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "not-a-secret-of-anybody")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, response).StatusCode
}

// TestARenewalMeetsTrouble: whatever happens to those who take part in it, no
// refresh token is spent twice, and nobody is signed out.
func TestARenewalMeetsTrouble(t *testing.T) {
	for _, name := range []string{"redis", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, store := sharedStores(t)[name](t)
			for _, trouble := range []struct {
				name string
				meet func(t *testing.T, f *fleet, ticket string)
			}{
				{"its instance is killed", func(t *testing.T, f *fleet, ticket string) { theHolderIsKilled(t, f, section, ticket) }},
				{"its callers leave", theCallersLeave},
				{"the provider fails twice", theProviderFailsTwice},
				{"the store is killed before it is told", func(t *testing.T, f *fleet, ticket string) { theStoreIsKilled(t, f, store, ticket) }},
			} {
				t.Run(trouble.name, func(t *testing.T) { inTrouble(t, same(4, section), trouble.meet) })
			}
		})
	}
}

// TestAProviderThatTakesTenSecondsIsAskedOnce: twice the lease, which is
// prolonged meanwhile.
func TestAProviderThatTakesTenSecondsIsAskedOnce(t *testing.T) {
	t.Parallel()
	section, _ := sharedStores(t)["redis"](t)
	inTrouble(t, same(4, section), func(t *testing.T, f *fleet, ticket string) {
		f.idp.SetFault(idp.FaultTokenSlow)
		got := make(chan tally, 1)
		began := time.Now()
		go func() { got <- f.rush(t.Context(), ticket, 64, f.instances...) }()
		f.waitHeld(t, 1)
		<-time.After(10 * time.Second)
		f.waitHeld(t, 1) // nobody else has asked
		f.idp.SetFault(idp.FaultNone)
		answers := <-got
		f.mustServe(t, answers, calls)
		f.mustHaveRotated(t, 1, 1)
		t.Logf("%v, 1 token request, after %v", answers, time.Since(began).Round(time.Millisecond))
	})
}

// inTrouble signs a user in whose token has expired when trouble comes, and
// fails unless they are signed in afterwards.
func inTrouble(t *testing.T, sections []string, meet func(t *testing.T, f *fleet, ticket string)) {
	f := openFleet(t, tokenLife, sections...)
	b := f.browser(t)
	ticket := b.signIn(t, 0)
	f.clock.advance(tokenLife + time.Second)
	meet(t, f, ticket)
	for i := range f.instances {
		b.on(i).mustBe(t, http.StatusOK)
	}
}

// waitHeld returns when the provider holds n token requests.
func (f *fleet) waitHeld(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.idp.WaitHeld(ctx, n); err != nil {
		t.Fatal(err)
	}
}

// theHolderIsKilled: kill -9 while the provider has the request and has done
// nothing yet. The others wait for the lease to stand still, and ask once.
func theHolderIsKilled(t *testing.T, f *fleet, section, ticket string) {
	dying, others := f.launch(t, section), f.instances[1:]
	f.idp.SetFault(idp.FaultTokenSlow)
	lost, got := make(chan tally, 1), make(chan tally, 1)
	go func() { lost <- f.rush(t.Context(), ticket, 64, dying) }()
	f.waitHeld(t, 1)
	go func() { got <- f.rush(t.Context(), ticket, 64, others...) }()
	dying.process.Kill()
	began := time.Now()
	f.waitHeld(t, 0) // the provider sees that nobody listens, and rotates nothing
	f.idp.SetFault(idp.FaultNone)
	if cut := <-lost; cut.cut != 64 {
		t.Errorf("of the instance that died: %v", cut)
	}
	answers := <-got
	f.mustServe(t, answers, 64*len(others))
	f.mustHaveRotated(t, 1, 2)
	t.Logf("%v, 2 token requests of which one rotated, %v after the kill", answers, time.Since(began).Round(time.Millisecond))
}

// theCallersLeave: every call of the instance that renews is cut. The renewal
// goes on and its result is there for whoever comes next, elsewhere too.
func theCallersLeave(t *testing.T, f *fleet, ticket string) {
	f.idp.SetFault(idp.FaultTokenSlow)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan tally, 1)
	go func() { left <- f.rush(ctx, ticket, 64, f.instances[0]) }()
	f.waitHeld(t, 1)
	leave()
	if cut := <-left; cut.cut != 64 {
		t.Errorf("of the calls that left: %v", cut)
	}
	servers.WaitFor(t, "the instance to notice", func(context.Context) error {
		// How many of the calls had arrived when all were cut, nobody knows.
		if !strings.Contains(f.instances[0].stage.log.String(), `"msg":"request","method":"GET","route":"/api/"`) {
			return errors.New("no call has ended")
		}
		return nil
	})
	f.waitHeld(t, 1) // the renewal has not ended with them
	f.idp.SetFault(idp.FaultNone)
	answers := f.rush(t.Context(), ticket, 1, f.instances[1])
	f.mustServe(t, answers, 1)
	f.mustServe(t, f.rush(t.Context(), ticket, 1, f.instances[0]), 1)
	f.mustHaveRotated(t, 1, 1)
	t.Logf("64 calls cut, the next: %v, 1 token request", answers)
}

// theProviderFailsTwice: two answers of 500 cost time and nothing else.
func theProviderFailsTwice(t *testing.T, f *fleet, ticket string) {
	f.idp.SetFaultTimes(idp.FaultTokenError, 2)
	answers := f.rush(t.Context(), ticket, 64, f.instances...)
	f.mustServe(t, answers, calls)
	f.mustHaveRotated(t, 1, 3)
	t.Logf("%v, 3 token requests of which one rotated", answers)
}

// theStoreIsKilled: the provider has rotated, and when its answer arrives there
// is no store to keep it. It is offered again until there is.
func theStoreIsKilled(t *testing.T, f *fleet, store outage, ticket string) {
	var once sync.Once
	f.mint.beforeSending(func(kind string) {
		if kind == shared.TokenRefresh {
			once.Do(store.Kill)
		}
	})
	f.callers.hurried.Store(true)
	meanwhile := f.rush(t.Context(), ticket, 64, f.instances...)
	if meanwhile.status[http.StatusServiceUnavailable] != calls || meanwhile.cookies != 0 {
		t.Errorf("while the store is away: %v, %d touch the cookie", meanwhile, meanwhile.cookies)
	}
	<-time.After(3 * time.Second) // it stays away for a while
	store.Restart()
	for _, i := range f.instances {
		f.waitServed(t, i, ticket)
	}
	f.callers.hurried.Store(false)
	answers := f.rush(t.Context(), ticket, 64, f.instances...)
	f.mustServe(t, answers, calls)
	f.mustHaveRotated(t, 1, 1)
	t.Logf("while the store is away: %v; afterwards: %v, 1 token request", meanwhile, answers)
}

// waitServed returns when the instance answers one call after the other again.
// On the way there it may say that it cannot tell, and never that nobody is
// signed in.
func (f *fleet) waitServed(t *testing.T, i *instance, ticket string) {
	t.Helper()
	const enough = 5
	served := 0
	servers.WaitFor(t, "calls to be answered again", func(ctx context.Context) error {
		for ; served < enough; served++ {
			got, err := f.ask(ctx, i, http.MethodGet, "/api/orders", ticket)
			switch {
			case err != nil:
				return err
			case got.StatusCode == http.StatusUnauthorized:
				t.Fatalf("signed out: %s", got.body)
			case got.StatusCode != http.StatusOK:
				served = 0
				return fmt.Errorf("%d %s", got.StatusCode, got.body)
			}
		}
		return nil
	})
}
