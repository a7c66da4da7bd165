package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/server"
	"cloakroom/shared"
)

// get asks the admin listener.
func (s *stage) get(t *testing.T, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("admin: %v", err)
	}
	return read(t, response)
}

// ended waits for Run.
func (s *stage) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.stopped:
		return err
	case <-time.After(patience):
		t.Fatal("the server does not stop")
		return nil
	}
}

func TestADrainFinishesWhatIsUnderWayAndTakesNothingNew(t *testing.T) {
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	v.signIn(t)

	// An answer of which the first half was sent.
	begun, finish := make(chan struct{}), make(chan struct{})
	s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first half, ")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "second half")
	})
	response, err := v.Do(callOf(t, http.MethodGet, s.origin, "/api/slow"))
	if err != nil {
		t.Fatal(err)
	}
	<-begun

	s.stop()
	s.log.await(t, `"msg":"draining"`)
	if got := s.awaitReady(t, "draining"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d while draining", got.StatusCode)
	}
	if got := s.get(t, "/healthz"); got.StatusCode != http.StatusOK {
		t.Errorf("healthz answers %d: a draining process lives", got.StatusCode)
	}
	s.refusesConnections(t)
	select {
	case err := <-s.stopped:
		t.Fatalf("the server stopped while an answer was under way: %v", err)
	default:
	}

	close(finish)
	if got := read(t, response); got.body != "first half, second half" {
		t.Errorf("the answer is %q", got.body)
	}
	if err := s.ended(t); err != nil {
		t.Errorf("run: %v", err)
	}
}

// With a delay the public port goes on as before while readyz says that the
// server leaves: whoever balances learns it before a connection is refused. No
// connection is kept for another request, and tabs stay where they are until
// they would be led elsewhere.
func TestAServerSaysThatItLeavesBeforeItDoes(t *testing.T) {
	s := open(t, "http", "drain_delay: 2s\n")
	v := newVisitor(t, s.origin)
	v.signIn(t)
	tab := v.tab(t)
	s.upstream.answers(func(http.ResponseWriter, *http.Request) {})
	if got := v.call(t, http.MethodGet, "/api/"); got.Close {
		t.Error("a server that stays closes the connection after an answer")
	}

	s.stop()
	s.log.await(t, `"msg":"leaving"`)
	if got := s.awaitReady(t, "draining"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d", got.StatusCode)
	}
	late := newVisitor(t, s.origin) // over a connection of its own
	late.Jar = v.Jar
	if got := late.call(t, http.MethodGet, "/api/"); got.StatusCode != http.StatusOK || !got.Close {
		t.Errorf("a call while it leaves: %d, the connection closes: %v", got.StatusCode, got.Close)
	}
	if strings.Contains(s.log.String(), `"msg":"draining"`) {
		t.Fatal("the drain began before its delay was over, or this machine is too slow to tell")
	}
	if got := rest(t, tab); strings.Contains(got, "event:") {
		t.Errorf("a stop is no end of a session: %q", got)
	}
	if !strings.Contains(s.log.String(), `"msg":"draining"`) {
		t.Error("the tab was sent away before anybody could know where to")
	}
	s.refusesConnections(t)
	if err := s.ended(t); err != nil {
		t.Errorf("run: %v", err)
	}
}

// awaitReady asks until readyz says status.
func (s *stage) awaitReady(t *testing.T, status string) answer {
	t.Helper()
	deadline := time.After(patience)
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for {
		got := s.get(t, "/readyz")
		if strings.Contains(got.body, `"status":"`+status+`"`) {
			return got
		}
		select {
		case <-pace.C:
		case <-deadline:
			t.Fatalf("readyz says %s", got.body)
		}
	}
}

// refusesConnections waits until the public port is closed.
func (s *stage) refusesConnections(t *testing.T) {
	t.Helper()
	deadline := time.After(patience)
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return
		}
		_ = conn.Close()
		select {
		case <-pace.C:
		case <-deadline:
			t.Fatal("new connections are still accepted")
		}
	}
}

