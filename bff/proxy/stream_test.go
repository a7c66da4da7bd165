package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/proxy"
	"cloakroom/shared/problem"

	"github.com/coder/websocket"
)

// echoLines answers every line at once.
var echoLines = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		panic(err)
	}
	w.WriteHeader(http.StatusOK)
	_ = rc.Flush()
	in := bufio.NewReader(r.Body)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(w, "echo "+line)
		_ = rc.Flush()
	}
})

// TestStreamsGoBothWaysInLockStep sends nothing before it has read the echo of
// what it sent: any buffering on the way is a deadlock.
func TestStreamsGoBothWaysInLockStep(t *testing.T) {
	s := newStage(t, echoLines)
	body, feed := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", s.front.URL+"/api/echo", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out := bufio.NewReader(res.Body)
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		write(t, feed, line)
		got, err := out.ReadString('\n')
		if err != nil || got != "echo "+line {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	_ = feed.Close()
	if rest, err := io.ReadAll(out); err != nil || len(rest) != 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

func TestEventsArriveWhenTheyAreSent(t *testing.T) {
	for name, header := range map[string]http.Header{
		"of unknown length": {"Content-Type": {"application/json"}},
		"server-sent":       {"Content-Type": {"text/event-stream"}},
		"of known length":   {"Content-Length": {"4000"}},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan string)
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range header {
					w.Header()[name] = values
				}
				for event := range next {
					_, _ = io.WriteString(w, event)
					_ = http.NewResponseController(w).Flush()
				}
			}))
			conn, in := s.dial(t)
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			write(t, conn, "GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n")
			for _, event := range []string{"data: one\n", "data: two\n"} {
				next <- event
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						t.Fatal(err)
					}
					if line == event {
						break
					}
				}
			}
			close(next)
		})
	}
}

func TestWebSocketPasses(t *testing.T) {
	var authorization, cookie string
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization, cookie = r.Header.Get("Authorization"), r.Header.Get("Cookie")
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{"app.example.com"}, Subprotocols: []string{"echo"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, data); err != nil {
				return
			}
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.front.URL, "http")+"/api/socket", &websocket.DialOptions{
		HTTPHeader:   http.Header{"Origin": {"https://app.example.com"}, "Cookie": {"__Host-Http-cloakroom=ticket"}},
		Subprotocols: []string{"echo"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if c.Subprotocol() != "echo" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the handshake was answered with %v", res.Header)
	}
	for _, text := range []string{"one", strings.Repeat("long", 5000)} {
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != text {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if authorization != "Bearer "+token || cookie != "" {
		t.Errorf("the upstream got Authorization %q and Cookie %q", authorization, cookie)
	}
}

func TestAClientThatLeavesEndsTheUpstreamRequest(t *testing.T) {
	for _, begun := range []bool{false, true} {
		arrived, ended := make(chan bool), make(chan bool)
		s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begun {
				_ = http.NewResponseController(w).Flush()
			}
			arrived <- true
			<-r.Context().Done()
			close(ended)
		}))
		conn, _ := s.dial(t)
		write(t, conn, "GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n")
		<-arrived
		_ = conn.Close()
		<-ended
		s.front.Close()
		if log := s.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") {
			t.Errorf("answer begun %v: a client that leaves is logged as a crash: %s", begun, log)
		}
	}
}

// A handler that just returned would leave a 200 behind, which a proxy between
// us and the client could take for an answer.
func TestARequestThatWasGivenUpIsAbortedAndNotAnswered(t *testing.T) {
	p, err := proxy.New(proxy.Config{
		Tokens: tokens{token: token}, CheckPath: strictPath, Origin: "https://app.example.com",
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return nil, r.Context().Err() }),
		Routes:    []proxy.Route{{Path: "/api/", Upstream: mustURL(t, "http://api.internal/"), Methods: []string{"GET"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "/api/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newRecorder()
	defer func() {
		if got := recover(); got != http.ErrAbortHandler || w.code != 0 {
			t.Errorf("ended with %v and status %d, want http.ErrAbortHandler and none", got, w.code)
		}
	}()
	p.Mounts()[0].Handler.ServeHTTP(w, r)
}

func TestAnUpstreamThatDiesInTheMiddleIsNotAnEnd(t *testing.T) {
	for name, head := range map[string]string{
		"of known length":                      "Content-Length: 10000\r\n\r\nhalf",
		"in chunks":                            "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"with a token where a chunk should be": "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n" + token + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				write(t, conn, "HTTP/1.1 200 OK\r\n"+head)
			}))
			res, err := s.front.Client().Get(s.front.URL + "/api/x")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if string(got) != "half" || err == nil {
				t.Errorf("got %q with %v, want a broken stream", got, err)
			}
			s.front.Close()
			if log := s.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") || !strings.Contains(log, "stream broken") {
				t.Errorf("the log is %s", log)
			}
		})
	}
}

// A short body of known length is held back until it is whole: then nothing of
// it arrives, and no status that would promise it.
func TestAnUpstreamThatDiesWithinAShortBodyIsNotAnAnswer(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	if res, err := s.front.Client().Get(s.front.URL + "/api/x"); err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err == nil {
			t.Errorf("got %s as if it were whole", res.Status)
		}
	}
}

