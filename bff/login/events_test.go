package login_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/events"
	"cloakroom/bff/login"
	"cloakroom/bff/respond"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// tab is an open event stream.
type tab struct {
	*http.Response
	in *bufio.Reader
}

// open opens an event stream, which must be answered with status. client and
// base are the visitor's unless given.
func (v *visitor) open(client *http.Client, base string, status int) tab {
	v.Helper()
	response, err := client.Get(base + shared.PathEvents)
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != status {
		v.Fatalf("GET %s: %s, want %d", shared.PathEvents, response.Status, status)
	}
	return tab{response, bufio.NewReader(response.Body)}
}

// block reads up to the next empty line; false at the end of the stream.
func (tab tab) block(t testing.TB) (string, bool) {
	t.Helper()
	var lines strings.Builder
	for {
		line, err := tab.in.ReadString('\n')
		switch {
		case err == io.EOF && line == "" && lines.Len() == 0:
			return "", false
		case err != nil:
			t.Fatalf("the stream broke: %q, %v", lines.String()+line, err)
		case line == "\n":
			return lines.String(), true
		}
		lines.WriteString(line)
	}
}

func (tab tab) want(t testing.TB, pattern string) {
	t.Helper()
	got, open := tab.block(t)
	if !open || !regexp.MustCompile("^"+pattern+"$").MatchString(got) {
		t.Errorf("the stream says %q (open: %v), want %q", got, open, pattern)
	}
}

func (tab tab) wantEnd(t testing.TB) {
	t.Helper()
	if got, open := tab.block(t); open {
		t.Errorf("the stream goes on with %q", got)
	}
}

const (
	greeting = ": watching\nretry: [1-5][0-9]{3}\n"
	farewell = "event: session-ended\ndata: {}\n"
)

func TestATabIsToldOfTheSignOut(t *testing.T) {
	for protocol := 1; protocol <= 2; protocol++ {
		v := newVisitor(t)
		v.signIn()
		client, base := v.http, v.base
		if protocol == 2 {
			client, base = v.overHTTP2()
		}
		here := v.open(client, base, http.StatusOK)
		if here.ProtoMajor != protocol {
			t.Fatalf("answered over %s", here.Proto)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Set-Cookie": "",
		} {
			if got := here.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		here.want(t, greeting)
		other := v.open(client, base, http.StatusOK)
		other.want(t, greeting)
		v.get(shared.PathLogout + "?sid=" + url.QueryEscape(v.sid()))
		for _, tab := range []tab{here, other} {
			tab.want(t, farewell)
			tab.wantEnd(t)
		}
		if a := v.get(shared.PathEvents); a.StatusCode != http.StatusUnauthorized || a.code() != problem.SessionRequired {
			t.Errorf("who comes back is answered %d %s: an EventSource would try for ever", a.StatusCode, a.body)
		}
		// The connection that the streams used serves others.
		if response, err := client.Get(base + shared.PathSignedOut); err != nil || response.StatusCode != http.StatusSeeOther {
			t.Errorf("%v, %v", response, err)
		} else {
			_ = response.Body.Close()
		}
	}
}

// overHTTP2 is the same origin over HTTP/2, with the same cookies.
func (v *visitor) overHTTP2() (*http.Client, string) {
	server := httptest.NewUnstartedServer(v.handler)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	v.Cleanup(server.Close)
	client := server.Client()
	client.Jar, client.CheckRedirect = v.http.Jar, v.http.CheckRedirect // cookies know no ports
	return client, server.URL
}

// sid is the session's, as the sign-out link has it.
func (v *visitor) sid() string {
	var claims []shared.Claim
	if err := json.Unmarshal(v.get(shared.PathUser+"?slide=false").body, &claims); err != nil {
		v.Fatal(err)
	}
	for _, claim := range claims {
		if claim.Type == shared.ClaimLogoutURL {
			_, query, _ := strings.Cut(claim.Value.(string), "?")
			values, err := url.ParseQuery(query)
			if err != nil {
				v.Fatal(err)
			}
			return values.Get(shared.ParamSID)
		}
	}
	v.Fatal("no way to sign out")
	return ""
}

func TestATabNeedsASession(t *testing.T) {
	v := newVisitor(t)
	v.open(v.http, v.base, http.StatusUnauthorized)
	v.signIn()
	v.store.down = errors.New("no route to host")
	v.open(v.http, v.base, http.StatusServiceUnavailable)
	if v.sessionCookie() == "" {
		t.Error("the cookie was taken away")
	}
}

func TestASessionHasSoManyTabs(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	var tabs []tab
	for range 16 {
		tabs = append(tabs, v.open(v.http, v.base, http.StatusOK))
	}
	if a := v.get(shared.PathEvents); a.StatusCode != http.StatusTooManyRequests || a.code() != problem.RateLimited {
		t.Errorf("one more: %d %s", a.StatusCode, a.body)
	}
	cookies := v.http.Jar
	v.http.Jar = nil
	v.open(v.http, v.base, http.StatusUnauthorized) // a bound for one is none for others
	v.http.Jar = cookies

	tabs[0].Body.Close()
	for deadline := time.Now().Add(20 * time.Second); ; { // until the server has noticed
		response, err := v.http.Get(v.base + shared.PathEvents)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a tab that was closed counts for ever")
		}
	}
}

