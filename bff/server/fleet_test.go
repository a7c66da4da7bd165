package server_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/secret"
	"cloakroom/bff/server"
	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// clock is the right time and more: tokens expire when a test says so.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// mint remembers the newest token of each kind that a provider gave out.
type mint struct {
	mu     sync.Mutex
	newest map[string]string
	before func(kind string) // runs before a token is sent; may be nil
}

func (m *mint) issue(kind, token string) {
	m.mu.Lock()
	m.newest[kind] = token
	before := m.before
	m.mu.Unlock()
	if before != nil {
		before(kind)
	}
}

func (m *mint) last(kind string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.newest[kind]
}

func (m *mint) beforeSending(f func(kind string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = f
}

// instance is one server of a fleet.
type instance struct {
	addr, admin string
	stage       *stage           // runs within the test, or
	process     *servers.Process // is a process of its own
	calls       *http.Client
	near        bool // it keeps copies of sessions
}

// fleet is several servers of one deployment: one origin, one key ring, one
// store, and a provider that takes a refresh token once and ends the family
// when it sees it again.
type fleet struct {
	origin    string
	clock     *clock
	idp       *idp.Provider
	mint      *mint
	upstream  *upstream
	instances []*instance
	told      atomic.Int64 // which instance the provider's back channel reaches
	callers   callers      // what they do when told to come again

	mu      sync.Mutex
	bearers map[string]map[string]int // what each rush showed the upstream, and how often
}

// tokenLife is how long the fleet's access tokens live.
const tokenLife = time.Minute

// openFleet runs an instance for each section of config. life is the access
// tokens'.
func openFleet(t *testing.T, life time.Duration, sections ...string) *fleet {
	t.Helper()
	f := &fleet{clock: &clock{}, mint: &mint{newest: map[string]string{}}, upstream: newUpstream(t), bearers: map[string]map[string]int{}}
	f.upstream.answers(func(_ http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if shown, ok := f.bearers[r.URL.Query().Get("rush")]; ok {
			shown[r.Header.Get("Authorization")]++
		}
	})
	_, port, _ := net.SplitHostPort(freeAddress(t))
	f.origin = "http://app.localhost:" + port // nothing listens there: a balancer would
	f.idp = idptest.Start(t, idp.Config{
		Clients: []idp.Client{{
			ID: "app", Secret: secret.New("not-a-secret-of-anybody"),
			RedirectURIs: []string{f.origin + shared.PathCallback}, PostLogoutRedirectURIs: []string{f.origin + shared.PathSignedOut},
			BackChannelLogoutURI: f.origin + shared.PathBackchannel,
		}},
		HTTPClient:          &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: f.dialTold}, Timeout: patience},
		AccessTokenLifetime: life, Now: f.clock.now, OnIssue: f.mint.issue,
	})
	for _, section := range sections {
		f.instances = append(f.instances, f.open(t, section))
	}
	t.Cleanup(func() {
		if t.Failed() {
			f.explain(t)
		}
	})
	for _, i := range f.instances { // an embedded cluster begins with all its members
		i.waitReady(t)
	}
	return f
}

func (f *fleet) open(t *testing.T, section string) *instance {
	t.Helper()
	for range 5 { // a free port may be taken again before Run has it
		s := &stage{
			log: newLogBook(), idp: f.idp, upstream: f.upstream, stopped: make(chan error, 1), origin: f.origin,
			addr: freeAddress(t), admin: freeAddress(t),
			options: server.Options{Now: f.clock.now, ProviderTimeout: 15 * time.Second},
		}
		if s.run(t, configure(t, f.origin, s.addr, s.admin, f.idp.Issuer(), f.upstream, section)) {
			i := f.instance(t, s.addr, s.admin, section)
			i.stage = s
			return i
		}
	}
	t.Fatal("no free port")
	return nil
}

