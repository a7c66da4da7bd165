package deploy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// A file that its program refuses, or warns of, fails whoever would start it.
func TestABrokenFileIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b balancer) {
		s := newSite(t)
		text, err := os.ReadFile(b.file)
		if err != nil {
			t.Fatal(err)
		}
		broken := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(broken, append(text, "\n}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		err = servers.Perform(t.Context(), io.Discard, func(stage *servers.Stage) {
			b.run(stage, broken, s.env(t, "roundrobin"), s.addr)
		})
		if err == nil || !strings.Contains(err.Error(), "refuses its configuration") {
			t.Errorf("it is started: %v", err)
		}
	})
}

// TestWhatStickyIsWorth: two instances that keep their sessions to themselves.
func TestWhatStickyIsWorth(t *testing.T) {
	const visitors, calls = 12, 8
	each(t, func(t *testing.T, b balancer) {
		for _, balance := range []string{"roundrobin", "cookie", "session"} {
			t.Run(balance, func(t *testing.T) {
				w := open(t, b, balance, "session: {"+ring+"}\n")
				at := map[*visitor]string{} // where those are who are always served
				refused, moved := 0, 0
				for n := range visitors {
					v := newVisitor(t, w.site, false)
					if n%2 == 1 { // or all would sign in at the same one: each takes so many requests
						v.served(t)
					}
					v.mustSignIn(t)
					v = v.keeping(t)
					var by []string
					for range calls {
						by = append(by, v.served(t))
					}
					refused += count(by, "")
					slices.Sort(by)
					if met := slices.Compact(by); len(met) > 1 {
						moved++
					} else if met[0] != "" {
						at[v] = met[0]
					}
				}
				t.Logf("of %d calls %d were refused; of %d visitors %d met both instances, %d were always served", visitors*calls, refused, visitors, moved, len(at))
				switch {
				case balance == "roundrobin":
					if refused < visitors*calls/4 || refused > visitors*calls*3/4 || moved != visitors {
						t.Error("round robin should refuse about half of all calls, of everybody's")
					}
					return
				case balance == "session" && !b.learns:
					if moved > 0 || len(at) == 0 || len(at) == visitors {
						t.Error("a hash should keep each at one instance, whether the session is there or not")
					}
				case len(at) != visitors:
					t.Error("not everybody was served")
				}
				if w.balancer.Log() == "" || strings.Contains(w.balancer.Log(), "code=") || !strings.Contains(w.balancer.Log(), shared.PathCallback) {
					t.Errorf("the balancer's log should have the callbacks, and no code:\n%s", w.balancer.Log())
				}

				// An instance dies, and with it the sessions it had; nobody else's.
				var here, there []*visitor
				for v, instance := range at {
					if instance == "a" {
						here = append(here, v)
					} else {
						there = append(there, v)
					}
				}
				if len(here) == 0 || len(there) == 0 {
					t.Fatalf("all %d are at one instance", len(at))
				}
				w.instances[0].Kill()
				for _, v := range here {
					if by := v.served(t); by != "" {
						t.Errorf("instance %s serves a session of the one that died", by)
					}
				}
				for _, v := range there {
					if by := v.served(t); by != "b" {
						t.Errorf("a session of the instance that lives is served by %q", by)
					}
				}
			})
		}
	})
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// forged is what a client might say of itself.
var forged = http.Header{
	"X-Forwarded-For": {"198.51.100.1, 198.51.100.2", "127.0.0.1"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"},
	"X-Forwarded-Port": {"1"}, "X-Forwarded-Prefix": {"/evil"}, "X-Forwarded-Server": {"evil"},
	"X-Real-Ip": {"198.51.100.1"}, "Forwarded": {"for=198.51.100.1;host=evil.example;proto=http"},
}

// TestAForgedSenderReachesNobody: neither Cloakroom nor the API behind it is
// told what a client says about where it comes from.
func TestAForgedSenderReachesNobody(t *testing.T) {
	each(t, func(t *testing.T, b balancer) {
		t.Run("Cloakroom", func(t *testing.T) {
			s := newSite(t)
			heard := make(chan *http.Request, 1)
			serve(t, s.hosts[0], s.port, func(_ http.ResponseWriter, r *http.Request) { heard <- r })
			serve(t, s.hosts[0], s.admin, func(http.ResponseWriter, *http.Request) {})
			s.hosts[1] = s.hosts[0]
			s.start(t, b, "session")
			v := newVisitor(t, s, true)
			r := v.call(t, http.MethodGet, "/a%2Fb//c?d=e", nil)
			for name, values := range forged {
				r.Header[name] = values
			}
			r.Header.Set("X-Ticket", "forged") // which Caddy hashes
			if got := v.do(t, r); got.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", got.StatusCode, got.body)
			}
			got := <-heard
			if got.RequestURI != "/a%2Fb//c?d=e" || "https://"+got.Host != s.origin {
				t.Errorf("the request is for %s at %s", got.RequestURI, got.Host)
			}
			host := strings.TrimPrefix(s.origin, "https://")
			for name, want := range map[string]string{"X-Forwarded-For": client.String(), "X-Forwarded-Host": host, "X-Forwarded-Proto": "https"} {
				if all := got.Header[name]; len(all) != 1 || all[0] != want {
					t.Errorf("%s is %q, want %q", name, all, want)
				}
				got.Header.Del(name)
			}
			for name, all := range got.Header {
				if _, ok := forged[name]; ok || name == "X-Ticket" && b.name == "caddy" {
					t.Errorf("%s is %q", name, all)
				}
			}
		})
		t.Run("the API", func(t *testing.T) {
			w := open(t, b, "cookie", "session: {"+ring+"}\n")
			v := newVisitor(t, w.site, false)
			v.mustSignIn(t)
			r := v.call(t, http.MethodGet, "/api/who", nil)
			for name, values := range forged {
				r.Header[name] = values
			}
			if got := v.do(t, r); got.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", got.StatusCode, got.body)
			}
			got := w.api.heard().Header
			if all := got["X-Forwarded-For"]; len(all) != 1 || all[0] != client.String() {
				t.Errorf("through the balancer the API is called by %q", all)
			}
			if all := got["X-Forwarded-Host"]; len(all) != 1 || "https://"+all[0] != w.origin {
				t.Errorf("the API is called at %q", all)
			}

			// Past the balancer nothing that is said counts.
			direct := v.keeping(t)
			direct.Transport = &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: client}}).DialContext}
			served := v.served(t)
			r = direct.call(t, http.MethodGet, "/api/who", nil)
			r.Host, r.URL.Scheme, r.URL.Host = r.URL.Host, "http", fmt.Sprintf("%s:%d", w.hosts[slices.Index(names[:], served)], w.port)
			r.Header["X-Forwarded-For"] = []string{"198.51.100.1"}
			if got := direct.do(t, r); got.StatusCode != http.StatusOK {
				t.Fatalf("past the balancer: %d %s", got.StatusCode, got.body)
			}
			if all := w.api.heard().Header["X-Forwarded-For"]; len(all) != 1 || all[0] != client.String() {
				t.Errorf("past the balancer the API is called by %q", all)
			}
		})
	})
}