func TestADrainLetsTabsGo(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	here := v.open(v.http, v.base, http.StatusOK)
	here.want(t, greeting)
	v.hub.Drain()
	here.wantEnd(t)
	late := v.open(v.http, v.base, http.StatusOK) // after another status it would not come back
	late.want(t, greeting)
	late.wantEnd(t)
}

// page is a browser's end of an answer, in the clock of a bubble.
type page struct {
	http.ResponseWriter
	began time.Time
	said  []string // with the time since began
	flush int
}

func (p *page) Write(b []byte) (int, error) {
	p.said = append(p.said, time.Since(p.began).String()+" "+string(b))
	return len(b), nil
}
func (p *page) FlushError() error { p.flush++; return nil }

// unused are the endpoints before a session that nobody uses, which ends after
// idle, and its cookie. It must be called in a bubble.
func unused(t *testing.T, idle time.Duration) (*login.Endpoints, *http.Cookie) {
	t.Helper()
	store, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys := session.EphemeralKeyRing()
	sessions, err := session.New(store, session.Config{Keys: keys, Lifetimes: session.Lifetimes{Idle: idle, Absolute: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := events.New(events.Config{Store: store, Idle: idle})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go func() { _ = hub.Run(ctx) }()
	endpoints, err := login.New(login.Config{
		Desk: session.Desk{Browser: session.Cookie{Name: shared.CookieName}, Sessions: sessions}, Cookie: session.Cookie{Name: shared.CookieName},
		Provider: &provider{}, Logouts: &provider{}, Keys: keys, Events: hub,
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := sessions.Create(t.Context(), session.Session{Issuer: "i", Subject: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return endpoints, &http.Cookie{Name: shared.CookieName, Value: ticket.Reveal()}
}

// TestWhatATabHears is the whole life of a session that nobody uses. That it
// ends in time shows that an open tab does not keep it alive.
func TestWhatATabHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoints, cookie := unused(t, 70*time.Second)
		r := httptest.NewRequest(http.MethodGet, shared.PathEvents, nil)
		r.AddCookie(cookie)
		w := &page{ResponseWriter: httptest.NewRecorder(), began: time.Now()}
		new(respond.Responder).Handler(endpoints.Events).ServeHTTP(w, r)
		if len(w.said) == 0 || !regexp.MustCompile("^0s "+greeting+"\n$").MatchString(w.said[0]) {
			t.Fatalf("the tab hears %q", w.said)
		}
		want := []string{
			"20s :\n\n",
			"35s event: session-expiring\ndata: {\"expires_in\":35}\n\n",
			"40s :\n\n",
			"1m0s :\n\n",
			"1m10s " + farewell + "\n",
		}
		if diff := cmp.Diff(want, w.said[1:]); diff != "" {
			t.Errorf("the tab hears (-want +got):\n%s", diff)
		}
		if w.flush != len(w.said) {
			t.Errorf("%d messages, %d flushes", len(w.said), w.flush)
		}
	})
}

// pipes is a listener without a network, so that its connections live by the
// clock of a bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A deadline that is left behind is no matter to HTTP/1 until the next write,
// but cuts a stream of HTTP/2 in the silence between two.
func TestAStreamLastsThroughItsSilences(t *testing.T) {
	for protocol := 1; protocol <= 2; protocol++ {
		synctest.Test(t, func(t *testing.T) {
			endpoints, cookie := unused(t, 70*time.Second)
			var protocols http.Protocols
			protocols.SetHTTP1(protocol == 1)
			protocols.SetUnencryptedHTTP2(protocol == 2)
			in := pipes{make(chan net.Conn), make(chan struct{})}
			server := &http.Server{Handler: new(respond.Responder).Handler(endpoints.Events), Protocols: &protocols}
			served := make(chan error, 1)
			go func() { served <- server.Serve(in) }()
			transport := &http.Transport{Protocols: &protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				in.conns <- there
				return here, nil
			}}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.example"+shared.PathEvents, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.AddCookie(cookie)
			response, err := transport.RoundTrip(r)
			if err != nil || response.ProtoMajor != protocol {
				t.Fatalf("%v, %v", response, err)
			}
			here := tab{response, bufio.NewReader(response.Body)}
			here.want(t, greeting)
			for _, next := range []string{":\n", "event: session-expiring\ndata: .*\n", ":\n", ":\n", farewell} {
				here.want(t, next)
			}
			here.wantEnd(t)
			_ = response.Body.Close()
			transport.CloseIdleConnections()
			_ = server.Close()
			<-served
		})
	}
}

// Nobody needs a session to send a logout token.
func TestALogoutTokenThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoints, _ := unused(t, time.Minute)
		in := pipes{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: new(respond.Responder).Handler(endpoints.Backchannel)}
		served := make(chan error, 1)
		go func() { served <- server.Serve(in) }()
		here, there := net.Pipe()
		in.conns <- there
		_ = here.SetDeadline(time.Now().Add(time.Hour))
		if _, err := here.Write([]byte("POST / HTTP/1.1\r\nHost: app.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nlogout_")); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(here) // up to where the server hangs up
		if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 400 ") {
			t.Errorf("answered %q, %v", all, err)
		}
		_, _ = here.Close(), server.Close()
		<-served
	})
}
