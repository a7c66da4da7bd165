package playground_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp/person"
	"cloakroom/bff/lab/playground"
	"cloakroom/bff/lab/topology"
	"cloakroom/bff/server"
	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// world is a demo with a playground.
type world struct {
	t      *testing.T
	ground *playground.Playground
	origin string // the topology's
	client *http.Client
}

func open(t *testing.T, c playground.Config) *world {
	t.Helper()
	if c.Program == "" {
		c.Program = servers.Build(t, "", "./bff", "cloakroom")
	}
	c.Progress = os.Stderr
	w := &world{t: t, ground: playground.New(c)}
	demo, err := server.OpenDemo(server.DemoOptions{Listen: "127.0.0.1:0", Guest: &server.Guest{Host: lab.PlayHost, Open: func(at server.Surroundings) (http.Handler, error) {
		w.origin = at.Origin
		return w.ground.Open(playground.Site{Home: at.Home, User: at.User, Password: at.Password, Within: topology.Within{
			Origin: at.Origin, Issuer: at.Issuer, API: at.API, ClientID: at.ClientID, ClientSecret: at.ClientSecret, Provider: at.Refuse,
		}})
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- demo.Run(ctx, nil) }()
	w.client = w.browser()
	t.Cleanup(func() {
		if err := w.ground.Close(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// browser finds every host on loopback, as a browser does.
func (w *world) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: secure{jar}, Transport: visits{transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask makes a call as the page does.
func ask[T any](w *world, method, path string, body any, status int) (out T) {
	w.t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.origin+path, bytes.NewReader(sent))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != status {
		w.t.Fatalf("%s %s: %d %s, want %d", method, path, response.StatusCode, text, status)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			w.t.Fatalf("%s: %v", text, err)
		}
	}
	return out
}

// until follows the play until a condition holds.
func (w *world) until(what string, holds func(lab.Play) bool) lab.Play {
	w.t.Helper()
	play := ask[lab.Play](w, "GET", lab.PathPlay+"play?after=0", nil, 200)
	for late := time.Now().Add(4 * time.Minute); !holds(play); {
		if time.Now().After(late) {
			w.t.Fatalf("it never came to this: %s; but to %+v", what, play)
		}
		play = ask[lab.Play](w, "GET", lab.PathPlay+"play?after="+itoa(play.Seq), nil, 200)
	}
	return play
}

func (w *world) start(id string) {
	w.t.Helper()
	if began := ask[lab.Play](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: id}, 200); began.Phase != lab.PlayStarting && began.Phase != lab.PlayRunning {
		w.t.Fatalf("%+v", began)
	}
	w.until("it runs", func(p lab.Play) bool {
		if p.Over() {
			w.t.Fatalf("it is over: %s", p.Why)
		}
		return p.Phase == lab.PlayRunning && len(p.Servers) > 0
	})
}

func (w *world) signIn() {
	w.t.Helper()
	callback, err := person.SignIn(w.t.Context(), w.client, w.origin+shared.PathLogin, "alice", "wonderland")
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, callback, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("the sign-in ended with %d", response.StatusCode)
	}
}

// user asks who is signed in.
func (w *world) user() int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.origin+shared.PathUser, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func told(p lab.Play, text string) bool {
	for _, one := range p.Told {
		if strings.Contains(one.Text, text) {
			return true
		}
	}
	return false
}

func TestASessionIsFollowedUntilItVanishes(t *testing.T) {
	w := open(t, playground.Config{})
	w.start("memory-n-sticky-app-cookie")
	if busy := ask[problem.Details](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: "memory-1"}, 409); busy.Code != problem.LabBusy {
		t.Errorf("a second one: %+v", busy)
	}
	w.signIn()
	for range 4 {
		if status := w.user(); status != 200 {
			t.Fatalf("sticky, and all the same %d", status)
		}
	}
	play := w.until("the instance counts its session", func(p lab.Play) bool {
		for _, s := range p.Servers {
			if s.Name == p.You.MadeBy && s.Sessions != nil && *s.Sessions == 1 {
				return true
			}
		}
		return false
	})
	by := play.You.MadeBy
	last := play.Hops[len(play.Hops)-1]
	if last.Server != by || last.Path != shared.PathUser || last.Stuck != "kept" || last.Status != 200 || len(play.You.At) != 1 || play.You.At[0] != by || play.You.Gone != "" {
		t.Errorf("of %s: %+v, %+v", by, last, play.You)
	}
	text, err := json.Marshal(play)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.client.Jar.(secure).all(w.origin) {
		if bytes.Contains(text, []byte(c.Value)) {
			t.Errorf("the control shows the cookie %s", c.Name)
		}
	}

	ask[any](w, "POST", lab.PathPlay+"event", lab.Cue{Event: lab.KillApp, Server: by}, 204)
	play = w.until("the session is gone", func(p lab.Play) bool { return p.You.Gone != "" && p.Busy == "" })
	if !strings.Contains(play.You.Gone, "Instance "+by+" was killed, and your session died with it") || len(play.You.At) > 0 || !play.Broken {
		t.Errorf("%+v", play.You)
	}
	if status := w.user(); status != 401 {
		t.Errorf("then %d", status)
	}
	w.signIn()
	play = w.until("there is another session", func(p lab.Play) bool { return p.You.Gone == "" && len(p.You.At) == 1 })
	if play.You.MadeBy == by {
		t.Errorf("a dead instance made it: %+v", play.You)
	}
	ask[any](w, "POST", lab.PathPlay+"event", lab.Cue{Event: lab.Mend}, 204)
	w.until("it is right again", func(p lab.Play) bool {
		return !p.Broken && p.Busy == "" && told(p, "Everything is put right") && told(p, "The balancer sends requests to instance "+by+" again")
	})
	ask[any](w, "DELETE", lab.PathPlay+"play", nil, 204)
	if over := ask[lab.Play](w, "GET", lab.PathPlay+"play?after=0", nil, 200); over.Phase != lab.PlayEnded {
		t.Errorf("%+v", over)
	}
}

// Others crowd into an instance's memory, and whoever was not seen for longest has
// to go. The crowd is not taken for the person.
func TestASessionIsCrowdedOut(t *testing.T) {
	w := open(t, playground.Config{})
	w.start("memory-1")
	w.signIn()
	before := w.until("there is a session", func(p lab.Play) bool { return len(p.You.At) == 1 })
	ask[any](w, "POST", lab.PathPlay+"event", lab.Cue{Event: lab.FullStore}, 204)
	w.until("memory is full", func(p lab.Play) bool { return p.Busy == "" && told(p, "Memory is used up") })
	if status := w.user(); status != 401 {
		t.Fatalf("it was not crowded out: %d", status)
	}
	play := w.until("it is gone", func(p lab.Play) bool { return p.You.Gone != "" })
	if !strings.Contains(play.You.Gone, "longest unused") || len(play.You.At) > 0 {
		t.Errorf("%+v", play.You)
	}
	if n := len(play.Hops); n > len(before.Hops)+2 {
		t.Errorf("%d requests of the crowd are shown", n-len(before.Hops))
	}
}

func TestWhatCannotBePlayedIsRefused(t *testing.T) {
	w := open(t, playground.Config{Missing: func(t lab.Topology) error {
		if t.Kind == lab.Redis {
			return context.Canceled
		}
		return nil
	}})
	ask[problem.Details](w, "GET", lab.PathPlay+"play?after=0", nil, 404)
	ask[problem.Details](w, "POST", lab.PathPlay+"event", lab.Cue{Event: lab.KillApp}, 404)
	if got := ask[problem.Details](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: "redis-n-round-robin"}, 503); got.Code != problem.LabUnavailable {
		t.Errorf("%+v", got)
	}
	for _, offer := range ask[lab.Playground](w, "GET", lab.PathPlay, nil, 200).Topologies {
		if found, _ := lab.FindTopology(offer.ID); (offer.Missing != "") != (found.Kind == lab.Redis) {
			t.Errorf("%+v", offer)
		}
	}
	ask[problem.Details](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: "everything"}, 400)
	ask[problem.Details](w, "GET", lab.PathPlay+"nothing", nil, 404)
	if got := ask[problem.Details](w, "GET", "/lab/topologies", nil, 503); !strings.Contains(got.Detail, "No topology runs here") {
		t.Errorf("with nothing there: %+v", got)
	}
	w.start("memory-1")
	for cue, status := range map[lab.Cue]int{
		{Event: lab.FlushStore}: 503, {Event: lab.Steady}: 400, {Event: "earthquake"}: 400, {Event: lab.KillApp, Server: "z"}: 400,
	} {
		ask[problem.Details](w, "POST", lab.PathPlay+"event", cue, status)
	}
}

// Nobody but this machine reaches what is played with, and nothing of it is left.
func TestItListensOnLoopbackAndLeavesNothing(t *testing.T) {
	w := open(t, playground.Config{})
	before := len(servers.Listening(t, os.Getpid()))
	w.start("redis-n-round-robin")
	all := servers.Listening(t, os.Getpid())
	if len(all) < before+3*2+3+1 { // instances with two each, relays, a store
		t.Errorf("only %d listeners more are found", len(all)-before)
	}
	for _, address := range all {
		if !address.Addr().IsLoopback() {
			t.Errorf("somebody listens on %s", address)
		}
	}
	ask[any](w, "DELETE", lab.PathPlay+"play", nil, 204)
	if after := len(servers.Listening(t, os.Getpid())); after != before {
		t.Errorf("%d listeners were there before, and %d are after", before, after)
	}
}

// Every layer of the guard stands before the control, whatever is behind it.
func TestTheControlIsGuarded(t *testing.T) {
	w := open(t, playground.Config{})
	for name, row := range map[string]struct {
		header map[string]string
		code   problem.Code
	}{
		"no header":      {map[string]string{"Sec-Fetch-Site": "same-origin"}, problem.CSRFHeaderMissing},
		"another site":   {map[string]string{shared.HeaderCSRF: "1", "Sec-Fetch-Site": "cross-site"}, problem.CrossOrigin},
		"a sibling":      {map[string]string{shared.HeaderCSRF: "1", "Sec-Fetch-Site": "same-site"}, problem.CrossOrigin},
		"another origin": {map[string]string{shared.HeaderCSRF: "1", "Origin": "http://localhost"}, problem.CrossOrigin},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.origin+lab.PathPlay+"play", strings.NewReader(`{"topology": "memory-1"}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range row.header {
			r.Header.Set(name, value)
		}
		response, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got problem.Details
		err = json.NewDecoder(response.Body).Decode(&got)
		_ = response.Body.Close()
		if err != nil || got.Code != row.code {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	ask[problem.Details](w, "GET", lab.PathPlay+"play?after=0", nil, 404) // nothing was started
}

func TestATopologyThatNobodyUsesIsEnded(t *testing.T) {
	w := open(t, playground.Config{Idle: time.Nanosecond})
	ask[lab.Play](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: "memory-1"}, 200)
	play := w.until("it is ended", lab.Play.Over)
	if play.Phase != lab.PlayEnded || !strings.Contains(play.Why, "Nobody used it") {
		t.Errorf("%+v", play)
	}
	ask[lab.Play](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: "memory-1"}, 200) // and another may follow
}

func TestATopologyThatDoesNotStartSaysWhy(t *testing.T) {
	w := open(t, playground.Config{Program: "/nowhere/cloakroom"})
	ask[lab.Play](w, "POST", lab.PathPlay+"play", lab.Choice{Topology: "memory-1"}, 200)
	if play := w.until("it failed", lab.Play.Over); play.Phase != lab.PlayFailed || !strings.Contains(play.Why, "could not be started") {
		t.Errorf("%+v", play)
	}
}