func TestAnUpstreamThatAnswersBeforeTheBodyEnds(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
	}))
	conn, in := s.dial(t)
	write(t, conn, "POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nonly the begin")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestUpstreamFailures(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	_ = listener.Close()

	t.Run("nobody listens", func(t *testing.T) {
		s := newStageFor(t, closed)
		res, body := s.send(t, "GET", "/api/x", nil, nil)
		wantProblem(t, res, body, problem.UpstreamUnavailable)
		if strings.Contains(body, "127.0.0.1") {
			t.Errorf("the answer names the upstream: %s", body)
		}
	})
	t.Run("it hangs up", func(t *testing.T) {
		s := newStage(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		res, body := s.send(t, "POST", "/api/x", nil, strings.NewReader("x"))
		wantProblem(t, res, body, problem.UpstreamUnavailable)
	})
	t.Run("it echoes the token where a header should be", func(t *testing.T) {
		s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			write(t, conn, "HTTP/1.1 200 OK\r\n"+r.Header.Get("Authorization")+"\r\n\r\n")
		}))
		res, body := s.send(t, "GET", "/api/x", nil, nil)
		wantProblem(t, res, body, problem.UpstreamUnavailable)
		if strings.Contains(body, token) || !strings.Contains(s.log.String(), "[redacted]") {
			t.Errorf("the answer is %s, the log %s", body, s.log)
		}
	})
	t.Run("it is silent", func(t *testing.T) {
		s := newStage(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
			func(r *proxy.Route, _ *proxy.Config) { r.Timeout = 20 * time.Millisecond })
		res, body := s.send(t, "GET", "/api/x", nil, nil)
		wantProblem(t, res, body, problem.UpstreamTimeout)
	})
	t.Run("dialing takes too long", func(t *testing.T) {
		s := newStageFor(t, closed, func(_ *proxy.Route, c *proxy.Config) {
			c.Transport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
		})
		res, body := s.send(t, "GET", "/api/x", nil, nil)
		wantProblem(t, res, body, problem.UpstreamTimeout)
	})
}

func TestBodies(t *testing.T) {
	received := make(chan int64, 1)
	sink := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil {
			received <- n
		}
	})
	small := func(_ *proxy.Route, c *proxy.Config) { c.MaxBody = 1000 }
	t.Run("a length over the bound", func(t *testing.T) {
		s := newStage(t, unreachable(t), small)
		res, body := s.send(t, "POST", "/api/x", nil, strings.NewReader(strings.Repeat("x", 1001)))
		wantProblem(t, res, body, problem.RequestTooLarge)
	})
	t.Run("a stream over the bound", func(t *testing.T) {
		s := newStage(t, sink, small)
		res, body := s.send(t, "POST", "/api/x", nil, io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))))
		wantProblem(t, res, body, problem.RequestTooLarge)
		select {
		case n := <-received:
			t.Errorf("the upstream took %d bytes for the whole body", n)
		default:
		}
	})
	t.Run("just the bound", func(t *testing.T) {
		s := newStage(t, sink, small)
		res, body := s.send(t, "POST", "/api/x", nil, io.MultiReader(strings.NewReader(strings.Repeat("x", 1000))))
		if n := <-received; res.StatusCode != 200 || n != 1000 {
			t.Errorf("got %s %s, the upstream %d bytes", res.Status, body, n)
		}
	})
	t.Run("no bound", func(t *testing.T) {
		s := newStage(t, sink, func(_ *proxy.Route, c *proxy.Config) { c.MaxBody = -1 })
		res, _ := s.send(t, "POST", "/api/x", nil, io.LimitReader(zeros{}, proxy.DefaultMaxBody+1))
		if n := <-received; res.StatusCode != 200 || n != proxy.DefaultMaxBody+1 {
			t.Errorf("got %s, the upstream %d bytes", res.Status, n)
		}
	})
	t.Run("a body that breaks off is the client's fault", func(t *testing.T) {
		s := newStage(t, sink)
		conn, in := s.dial(t)
		write(t, conn, "POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("got %v, %v", res, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestTheUpstreamIsNotBlamedForASlowClient: the clock stands still while the
// client's body is awaited, and runs again when it has come.
func TestTheUpstreamIsNotBlamedForASlowClient(t *testing.T) {
	for _, c := range []struct {
		name     string
		silence  time.Duration // of the upstream, after the body
		wantCode int
	}{
		{"a patient upstream that answers", 900 * time.Millisecond, 200},
		{"an upstream that is silent after the body", 1100 * time.Millisecond, 504},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, err := proxy.New(proxy.Config{
					Tokens: tokens{token: token}, CheckPath: strictPath, Origin: "https://app.example.com",
					Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						if _, err := io.Copy(io.Discard, r.Body); err != nil {
							return nil, err
						}
						select {
						case <-r.Context().Done():
							return nil, r.Context().Err()
						case <-time.After(c.silence):
							return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
						}
					}),
					Routes: []proxy.Route{{Path: "/api/", Upstream: mustURL(t, "http://api.internal/"), Methods: []string{"POST"}, Timeout: time.Second}},
				})
				if err != nil {
					t.Fatal(err)
				}
				body, feed := io.Pipe()
				go func() {
					for range 3 {
						time.Sleep(10 * time.Second) // of the bubble's clock
						_, _ = io.WriteString(feed, "x")
					}
					_ = feed.Close()
				}()
				w := newRecorder()
				r, err := http.NewRequest("POST", "http://app.example.com/api/x", body)
				if err != nil {
					t.Fatal(err)
				}
				r.URL.Scheme, r.URL.Host, r.ContentLength = "", "", -1
				p.Mounts()[0].Handler.ServeHTTP(w, r)
				if w.code != c.wantCode {
					t.Errorf("got %d, want %d", w.code, c.wantCode)
				}
			})
		})
	}
}

// recorder is a ResponseWriter that cannot do full duplex, as a wrapped one may.
type recorder struct {
	header http.Header
	code   int
}

func newRecorder() *recorder                    { return &recorder{header: http.Header{}} }
func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
