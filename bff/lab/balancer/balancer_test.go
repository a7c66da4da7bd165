package balancer_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/lab/balancer"
	"cloakroom/bff/servers"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// application is an instance with its admin listener.
type application struct {
	name   string
	server *httptest.Server
	admin  *httptest.Server
	state  atomic.Value // body and status of /readyz, as "200 ready"
	mu     sync.Mutex
	last   *http.Request
	answer http.HandlerFunc
}

func newApplication(t *testing.T, name string) *application {
	t.Helper()
	a := &application{name: name}
	a.state.Store("ready")
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	a.admin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := a.state.Load().(string)
		if r.URL.Path != "/readyz" || state != "ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, `{"status":%q,"checks":[]}`, state)
	}))
	t.Cleanup(a.server.Close)
	t.Cleanup(a.admin.Close)
	return a
}

func (a *application) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.last = r.Clone(context.Background())
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	if r.URL.Path == "/sign-in" {
		http.SetCookie(w, &http.Cookie{Name: shared.CookieName, Value: "ticket-of-" + a.name, Path: "/", Secure: true})
	}
	_, _ = io.WriteString(w, a.name)
}

func (a *application) answers(f http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

func (a *application) heard() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

func (a *application) instance(asked bool) balancer.Instance {
	i := balancer.Instance{Name: a.name, Address: a.server.Listener.Addr().String()}
	if asked {
		i.Admin = a.admin.Listener.Addr().String()
	}
	return i
}

// site is a balancer with applications behind it, over TLS.
type site struct {
	*balancer.Balancer
	origin  string
	roots   *x509.CertPool
	mu      sync.Mutex
	seen    []balancer.Request
	changes []string
}

// open serves a balancer with TLS. asked: health is looked at.
func open(t *testing.T, c balancer.Config, asked bool, behind ...*application) *site {
	t.Helper()
	s := &site{roots: x509.NewCertPool()}
	c.Check = 10 * time.Millisecond
	c.Observe = func(r balancer.Request) { s.mu.Lock(); defer s.mu.Unlock(); s.seen = append(s.seen, r) }
	c.Changed = func(i balancer.Status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changes = append(s.changes, i.Name+" "+string(i.State))
	}
	var err error
	if s.Balancer, err = balancer.New(c); err != nil {
		t.Fatal(err)
	}
	for _, a := range behind {
		if err := s.Add(a.instance(asked)); err != nil {
			t.Fatal(err)
		}
	}
	made := servers.NewCertificate(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(made.Cert, made.Key)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(pair.Certificate[len(pair.Certificate)-1])
	if err != nil {
		t.Fatal(err)
	}
	s.roots.AddCert(issuer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s.origin = "https://localhost:" + port
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener, &tls.Config{Certificates: []tls.Certificate{pair}}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) requests() []balancer.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// browser keeps cookies.
func (s *site) browser(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(addr)
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: transport, Jar: jar, Timeout: 20 * time.Second}
}

func (s *site) get(t *testing.T, c *http.Client, path string) (string, *http.Response) {
	t.Helper()
	return do(t, c, http.MethodGet, s.origin+path, nil)
}

func do(t *testing.T, c *http.Client, method, address string, body io.Reader) (string, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), response
}

// eventually waits for a condition; it fails after many times what it takes.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

func (s *site) state(name string) balancer.State {
	for _, i := range s.Instances() {
		if i.Name == name {
			return i.State
		}
	}
	return ""
}

func two(t *testing.T) (a, b *application) { return newApplication(t, "a"), newApplication(t, "b") }

func TestWhoServesWhom(t *testing.T) {
	for _, row := range []struct {
		policy balancer.Policy
		signIn bool
		want   string // who serves six calls
		stuck  balancer.Stuck
	}{
		{balancer.RoundRobin, true, "b a b a b a", balancer.Free},
		{balancer.OwnCookie, false, "a a a a a a", balancer.Kept},
		{balancer.SessionCookie, false, "a b a b a b", balancer.Free}, // there is no session yet
		{balancer.SessionCookie, true, "a a a a a a", balancer.Kept},
	} {
		t.Run(fmt.Sprintf("%s, signed in %v", row.policy, row.signIn), func(t *testing.T) {
			a, b := two(t)
			s := open(t, balancer.Config{Policy: row.policy}, true, a, b)
			c := s.browser(t)
			if row.signIn {
				s.get(t, c, "/sign-in")
			}
			var by []string
			for range 6 {
				text, _ := s.get(t, c, "/orders?secret=1")
				by = append(by, text)
			}
			if got := strings.Join(by, " "); got != row.want {
				t.Errorf("served by %s, want %s", got, row.want)
			}
			all := s.requests()
			last := all[len(all)-1]
			if last.Stuck != row.stuck || last.Path != "/orders" || last.Method != "GET" || last.Status != 200 || last.Instance != by[5] || last.Took <= 0 {
				t.Errorf("reported as %+v", last)
			}
			if row.signIn && (all[0].Made != balancer.Fingerprint("ticket-of-a") || last.Session != all[0].Made || last.MadeBy != "a") {
				t.Errorf("the session: made %+v, used %+v", all[0], last)
			}
		})
	}
}

func TestTheOneWithTheFewestConnections(t *testing.T) {
	a, b := two(t)
	s := open(t, balancer.Config{Policy: balancer.LeastConnections}, true, a, b)
	c := s.browser(t)
	hold := make(chan struct{})
	a.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-hold
	})
	response, err := c.Get(s.origin + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if by, _ := s.get(t, c, "/"); by != "b" {
			t.Errorf("%s serves, which is busy", by)
		}
	}
	if i := s.Instances()[0]; i.Active != 1 {
		t.Errorf("%+v has a stream", i)
	}
	close(hold)
	_ = response.Body.Close()
	eventually(t, "nothing is under way", func() bool { return s.Instances()[0].Active == 0 })
}