func (f *fleet) instance(t *testing.T, addr, admin, section string) *instance {
	transport := &http.Transport{DialContext: f.dial(addr), MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &instance{
		addr: addr, admin: admin, calls: &http.Client{Transport: f.callers.over(transport), Timeout: patience},
		near: strings.Contains(section, "near_cache"),
	}
}

// The test's own program, started again with these in its environment, is an
// instance that can be killed.
const (
	instanceConfig = "SERVER_TEST_CONFIG" // its file
	instanceAhead  = "SERVER_TEST_AHEAD"  // how far its clock is ahead
)

func TestMain(m *testing.M) {
	if path := os.Getenv(instanceConfig); path != "" {
		if err := beInstance(path, os.Getenv(instanceAhead)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func beInstance(path, ahead string) error {
	d, err := time.ParseDuration(ahead)
	if err != nil {
		return err
	}
	c, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	right := &clock{}
	right.advance(d)
	s, err := server.New(c, server.Options{Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)), Version: "test", Now: right.now})
	if err != nil {
		return err
	}
	return s.Run(context.Background(), nil)
}

// launch adds an instance that is a process of its own. Its clock shows what
// the fleet's shows now.
func (f *fleet) launch(t *testing.T, section string) *instance {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr, admin := servers.Address(servers.FreePort(t)), servers.Address(servers.FreePort(t))
	path := filepath.Join(t.TempDir(), "cloakroom.yaml")
	text := configText(t, f.origin, addr, admin, f.idp.Issuer(), f.upstream, section)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	i := f.instance(t, addr, admin, section)
	i.process = servers.Start(t, servers.Command{
		Program: "env", Package: "coreutils", Ready: i.ready,
		Args: []string{instanceConfig + "=" + path, instanceAhead + "=" + time.Duration(f.clock.ahead.Load()).String(), program},
	})
	return i
}

// callers do what Retry-After says, sooner: on a machine with other work, 256
// calls at once can take a store longer than an instance waits.
type callers struct {
	hurried  atomic.Bool // they take every answer as it is
	repeated atomic.Int64
}

func (c *callers) over(base http.RoundTripper) http.RoundTripper { return patient{base, c} }

type patient struct {
	http.RoundTripper
	*callers
}

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		response, err := p.RoundTripper.RoundTrip(r)
		if err != nil || response.StatusCode != http.StatusServiceUnavailable || p.hurried.Load() {
			return response, err
		}
		_ = response.Body.Close()
		p.repeated.Add(1)
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// tooLong is what the stores and the breaker before them say when a call was
// not answered in time.
var tooLong = []string{"context deadline exceeded", "timeout", "circuit breaker is open", "too many requests"}

// repeats says how many calls had to be made again, and fails when a store that
// took too long was not the reason.
func (f *fleet) repeats(t *testing.T) string {
	t.Helper()
	for text := range f.failures() {
		if strings.Contains(text, string(problem.StoreUnavailable)) && !slices.ContainsFunc(tooLong, func(reason string) bool { return strings.Contains(text, reason) }) {
			t.Errorf("a store that answers was taken for one that is down: %s", text)
		}
	}
	if n := f.callers.repeated.Load(); n > 0 {
		return fmt.Sprintf("; %d calls were made again, since the store took too long", n)
	}
	return ""
}

// dial reaches the origin at addr, and everybody else on this machine.
func (f *fleet) dial(addr string) func(context.Context, string, string) (net.Conn, error) {
	host := strings.TrimPrefix(f.origin, "http://")
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		if target == host {
			target = addr
		}
		_, port, err := net.SplitHostPort(target)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
}

// explain prints what the instances say of their failures.
func (f *fleet) explain(t *testing.T) {
	for text, times := range f.failures() {
		t.Logf("%d times: %s", times, text)
	}
}

// failures are the causes in the instances' logs, and how often each.
func (f *fleet) failures() map[string]int {
	said := map[string]int{}
	for n, i := range f.instances {
		for line := range strings.Lines(i.stage.log.String()) {
			var entry struct{ Level, Msg, Cause string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Cause != "" {
				said[fmt.Sprintf("instance %d: %s %s: %s", n, entry.Level, entry.Msg, entry.Cause)]++
			}
		}
	}
	return said
}

// dialTold reaches the instance that the back channel's turn is at.
func (f *fleet) dialTold(ctx context.Context, network, target string) (net.Conn, error) {
	return f.dial(f.instances[int(f.told.Load())%len(f.instances)].addr)(ctx, network, target)
}

// waitReady returns when the instance has its store and its provider.
func (i *instance) waitReady(t *testing.T) {
	t.Helper()
	servers.WaitFor(t, "an instance to be ready", i.ready)
}

func (i *instance) ready(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.admin+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(body), `"status":"ready"`) {
		return fmt.Errorf("%d %s %v", response.StatusCode, body, err)
	}
	return nil
}

// browser is one person's, whose calls reach the instances that a balancer
// chooses: each way shares its cookies.
type browser []*visitor

func (f *fleet) browser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b browser
	for _, i := range f.instances {
		b = append(b, &visitor{origin: f.origin, Client: &http.Client{
			Jar: trustworthy{jar}, Transport: completeMetadata{i.calls.Transport}, Timeout: patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}})
	}
	return b
}

// on is the way to an instance; there are always more rounds than instances.
func (b browser) on(i int) *visitor { return b[i%len(b)] }

// tally is how a rush was answered.
type tally struct {
	status  map[int]int
	code    map[problem.Code]int
	cut     int            // without an answer
	cookies int            // answers that touch a cookie
	bearers map[string]int // what the upstream was shown
}

func (a tally) String() string {
	return fmt.Sprintf("answers %v %v, %d cut, %d tokens upstream", a.status, a.code, a.cut, len(a.bearers))
}

// rush makes n calls of the API at each instance at once.
func (f *fleet) rush(ctx context.Context, ticket string, n int, instances ...*instance) tally {
	name := rand.Text()
	f.mu.Lock()
	f.bearers[name] = map[string]int{}
	f.mu.Unlock()
	got := tally{status: map[int]int{}, code: map[problem.Code]int{}}
	var mu sync.Mutex
	together(n*len(instances), func(i int) {
		answer, err := f.ask(ctx, instances[i%len(instances)], http.MethodGet, "/api/orders?rush="+name, ticket)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			got.cut++
			return
		}
		got.status[answer.StatusCode]++
		if code := answer.code(); code != "" {
			got.code[code]++
		}
		if answer.Header.Get("Set-Cookie") != "" {
			got.cookies++
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	got.bearers = f.bearers[name]
	delete(f.bearers, name)
	return got
}

// ask is one call with a ticket and nothing else.
func (f *fleet) ask(ctx context.Context, i *instance, method, path, ticket string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, f.origin+path, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header = http.Header{
		shared.HeaderCSRF: {shared.ValueCSRF}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"},
		"Cookie": {shared.CookieName + "=" + ticket},
	}
	response, err := i.calls.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response, string(body)}, err
}

// together runs f n times at once and waits for all.
func together(n int, f func(i int)) {
	var started, done sync.WaitGroup
	started.Add(n)
	for i := range n {
		done.Go(func() {
			started.Done()
			started.Wait()
			f(i)
		})
	}
	done.Wait()
}

// mustServe fails unless all n calls of a rush were answered 200, with the
// newest access token.
func (f *fleet) mustServe(t *testing.T, got tally, n int) {
	t.Helper()
	newest := "Bearer " + f.mint.last(shared.TokenAccess)
	if got.status[http.StatusOK] != n || len(got.status) != 1 || got.cut != 0 || got.cookies != 0 {
		t.Errorf("of %d calls: %v, %d touch the cookie", n, got, got.cookies)
	}
	if got.bearers[newest] != n || len(got.bearers) != 1 {
		t.Errorf("the upstream was shown %d tokens, the newest one in %d of %d calls", len(got.bearers), got.bearers[newest], n)
	}
}

// mustHaveRotated fails unless the one family at the provider has been rotated
// n times since its sign-in, in as many requests as told.
func (f *fleet) mustHaveRotated(t *testing.T, n, requests int) {
	t.Helper()
	families := f.idp.Families()
	if len(families) != 1 || families[0].Generation != 1+n {
		t.Errorf("the provider knows %+v, want one family, rotated %d times", families, n)
	}
	if got := f.idp.Requests(idp.GrantRefresh); got != requests {
		t.Errorf("%d token requests, want %d", got, requests)
	}
}

// shelter is a store, and how instances share it.
type shelter struct {
	// start runs what the store needs and returns how to configure a fleet of
	// as many instances as can share it, at most n. more is of the session
	// section.
	start func(t *testing.T) (sections func(t *testing.T, n int, more string) []string)
	// each is how many calls of a rush an instance gets.
	each int
	// rounds and races are how many sign-outs the tests take time for, over
	// HTTP and without it.
	rounds, races int
}

// shelters are all stores whose records are written by compare-and-swap.
func shelters(t *testing.T) map[string]shelter {
	all := map[string]shelter{
		"memory": {each: calls, rounds: 100, races: 1000, start: func(*testing.T) func(*testing.T, int, string) []string {
			return func(_ *testing.T, _ int, more string) []string {
				return []string{with(sessionSection("memory", "", ""), more)}
			}
		}},
		"mongodb": {each: calls / 4, rounds: 10, races: 25, start: inOnePlace(func(t *testing.T) string {
			return sessionSection("mongodb", "mongodb://"+servers.FerretDB(t, nil).Addr()+"/cloakroom", "")
		})},
		"nats": {each: calls / 4, rounds: 20, races: 100, start: inOnePlace(func(t *testing.T) string {
			return sessionSection("nats", "nats://"+servers.NATS(t).Addr(), "")
		})},
		// Its three servers share the processor with the test.
		"nats, embedded": {each: 16, rounds: 10, races: 50, start: func(*testing.T) func(*testing.T, int, string) []string {
			return embeddedCluster
		}},
	}
	for _, store := range []string{"file", "sqlite"} {
		all[store] = shelter{each: calls, rounds: 20, races: 100, start: func(*testing.T) func(*testing.T, int, string) []string {
			return func(t *testing.T, _ int, more string) []string {
				return []string{with(sessionSection(store, filepath.Join(t.TempDir(), "sessions"), ""), more)}
			}
		}}
	}
	for name, start := range sharedStores(t) {
		made := shelter{each: calls / 4, rounds: 20, races: 100, start: inOnePlace(func(t *testing.T) string {
			section, _ := start(t)
			return section
		})}
		switch name {
		case "redis", "postgres":
			made.rounds = 100
		case "memcached":
			made.races = 200
		}
		all[name] = made
	}
	return all
}

// inOnePlace is a store that every instance finds at one place.
func inOnePlace(start func(t *testing.T) string) func(t *testing.T) func(*testing.T, int, string) []string {
	return func(t *testing.T) func(*testing.T, int, string) []string {
		section := start(t)
		return func(_ *testing.T, n int, more string) []string { return same(n, with(section, more)) }
	}
}

func same(n int, section string) []string {
	var sections []string
	for range n {
		sections = append(sections, section)
	}
	return sections
}

// with adds to a session section.
func with(section, more string) string {
	if more == "" {
		return section
	}
	return strings.TrimSuffix(section, "}\n") + ", " + more + "}\n"
}

// embeddedCluster is three instances and nothing else.
func embeddedCluster(t *testing.T, _ int, more string) []string {
	t.Helper()
	var addresses, quoted []string
	for range 3 {
		addresses = append(addresses, servers.Address(servers.FreePort(t)))
	}
	for _, address := range addresses {
		quoted = append(quoted, strconv.Quote(address))
	}
	var sections []string
	for _, address := range addresses {
		section := fmt.Sprintf("\nsession: {store: nats, max_bytes: 64MiB, keys: [{id: k-1, secret: %s}], cluster: {listen: %q, peers: [%s], secret: not-a-secret-of-anybody}}\n",
			ringKey, address, strings.Join(quoted, ", "))
		sections = append(sections, with(section, more))
	}
	return sections
}

// roundsOf is how often a test that races does it: SIGN_OUT_ROUNDS, or what
// it takes time for otherwise.
func roundsOf(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv("SIGN_OUT_ROUNDS")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGN_OUT_ROUNDS is %q", text)
	}
	return n
}

// signIn makes a session by way of an instance and returns its ticket. A code
// is spent by the attempt that a slow store lets fail, so a person begins anew.
func (b browser) signIn(t *testing.T, i int) string {
	t.Helper()
	v := b.on(i)
	for attempt := 0; ; attempt++ {
		got := v.visit(t, v.begin(t))
		if got.StatusCode == http.StatusSeeOther {
			break
		}
		if attempt == 3 {
			t.Fatalf("sign-in ended with %d: %s", got.StatusCode, got.body)
		}
	}
	v.mustBe(t, http.StatusOK)
	return v.ticket(t)
}

// TestEveryStoreKeepsTheFleetsPromises: one renewal however many want it, and
// a sign-out that nothing undoes and every instance sees, on every store.
func TestEveryStoreKeepsTheFleetsPromises(t *testing.T) {
	for name, s := range shelters(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sections := s.start(t)
			t.Run("of many calls one renews", func(t *testing.T) { manyCallsRenewOnce(t, s.each, sections(t, 4, "")) })
			t.Run("a sign-out is seen everywhere", func(t *testing.T) { signOutIsSeenEverywhere(t, sections(t, 4, "")) })
			t.Run("a sign-out is never undone", func(t *testing.T) {
				const lifetimes = "idle_timeout: 40s, absolute_timeout: 720h"
				signOutIsNeverUndone(t, roundsOf(t, s.rounds), sections(t, 2, lifetimes))
			})
			t.Run("nor without HTTP around it", func(t *testing.T) { managersNeverUndoASignOut(t, roundsOf(t, s.races), sections(t, 2, "")) })
		})
	}
}
