package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/proxy"
	"cloakroom/shared/problem"

	"github.com/coder/websocket"
)

// sessionEnd is a TokenSource whose one session can be ended.
type sessionEnd struct {
	tokens
	mu      sync.Mutex
	over    bool
	waiting map[int]func()
	n       int
	began   chan bool // one for each that begins to wait
	left    chan bool // one for each that stops waiting, told or not
}

func newSessionEnd() *sessionEnd {
	return &sessionEnd{tokens: tokens{token: token}, waiting: map[int]func(){}, began: make(chan bool, 100), left: make(chan bool, 100)}
}

func (s *sessionEnd) OnEnd(g proxy.Grant, f func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.Session != [32]byte{1} {
		panic("another session")
	}
	s.began <- true
	if s.over {
		go f()
		return func() { s.left <- true }
	}
	s.n++
	n := s.n
	s.waiting[n] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, n)
		s.left <- true
	}
}

func (s *sessionEnd) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for n, f := range s.waiting {
		delete(s.waiting, n)
		go f()
	}
}

func (s *sessionEnd) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

func with(source proxy.TokenSource) setup {
	return func(_ *proxy.Route, c *proxy.Config) { c.Tokens = source }
}

// await fails the test if nothing comes.
func await[T any](t testing.TB, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: nothing came", what)
	}
	return got
}

// talker echoes over a WebSocket, and says when its client is gone.
func talker(t testing.TB, gone chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(context.Background())
			if err != nil {
				gone <- err
				return
			}
			if err := c.Write(context.Background(), kind, data); err != nil {
				gone <- err
				return
			}
		}
	})
}

func (s *stage) socket(t testing.TB) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.front.URL, "http")+"/api/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// reading reports how the connection ends.
func reading(c *websocket.Conn) <-chan error {
	ended := make(chan error, 1)
	go func() {
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

func TestAWebSocketEndsWithItsSession(t *testing.T) {
	source, gone := newSessionEnd(), make(chan error, 2)
	s := newStage(t, talker(t, gone), with(source))
	first, second := s.socket(t), s.socket(t)
	for _, c := range []*websocket.Conn{first, second} {
		await(t, "the socket to be bound", source.began)
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if err := second.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	await(t, "the upstream to see that a client left", gone)
	await(t, "nobody to wait for it", source.left)
	ended := reading(first)
	source.end()
	if err := await(t, "the client's end", ended); websocket.CloseStatus(err) != -1 {
		t.Errorf("the socket was closed by the upstream: %v", err)
	}
	await(t, "the upstream's end", gone)
	// The session ended between the check and the answer: cut before or after it
	// was said that the socket is open.
	conn, in := s.dial(t)
	write(t, conn, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	late := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		late <- err
	}()
	await(t, "the end of one who came late", late)
	s.front.Close()
	if n := source.waits(); n != 0 {
		t.Errorf("%d still wait for the end of a session", n)
	}
	if log := s.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") {
		t.Errorf("an end is logged as a crash: %s", log)
	}
}

// A client that does not read would keep its connection for ever: what is
// stuck in a write to it notices nothing else.
func TestAWebSocketEndsWhoseClientIsStuck(t *testing.T) {
	source, stuck, gone := newSessionEnd(), make(chan bool), make(chan error, 1)
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		write(t, conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for err == nil { // until every buffer on the way is full
			_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			_, err = conn.Write(make([]byte, 64<<10))
		}
		close(stuck)
		_, err = conn.Read(make([]byte, 1))
		gone <- err
	}), with(source))
	conn, in := s.dial(t)
	write(t, conn, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "101") {
		t.Fatalf("%q, %v", line, err)
	}
	await(t, "the client to be stuck", stuck)
	source.end()
	await(t, "our end, though the client read nothing", source.left)
	await(t, "the upstream's end", gone)
}