// A dead instance's sessions go to the others, and back once it is: whether they
// are still there is the store's business.
func TestASessionWhoseInstanceIsAway(t *testing.T) {
	a, b := two(t)
	s := open(t, balancer.Config{Policy: balancer.SessionCookie}, true, a, b)
	c := s.browser(t)
	s.get(t, c, "/sign-in")
	a.state.Store("unready")
	eventually(t, "a is down", func() bool { return s.state("a") == balancer.Down })
	if by, _ := s.get(t, c, "/"); by != "b" {
		t.Errorf("served by %s", by)
	}
	if all := s.requests(); all[len(all)-1].Stuck != balancer.Moved || all[len(all)-1].MadeBy != "a" {
		t.Errorf("%+v", all[len(all)-1])
	}
	a.state.Store("ready")
	eventually(t, "a is up", func() bool { return s.state("a") == balancer.Up })
	if by, _ := s.get(t, c, "/"); by != "a" {
		t.Errorf("then served by %s", by)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.changes, ", "); got != "a down, a up" {
		t.Errorf("told: %s", got)
	}
}

func TestTheOwnCookieIsTheBalancersAlone(t *testing.T) {
	a, b := two(t)
	s := open(t, balancer.Config{Policy: balancer.OwnCookie}, true, a, b)
	c := s.browser(t)
	_, first := s.get(t, c, "/sign-in")
	var set *http.Cookie
	for _, one := range first.Cookies() {
		if one.Name == balancer.CookieName {
			set = one
		}
	}
	if set == nil || set.Value != "a" || !set.Secure || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Path != "/" || set.Domain != "" {
		t.Fatalf("it sets %+v", set)
	}
	_, second := s.get(t, c, "/")
	if len(second.Cookies()) > 0 {
		t.Errorf("it sets %v again", second.Cookies())
	}
	if got := a.heard().Header.Get("Cookie"); got != shared.CookieName+"=ticket-of-a" {
		t.Errorf("the instance is sent %q", got)
	}
	if err := s.Drain("a", true); err != nil {
		t.Fatal(err)
	}
	if by, moved := s.get(t, c, "/"); by != "b" || len(moved.Cookies()) != 1 || moved.Cookies()[0].Value != "b" {
		t.Errorf("drained: served by %s with %v", by, moved.Cookies())
	}
}