// serve answers on a loopback address until the test ends.
func serve(t *testing.T, host string, port int, h http.HandlerFunc) {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}

// TestPlainHTTPLeadsToHTTPS, and no further.
func TestPlainHTTPLeadsToHTTPS(t *testing.T) {
	each(t, func(t *testing.T, b balancer) {
		s := newSite(t)
		s.start(t, b, "roundrobin")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/a?b=c", s.httpPort), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "localhost"
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if to := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect || !strings.HasPrefix(to, "https://localhost") || !strings.HasSuffix(to, "/a?b=c") {
			t.Errorf("%d to %q", response.StatusCode, to)
		}
	})
}

// TestStreamsPassAtOnce: each event is here before the next is made, over both
// versions of HTTP, and a WebSocket goes both ways.
func TestStreamsPassAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b balancer) {
		w := open(t, b, "cookie", "session: {"+ring+"}\n")
		for _, one := range []bool{false, true} {
			v := newVisitor(t, w.site, one)
			v.mustSignIn(t)
			stream := func(path string) (*http.Response, *bufio.Reader) {
				t.Helper()
				r := v.call(t, http.MethodGet, path, nil)
				r.Header.Del(shared.HeaderCSRF) // EventSource cannot send it
				r.Header.Set("Accept", "text/event-stream")
				response, err := v.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = response.Body.Close() })
				if (response.ProtoMajor == 2) == one {
					t.Errorf("GET %s over %s", path, response.Proto)
				}
				return response, bufio.NewReader(response.Body)
			}
			_, tab := stream(shared.PathEvents)
			if line, err := tab.ReadString('\n'); line != ": watching\n" {
				t.Fatalf("GET %s: %q, %v", shared.PathEvents, line, err)
			}

			next := make(chan string)
			w.api.answers(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "text/event-stream")
				for {
					select {
					case line, more := <-next:
						if !more {
							return
						}
						_, _ = io.WriteString(rw, line)
						_ = http.NewResponseController(rw).Flush()
					case <-r.Context().Done():
						return
					}
				}
			})
			// Nginx 1.22 keeps the header of an answer over HTTP/2 until there is
			// something to its body, so the first event is not waited for.
			go func() { next <- "data: one\n" }()
			_, events := stream("/api/events")
			for n, line := range []string{"data: one\n", "data: two\n", "data: three\n"} {
				if n > 0 {
					next <- line
				}
				if got, err := events.ReadString('\n'); got != line {
					t.Fatalf("got %q, %v; want %q", got, err, line)
				}
			}
			close(next)
			if more, err := io.ReadAll(events); err != nil || len(more) > 0 {
				t.Errorf("the stream ends with %q, %v", more, err)
			}
			if !one { // in Go's client a WebSocket is HTTP/1.1
				continue
			}
			w.api.answers(func(rw http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
				if err != nil {
					t.Error(err)
					return
				}
				defer c.CloseNow()
				kind, said, err := c.Read(r.Context())
				if err == nil {
					err = c.Write(r.Context(), kind, append([]byte("echo of "), said...))
				}
				if err != nil {
					t.Error(err)
				}
				_, _, _ = c.Read(r.Context())
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			socket, _, err := websocket.Dial(ctx, v.origin+"/api/socket", &websocket.DialOptions{HTTPClient: v.Client, HTTPHeader: http.Header{"Origin": {v.origin}}})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.CloseNow()
			if err := socket.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, said, err := socket.Read(ctx); err != nil || string(said) != "echo of hello" {
				t.Errorf("the socket says %q, %v", said, err)
			}
		}
	})
}