// feed is an upstream whose answers say one line and then what it is given.
func feed(header http.Header, lines <-chan string, gone chan<- bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case line := <-lines:
				_, _ = io.WriteString(w, line)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				gone <- true
				return
			}
		}
	})
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  string
		whole bool // the body ends as if it were whole
	}{
		{"server-sent events come to an end", "text/event-stream", true},
		{"whatever parameters they have", "Text/Event-Stream ; charset=utf-8", true},
		{"gRPC breaks off", "application/grpc", false},
		{"so does gRPC of a kind", "application/grpc+proto", false},
	} {
		for _, protocol := range []int{1, 2} {
			t.Run(c.name, func(t *testing.T) {
				source, gone := newSessionEnd(), make(chan bool, 1)
				s := newStage(t, feed(http.Header{"Content-Type": {c.kind}}, nil, gone), with(source))
				client := s.front.Client()
				base := s.front.URL
				if protocol == 2 {
					client, base = overHTTP2(t, s)
				}
				res, err := client.Get(base + "/api/events")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if res.ProtoMajor != protocol {
					t.Fatalf("answered over %s", res.Proto)
				}
				in := bufio.NewReader(res.Body)
				if line, err := in.ReadString('\n'); err != nil || line != "data: first\n" {
					t.Fatalf("%q, %v", line, err)
				}
				await(t, "the stream to be bound", source.began)
				source.end()
				if rest, err := io.ReadAll(in); string(rest) != "\n" || (err == nil) != c.whole {
					t.Errorf("after the end of the session: %q, %v", rest, err)
				}
				await(t, "the upstream to be let go", gone)
				s.front.Close()
				if n := source.waits(); n != 0 {
					t.Errorf("%d still wait for the end of a session", n)
				}
				if log := s.log.String(); strings.Contains(log, "level=") {
					t.Errorf("the end of a session is logged: %s", log)
				}
			})
		}
	}
}

// overHTTP2 puts a second front, which speaks HTTP/2, before the stage's
// handler.
func overHTTP2(t testing.TB, s *stage) (*http.Client, string) {
	front := httptest.NewUnstartedServer(s.front.Config.Handler)
	front.EnableHTTP2 = true
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.Config.ErrorLog = s.front.Config.ErrorLog
	front.StartTLS()
	t.Cleanup(front.Close)
	return front.Client(), front.URL
}

// ofUnknownLength is an upstream's answer whose body goes on until its context
// ends.
func ofUnknownLength(ctx context.Context, length int64) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: length, Body: io.NopCloser(readerFunc(func(p []byte) (int, error) {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(time.Second):
			return copy(p, "x"), nil
		}
	}))}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestWhenAnAnswerIsTakenForAStream: what is over soon costs no waiting for
// anything, and what has a length is left to end.
func TestWhenAnAnswerIsTakenForAStream(t *testing.T) {
	for _, c := range []struct {
		name    string
		auth    proxy.Auth
		err     error
		length  int64
		life    time.Duration // after which the session ends
		took    time.Duration // until the answer was cut; 0: it never was
		waiting bool          // for the end of the session, just before
	}{
		{"of unknown length, before it is a stream", proxy.Required, nil, -1, 2 * time.Second, 5 * time.Second, false},
		{"of unknown length, as a stream", proxy.Required, nil, -1, time.Hour, time.Hour, true},
		{"of known length", proxy.Required, nil, 1 << 40, time.Hour, 0, false},
		{"of an optional session that is there", proxy.Optional, nil, -1, time.Hour, time.Hour, true},
		{"of an optional session that is not", proxy.Optional, problem.New(problem.SessionRequired, nil), -1, time.Hour, 0, false},
		{"of no session", proxy.None, nil, -1, time.Hour, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := newSessionEnd()
				source.err = c.err
				p, err := proxy.New(proxy.Config{
					Tokens: source, CheckPath: strictPath, Origin: "https://app.example.com",
					Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						return ofUnknownLength(r.Context(), c.length), nil
					}),
					Routes: []proxy.Route{{Path: "/api/", Upstream: mustURL(t, "http://api.internal/"), Methods: []string{"GET"}, Auth: c.auth}},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, leave := context.WithTimeout(context.WithValue(t.Context(), http.ServerContextKey, &http.Server{}), 10*time.Hour)
				defer leave()
				r, err := http.NewRequestWithContext(ctx, "GET", "/api/x", nil)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				broke := make(chan any, 1)
				go func() {
					defer func() { broke <- recover() }()
					p.Mounts()[0].Handler.ServeHTTP(newRecorder(), r)
				}()
				time.Sleep(c.life - 1)
				synctest.Wait()
				if waiting := source.waits() > 0; waiting != c.waiting {
					t.Errorf("before the end, waiting: %v", waiting)
				}
				time.Sleep(time.Nanosecond)
				source.end()
				if got := <-broke; got != http.ErrAbortHandler {
					t.Errorf("it ended with %v, want a broken stream", got)
				}
				want := c.took
				if want == 0 {
					want = 10 * time.Hour
				}
				if took := time.Since(began); took != want {
					t.Errorf("it ended after %v, want %v", took, want)
				}
				if n := source.waits(); n != 0 {
					t.Errorf("%d still wait", n)
				}
			})
		})
	}
}