func TestDrainingLetsFinish(t *testing.T) {
	for name, drain := range map[string]func(*site, *application){
		"as somebody asked": func(s *site, a *application) { _ = s.Drain("a", true) },
		"as it says itself": func(_ *site, a *application) { a.state.Store("draining") },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := two(t)
			s := open(t, balancer.Config{}, true, a, b)
			c := s.browser(t)
			goOn := make(chan struct{})
			a.answers(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "begun ")
				_ = http.NewResponseController(w).Flush()
				<-goOn
				_, _ = io.WriteString(w, "ended")
			})
			response, err := c.Get(s.origin + "/slow")
			if err != nil {
				t.Fatal(err)
			}
			drain(s, a)
			eventually(t, "a drains", func() bool { return s.state("a") == balancer.Draining })
			for range 4 {
				if by, _ := s.get(t, c, "/"); by != "b" {
					t.Errorf("served by %s", by)
				}
			}
			close(goOn)
			text, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if string(text) != "begun ended" || err != nil {
				t.Errorf("what was under way: %q, %v", text, err)
			}
			a.answers(nil)
			_ = s.Drain("a", false)
			a.state.Store("ready")
			eventually(t, "a serves again", func() bool { by, _ := s.get(t, c, "/"); return by == "a" })
		})
	}
}

// dead is an instance where nobody takes connections.
func dead(t *testing.T, name string) balancer.Instance {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return balancer.Instance{Name: name, Address: listener.Addr().String()}
}

// TestWhatIsSentAgain: what never left, whatever it is; and what is safe.
func TestWhatIsSentAgain(t *testing.T) {
	breaks := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}
	for _, row := range []struct {
		name, method, body string
		refuses            bool // a takes no connection; else it breaks it off
		status             int
	}{
		{"a POST that never left is", "POST", "an order", true, 200},
		{"a GET that never left is", "GET", "", true, 200},
		{"a GET whose connection broke is", "GET", "", false, 200},
		{"a DELETE whose connection broke is not", "DELETE", "", false, 502},
		{"a POST whose connection broke is not", "POST", "an order", false, 502},
		{"a GET with a body that was sent is not", "GET", "a question", false, 502},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newApplication(t, "b")
			var asked atomic.Int32
			b.answers(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				text, _ := io.ReadAll(r.Body)
				_, _ = w.Write(text)
			})
			s := open(t, balancer.Config{}, false)
			if row.refuses {
				_ = s.Add(dead(t, "a"))
			} else {
				a := newApplication(t, "a")
				a.server.Config.ErrorLog = nil
				a.answers(breaks)
				_ = s.Add(a.instance(false))
			}
			_ = s.Add(b.instance(false))
			text, response := do(t, s.browser(t), row.method, s.origin+"/", strings.NewReader(row.body))
			got := s.requests()[0]
			if response.StatusCode != row.status || got.Status != row.status || !slices.Equal(got.Tried, []string{"a"}) {
				t.Errorf("%d, %+v", response.StatusCode, got)
			}
			if row.status == 200 && (text != row.body || got.Instance != "b" || asked.Load() != 1) {
				t.Errorf("b heard %q %d times, %+v", text, asked.Load(), got)
			}
			if row.status == 502 && (asked.Load() != 0 || got.Instance != "" || !strings.Contains(text, string(problem.InstanceFailed))) {
				t.Errorf("b was asked %d times: %s", asked.Load(), text)
			}
		})
	}
}

// An instance that is never asked is left alone after it refused, and found
// again.
func TestOneThatTakesNoConnectionIsDownAtOnce(t *testing.T) {
	s := open(t, balancer.Config{}, false)
	gone := dead(t, "a")
	_ = s.Add(gone)
	c := s.browser(t)
	text, response := s.get(t, c, "/")
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(text, string(problem.InstanceUnavailable)) {
		t.Errorf("%d %v %s", response.StatusCode, response.Header, text)
	}
	if s.state("a") != balancer.Down {
		t.Errorf("%+v", s.Instances())
	}
	listener, err := net.Listen("tcp", gone.Address)
	if err != nil {
		t.Fatal(err)
	}
	back := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "back") }), ReadHeaderTimeout: time.Second}
	go func() { _ = back.Serve(listener) }()
	t.Cleanup(func() { _ = back.Close() })
	eventually(t, "it is found again", func() bool { text, _ := s.get(t, c, "/"); return text == "back" })
	if s.state("a") != balancer.Up {
		t.Errorf("then %+v", s.Instances())
	}
}