// A rotated refresh token that nobody stored would sign the user out, so a
// renewal that began runs to its end, even if its caller is gone and the
// server is told to stop.
func TestADrainWaitsForARenewalUnderWay(t *testing.T) {
	w := openDemo(t, idp.FaultNone, server.DemoOptions{AccessTokenLifetime: time.Second})
	v := newVisitor(t, w.Origin)
	v.signIn(t)
	families := w.IDP.Families()

	w.IDP.SetFault(idp.FaultTokenSlow)
	abandoned := make(chan error, 1)
	ctx, hangUp := context.WithTimeout(t.Context(), patience)
	go func() {
		for { // until the token has aged, calls need no renewal
			response, err := v.Do(callOf(t, http.MethodGet, w.Origin, "/api/orders").WithContext(ctx))
			if err != nil {
				abandoned <- err
				return
			}
			_ = response.Body.Close()
		}
	}()
	held, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.IDP.WaitHeld(held, 1); err != nil {
		t.Fatal(err)
	}
	hangUp()
	if err := <-abandoned; err == nil {
		t.Fatal("the call was answered while the provider held its renewal")
	}

	drained := make(chan error, 1)
	go func() { drained <- w.App.Drain(held) }()
	for deadline := time.Now().Add(patience); !strings.Contains(recorded(w.App.Admin(), "/readyz").Body.String(), `"draining"`); {
		if time.Now().After(deadline) {
			t.Fatal("the drain does not begin")
		}
		runtime.Gosched()
	}
	select {
	case err := <-drained:
		t.Fatalf("drained while a renewal was under way: %v", err)
	default:
	}
	w.IDP.SetFault(idp.FaultNone) // the provider answers at last
	if err := <-drained; err != nil {
		t.Fatalf("drain: %v", err)
	}
	if after := w.IDP.Families(); len(after) != len(families) || after[0].Generation != families[0].Generation+1 {
		t.Fatalf("the provider did not rotate once: %+v, then %+v", families, after)
	}
	// What was rotated was stored: the session still works, and no replay ended it.
	if got := v.refreshes(t); got != 1 {
		t.Errorf("%d renewals were stored", got)
	}
	if got := v.call(t, http.MethodGet, "/api/orders"); got.StatusCode != http.StatusOK {
		t.Errorf("the session did not survive: %d %s", got.StatusCode, got.body)
	}
}

// recorded asks a handler without a listener.
func recorded(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestHealthSaysWhatIsMissing(t *testing.T) {
	s := open(t, "http", "")
	if got := s.get(t, "/healthz"); got.StatusCode != http.StatusOK || got.body != "ok\n" {
		t.Errorf("healthz: %d %q", got.StatusCode, got.body)
	}
	type check struct {
		Name         string
		Required, OK bool
		Missing      string
	}
	var state struct {
		Status string
		Checks []check
	}
	got := s.get(t, "/readyz")
	if err := json.Unmarshal([]byte(got.body), &state); err != nil || got.StatusCode != http.StatusOK || state.Status != "ready" {
		t.Fatalf("readyz: %d %s", got.StatusCode, got.body)
	}
	want := []check{{Name: "store memory", Required: true, OK: true}, {Name: "provider", OK: true}}
	if len(state.Checks) != 2 || state.Checks[0] != want[0] || state.Checks[1] != want[1] {
		t.Errorf("readyz: %+v, want %+v", state.Checks, want)
	}
}

// A provider that was never found is named, and is no reason to leave the pool:
// who is signed in can still be served.
func TestAMissingProviderDegrades(t *testing.T) {
	s, _ := offline(t)
	w := recorded(s.Admin(), "/readyz")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"degraded"`) || !strings.Contains(w.Body.String(), "not discovered yet") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheAdminListenerServesNothingOfThePublicOne(t *testing.T) {
	s := open(t, "http", "")
	for _, path := range []string{"/", "/bff/user", "/api/orders", "/debug/pprof/"} {
		if got := s.get(t, path); got.StatusCode != http.StatusNotFound {
			t.Errorf("admin %s: %d", path, got.StatusCode)
		}
	}
	v := newVisitor(t, s.origin)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if got := v.call(t, http.MethodGet, path); got.StatusCode != http.StatusNotFound {
			t.Errorf("public %s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

func TestMetricsCount(t *testing.T) {
	s := open(t, "http", "")
	v := newVisitor(t, s.origin)
	v.signIn(t)
	if got := v.call(t, http.MethodGet, "/api/orders"); got.StatusCode != http.StatusOK {
		t.Fatalf("%d", got.StatusCode)
	}
	v.visit(t, s.origin+"/no-such-page")
	v.call(t, http.MethodGet, "/api/../"+v.ticket(t)) // what a caller makes up is no label
	got := s.get(t, "/metrics")
	for _, want := range []string{
		`cloakroom_logins_total{outcome="signed_in"} 1`,
		`cloakroom_http_requests_total{route="/api/",status="200"} 1`,
		`cloakroom_http_requests_total{route="/bff/user",status="200"} 1`,
		`cloakroom_http_request_duration_seconds_count{route="/api/"} 1`,
		`cloakroom_sessions 1`,
		`cloakroom_sessions_evicted_total 0`,
		`cloakroom_build_info{version="test"} 1`,
	} {
		if !strings.Contains(got.body, want+"\n") {
			t.Errorf("the metrics do not say %s", want)
		}
	}
	if _, leaked := s.issued.in(got.body + s.log.String()); leaked != "" || strings.Contains(got.body, v.ticket(t)) || strings.Contains(got.body, "no-such-page") {
		t.Error("the metrics repeat what came in a request")
	}

	logout := v.call(t, http.MethodGet, shared.PathUser).body
	_, rest, _ := strings.Cut(logout, shared.PathLogout)
	path, _, _ := strings.Cut(rest, `"`)
	v.visit(t, s.origin+shared.PathLogout+path)
	got = s.get(t, "/metrics")
	for _, want := range []string{`cloakroom_logins_total{outcome="signed_out"} 1`, `cloakroom_sessions 0`} {
		if !strings.Contains(got.body, want+"\n") {
			t.Errorf("after the sign-out the metrics do not say %s", want)
		}
	}
}