// TestWhatComesTooLateIsNotSent: a transport may still give what it has read
// when the session ends.
func TestWhatComesTooLateIsNotSent(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "application/grpc"} {
		source := newSessionEnd()
		p, err := proxy.New(proxy.Config{
			Tokens: source, CheckPath: strictPath, Origin: "https://app.example.com",
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				late := 0
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {kind}}, ContentLength: -1, Body: io.NopCloser(readerFunc(func(p []byte) (int, error) {
					if <-r.Context().Done(); late == 10 {
						return 0, io.EOF
					}
					late++
					return copy(p, "too late"), nil
				}))}, nil
			}),
			Routes: []proxy.Route{{Path: "/api/", Upstream: mustURL(t, "http://api.internal/"), Methods: []string{"GET"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		source.end()
		w := httptest.NewRecorder()
		func() {
			defer func() { _ = recover() }()
			p.Mounts()[0].Handler.ServeHTTP(w, httptest.NewRequest("GET", "/api/x", nil))
		}()
		if w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("%s: %d %q", kind, w.Code, w.Body)
		}
	}
}

// TestAnAnswerThatIsOverSoonIsNoStream: nobody is asked to wait for the end of
// its session, then or later.
func TestAnAnswerThatIsOverSoonIsNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSessionEnd()
		p, err := proxy.New(proxy.Config{
			Tokens: source, CheckPath: strictPath, Origin: "https://app.example.com",
			Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(strings.NewReader("over"))}, nil
			}),
			Routes: []proxy.Route{{Path: "/api/", Upstream: mustURL(t, "http://api.internal/"), Methods: []string{"GET"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Mounts()[0].Handler.ServeHTTP(newRecorder(), httptest.NewRequest("GET", "/api/x", nil))
		time.Sleep(time.Hour)
		if len(source.began) > 0 {
			t.Error("the session's end was waited for")
		}
	})
}

func TestADrainEndsWhatWouldNotEndByItself(t *testing.T) {
	lines, gone, hungUp := make(chan string), make(chan bool, 2), make(chan error, 1)
	events, answer := feed(http.Header{"Content-Type": {"text/event-stream"}}, nil, gone), feed(nil, lines, gone)
	socket := talker(t, hungUp)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/events":
			events.ServeHTTP(w, r)
		case "/socket":
			socket.ServeHTTP(w, r)
		default:
			answer.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(back.Close)
	p, err := proxy.New(proxy.Config{
		Tokens: tokens{}, CheckPath: strictPath, Origin: "https://app.example.com",
		Routes: []proxy.Route{{Path: "/api/", Upstream: mustURL(t, back.URL+"/"), Methods: []string{"GET"}, Auth: proxy.None}},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(p.Mounts()[0].Handler)
	t.Cleanup(front.Close)
	s := &stage{front: front, log: &logged{}}
	get := func(path string) *http.Response {
		res, err := front.Client().Get(front.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	stream, download, ended := get("/api/events"), get("/api/download"), reading(s.socket(t))
	p.Drain()
	if body, err := io.ReadAll(stream.Body); err != nil || string(body) != "data: first\n\n" {
		t.Errorf("the events: %q, %v", body, err)
	}
	await(t, "the upstream of the events to be let go", gone)
	await(t, "the end of the socket", ended)
	await(t, "the upstream's end of the socket", hungUp)
	if body, err := io.ReadAll(get("/api/events").Body); err != nil || len(body) > len("data: first\n\n") {
		t.Errorf("events that come late: %q, %v", body, err)
	}
	lines <- "the rest"
	buffer := make([]byte, 100)
	n, _ := io.ReadAtLeast(download.Body, buffer, len("data: first\n\nthe rest"))
	if got := string(buffer[:n]); got != "data: first\n\nthe rest" {
		t.Errorf("the download: %q", got)
	}
}