// An instance that is cut from its store answers every request, with 503: that is
// no reason to believe that it is ready.
func TestOneThatAnswersAndSaysThatItIsNotReadyGoesDown(t *testing.T) {
	a, b := two(t)
	s := open(t, balancer.Config{Fall: 20}, true, a, b)
	c := s.browser(t)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if r, err := c.Get(s.origin + "/"); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					_ = r.Body.Close()
				}
			}
		})
	}
	defer busy.Wait()
	defer close(stop)
	eventually(t, "both serve", func() bool { return s.state("a") == balancer.Up && s.state("b") == balancer.Up })
	a.state.Store("unready")
	eventually(t, "it is down", func() bool { return s.state("a") == balancer.Down })
	a.state.Store("ready")
	eventually(t, "it is up again", func() bool { return s.state("a") == balancer.Up })
}

func TestInstancesComeAndGoUnderLoad(t *testing.T) {
	a, b := two(t)
	third := newApplication(t, "third")
	s := open(t, balancer.Config{}, true, a, b)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var failures atomic.Int32
	for range 4 {
		c := s.browser(t)
		callers.Go(func() {
			for ctx.Err() == nil {
				response, err := c.Get(s.origin + "/")
				if err != nil {
					failures.Add(1)
					continue
				}
				if response.StatusCode != 200 {
					failures.Add(1)
				}
				_ = response.Body.Close()
			}
		})
	}
	for range 20 {
		if err := errors.Join(s.Add(third.instance(true)), s.Remove("a")); err != nil {
			t.Error(err)
		}
		before := len(s.requests())
		eventually(t, "requests go on", func() bool { return len(s.requests()) > before+4 })
		if err := errors.Join(s.Add(a.instance(true)), s.Remove("third")); err != nil {
			t.Error(err)
		}
	}
	stop()
	callers.Wait()
	if failures.Load() > 0 {
		t.Errorf("%d of %d failed", failures.Load(), len(s.requests()))
	}
	for what, err := range map[string]error{
		"added twice": s.Add(a.instance(true)), "removed twice": s.Remove("third"), "drained, not there": s.Drain("third", true),
		"a name for two cookies": s.Add(balancer.Instance{Name: "a;b", Address: "127.0.0.1:1"}), "no port": s.Add(balancer.Instance{Name: "c", Address: "127.0.0.1"}),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestAForgedSenderIsNotPassedOn(t *testing.T) {
	a := newApplication(t, "a")
	s := open(t, balancer.Config{}, true, a)
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.origin+"/%61%2Fb;x?a=1;b=%zz", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Anything", "Forwarded", "X-Real-IP"} {
		r.Header.Set(name, "forged")
	}
	r.Header.Set("X-Mine", "stays")
	r.Host = "app.example:1"
	response, err := s.browser(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	got := a.heard()
	want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example:1", "X-Mine": "stays"}
	for name, values := range got.Header {
		if strings.Contains(strings.Join(values, ","), "forged") {
			t.Errorf("%s: %v", name, values)
		}
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if got.Host != "app.example:1" || got.RequestURI != "/%61%2Fb;x?a=1;b=%zz" {
		t.Errorf("it was asked for %s %s", got.Host, got.RequestURI)
	}
}

func TestStreamsAndWebSocketsPass(t *testing.T) {
	a := newApplication(t, "a")
	s := open(t, balancer.Config{}, true, a)
	next := make(chan struct{})
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket" {
			conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if err != nil {
				return
			}
			_, text, err := conn.Read(r.Context())
			if err == nil {
				_ = conn.Write(r.Context(), websocket.MessageText, append([]byte("heard "), text...))
			}
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
			<-next // until the browser has it
		}
	})
	c := s.browser(t)
	response, err := c.Get(s.origin + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for n := range 3 {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", n) {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
		lines.Scan()
		next <- struct{}{}
	}
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(s.origin, "https", "wss", 1)+"/socket", &websocket.DialOptions{HTTPClient: c})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.Read(t.Context()); string(text) != "heard hello" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAConfigThatMakesNoSenseIsRefused(t *testing.T) {
	for _, c := range []balancer.Config{{Policy: "best"}, {Fall: -1}, {Check: -time.Second}} {
		if _, err := balancer.New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