// TestARollingStopFailsNobody: one instance after the other is stopped by
// SIGTERM and started again, while visitors read and write on a shared store.
func TestARollingStopFailsNobody(t *testing.T) {
	each(t, func(t *testing.T, b balancer) {
		redis := servers.Redis(t)
		delay := "1s"
		if b.looks {
			delay = "4s"
		}
		w := open(t, b, "roundrobin", fmt.Sprintf("drain_delay: %s\nsession: {store: redis, url: \"redis://%s\", %s}\n", delay, redis.Addr(), ring))
		// Some work is always under way, at whichever instance.
		w.api.answers(func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-r.Context().Done():
			}
			instance, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			_, _ = io.WriteString(rw, instance)
		})
		ctx, stop := context.WithCancel(t.Context())
		var going sync.WaitGroup
		var answered atomic.Int64
		var progress [2]atomic.Int64
		for i := range 6 {
			v := newVisitor(t, w.site, i%2 == 1)
			v.mustSignIn(t)
			going.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					method, body := http.MethodGet, io.Reader(nil)
					if n%2 == 1 {
						method, body = http.MethodPost, strings.NewReader("an order")
					}
					got, err := v.try(v.call(t, method, "/api/who", body))
					switch {
					case err != nil:
						t.Errorf("%s: %v", method, err)
					case got.StatusCode != http.StatusOK:
						t.Errorf("%s: %d %s", method, got.StatusCode, got.body)
					default:
						progress[slices.Index(names[:], got.body)].Add(1)
					}
					answered.Add(1)
				}
			})
		}
		serves := func(i int) {
			before := progress[i].Load()
			servers.WaitFor(t, "instance "+names[i]+" to serve", func(context.Context) error {
				if progress[i].Load() < before+10 {
					return errors.New("it does not")
				}
				return nil
			})
		}
		for i, instance := range w.instances {
			serves(0)
			serves(1)
			instance.Term()
			if log := instance.Log(); !strings.Contains(log, `"stopped"`) {
				t.Errorf("instance %s did not stop by itself", names[i])
			}
			serves(1 - i)
			instance.Restart()
		}
		serves(0)
		serves(1)
		stop()
		going.Wait()
		t.Logf("%d requests were answered", answered.Load())
	})
}

// TestALargeCookiePasses: a session of more than 12 KiB that its browser keeps,
// set by one answer and shown with every request.
func TestALargeCookiePasses(t *testing.T) {
	const least = 12 << 10
	each(t, func(t *testing.T, b balancer) {
		user := idp.DefaultUsers()[0]
		user.FullName = strings.Repeat("Alice ", 1500) // in the ID token, and in the session's claims
		w := open(t, b, "roundrobin", "session: {store: cookie, cookie_max_bytes: 24KiB, "+ring+"}\n", user)
		for _, one := range []bool{false, true} {
			v := newVisitor(t, w.site, one)
			v.mustSignIn(t)
			r := v.call(t, http.MethodGet, "/api/who", nil)
			size := 0
			for _, cookie := range v.Jar.Cookies(r.URL) {
				size += len(cookie.Name) + len(cookie.Value)
			}
			if size < least {
				t.Fatalf("the cookies have %d bytes: too few for this test", size)
			}
			for range 4 {
				if got := v.do(t, v.call(t, http.MethodGet, "/api/who", nil)); got.StatusCode != http.StatusOK {
					t.Fatalf("with cookies of %d bytes: %d %s", size, got.StatusCode, got.body)
				}
			}
		}
	})
}
