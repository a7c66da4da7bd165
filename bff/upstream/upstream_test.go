package upstream_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/upstream"
)

// patience bounds every wait.
const patience = 20 * time.Second

// counted is a server that counts its connections.
type counted struct {
	*httptest.Server
	opened, open atomic.Int64
}

func serve(t testing.TB, h http.HandlerFunc, change ...func(*httptest.Server)) *counted {
	t.Helper()
	s := &counted{Server: httptest.NewUnstartedServer(h)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.opened.Add(1)
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = false
	if len(change) == 0 {
		s.Start()
	}
	for _, c := range change {
		c(s.Server)
	}
	t.Cleanup(s.Close)
	return s
}

func withTLS(s *httptest.Server)   { s.StartTLS() }
func withHTTP2(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }

func open(t testing.TB, s *httptest.Server, c upstream.Config) *upstream.Transport {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s != nil && s.TLS != nil {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AddCert(s.Certificate())
	}
	others := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true}
	c.Others, c.TLS = others, config
	transport, err := upstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func get(t testing.TB, transport http.RoundTripper, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

var hello http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s over %s", r.URL, r.Proto) }

func TestAConnectionIsUsedAgain(t *testing.T) {
	for name, change := range map[string][]func(*httptest.Server){"plain": nil, "TLS": {withTLS}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, hello, change...)
			transport := open(t, s.Server, upstream.Config{})
			for i := range 20 {
				path := fmt.Sprintf("/%d?a=b", i)
				if _, body := get(t, transport, s.URL+path); body != path+" over HTTP/1.1" {
					t.Fatal(body)
				}
			}
			if n := s.opened.Load(); n != 1 {
				t.Errorf("%d connections for 20 requests, one after the other", n)
			}
		})
	}
}

func TestHTTP2IsSpokenWhereItIsOffered(t *testing.T) {
	s := serve(t, hello, withHTTP2)
	transport := open(t, s.Server, upstream.Config{})
	for range 3 {
		if _, body := get(t, transport, s.URL+"/"); body != "/ over HTTP/2.0" {
			t.Fatal(body)
		}
	}
}

func TestACertificateOfNobodyIsRefused(t *testing.T) {
	s := serve(t, hello, withTLS)
	transport := open(t, nil, upstream.Config{})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	if _, err := transport.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

// A burst opens what it needs; of that, so many stay as are allowed, and not for
// longer than they are.
func TestTheIdleAreFewAndDoNotStay(t *testing.T) {
	const burst, most = 50, 8
	var waiting sync.WaitGroup
	waiting.Add(burst)
	s := serve(t, func(http.ResponseWriter, *http.Request) { waiting.Done(); waiting.Wait() })
	transport := open(t, s.Server, upstream.Config{MaxIdle: most, IdleTimeout: 300 * time.Millisecond})
	var calls sync.WaitGroup
	for range burst {
		calls.Go(func() { get(t, transport, s.URL) })
	}
	calls.Wait()
	await(t, "the most", func() bool { return s.open.Load() <= most })
	await(t, "none", func() bool { return s.open.Load() == 0 })
}

// await returns once condition holds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// answering is a server on bare sockets that sends the same to each connection
// once something came.
func answering(t testing.TB, say func(conn net.Conn, n int)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	serving.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				if _, err := conn.Read(make([]byte, 64<<10)); err == nil {
					say(conn, n)
				}
			})
		}
	})
	return "http://" + l.Addr().String()
}

// TLS hands over a record piece by piece, so that a rest of it is in no socket
// and in no buffer of ours.
func TestARestInATLSRecordIsNobodysAnswer(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	// All in one record, and what is left of the body after the first buffer is
	// longer than that: it is read past the buffer, and TLS keeps the rest.
	long := strings.Repeat("a", 12_000)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		first := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(long), long)
		_, _ = io.WriteString(conn, first+"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		_, _ = io.Copy(io.Discard, conn)
	})
	s.TLS = &tls.Config{DynamicRecordSizingDisabled: true, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	transport := open(t, s, upstream.Config{})
	for range 5 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var body strings.Builder
		_, err = io.CopyBuffer(struct{ io.Writer }{&body}, struct{ io.Reader }{res.Body}, make([]byte, 32<<10))
		_ = res.Body.Close()
		if err != nil || body.String() != long {
			t.Fatalf("got %d bytes: %.20s, %v", body.Len(), body.String(), err)
		}
	}
	transport.CloseIdleConnections()
	s.CloseClientConnections()
	s.Close()
}

// What is written is one request, whoever made its parts.
func TestPartsThatWouldEndARequestAreRefused(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"a line in a value":  func(r *http.Request) { r.Header.Set("X-A", "b\r\nX-C: d") },
		"a LF in a value":    func(r *http.Request) { r.Header.Set("X-A", "b\nX-C: d") },
		"a NUL in a value":   func(r *http.Request) { r.Header.Set("X-A", "\x00") },
		"a space in a name":  func(r *http.Request) { r.Header["X A"] = []string{"b"} },
		"a line in a name":   func(r *http.Request) { r.Header["X-A: b\r\nX-C"] = []string{"d"} },
		"no name":            func(r *http.Request) { r.Header[""] = []string{"b"} },
		"a space in method":  func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\n\r\nGET" },
		"no method":          func(r *http.Request) { r.Method = "" },
		"a line in the host": func(r *http.Request) { r.Host = "a\r\nX: y" },
	} {
		t.Run(name, func(t *testing.T) {
			transport := open(t, nil, upstream.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
				t.Error("somebody was dialed")
				return nil, errors.New("no")
			}})
			r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:1/", nil)
			change(r)
			if _, err := transport.RoundTrip(r); err == nil {
				t.Error("it was sent")
			}
		})
	}
}

// An end of the context ends whatever goes on, and is what the caller is told.
func TestTheContextEndsWhateverGoesOn(t *testing.T) {
	because := errors.New("because")
	t.Run("while the answer is awaited", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		url := answering(t, func(conn net.Conn, _ int) {
			cancel(because)
			_, _ = io.Copy(io.Discard, conn)
		})
		r, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		if _, err := open(t, nil, upstream.Config{}).RoundTrip(r); !errors.Is(err, because) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("in the body", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		url := answering(t, func(conn net.Conn, _ int) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
			_, _ = io.Copy(io.Discard, conn)
		})
		r, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		res, err := open(t, nil, upstream.Config{}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadFull(res.Body, make([]byte, 5))
		cancel(because)
		if _, err := io.ReadAll(res.Body); !errors.Is(err, because) {
			t.Errorf("got %v", err)
		}
		_ = res.Body.Close()
	})
	t.Run("while it is dialed", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		transport := open(t, nil, upstream.Config{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel(because)
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:1/", nil)
		if _, err := transport.RoundTrip(r); !errors.Is(err, because) {
			t.Errorf("got %v", err)
		}
	})
}

// A body that breaks off is never a whole one at the other end.
func TestABodyThatCannotBeReadIsNoBody(t *testing.T) {
	broken := errors.New("broken")
	for _, length := range []int64{10, -1} {
		got := make(chan error, 1)
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			got <- err
		})
		r, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL, io.MultiReader(strings.NewReader("hello"), failing{broken}))
		r.ContentLength = length
		if _, err := open(t, s.Server, upstream.Config{}).RoundTrip(r); !errors.Is(err, broken) {
			t.Errorf("length %d: got %v", length, err)
		}
		if err := <-got; err == nil {
			t.Errorf("length %d: the server took it for whole", length)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBodiesArriveAsTheyAre(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %v %x", r.ContentLength, r.TransferEncoding, len(body))
	})
	transport := open(t, s.Server, upstream.Config{})
	large := bytes.Repeat([]byte("x"), 1<<20)
	for _, row := range []struct {
		method string
		body   io.Reader
		length int64
		want   string
	}{
		{"POST", bytes.NewReader(large), 1 << 20, "1048576 [] 100000"},
		{"POST", bytes.NewReader(large), -1, "-1 [chunked] 100000"},
		{"POST", nil, 0, "0 [] 0"},
		{"DELETE", nil, 0, "0 [] 0"},
		{"POST", bytes.NewReader(large), 5, "5 [] 5"}, // and no more than was said
		{"PUT", io.MultiReader(), -1, "-1 [chunked] 0"},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), row.method, s.URL, row.body)
		r.ContentLength = row.length
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(got) != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// FuzzAnswer: what an upstream says is read as net/http's transport reads it, or
// refused, and nothing of it is left for the next caller.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: t\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
		"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 200 OK\n\nhello",
	} {
		f.Add([]byte(seed))
	}
	var said atomic.Pointer[[]byte]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				head := make([]byte, 4<<10)
				n, _ := conn.Read(head)
				if bytes.HasPrefix(head[:n], []byte("GET /own ")) {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")
					return
				}
				_, _ = conn.Write(*said.Load())
				_ = conn.(*net.TCPConn).CloseWrite()
				n, _ = conn.Read(head) // the next request, if it dares
				if bytes.HasPrefix(head[:n], []byte("GET /own ")) {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")
				}
			}()
		}
	}()
	url := "http://" + l.Addr().String()
	f.Fuzz(func(t *testing.T, answer []byte) {
		said.Store(&answer)
		theirs := &http.Transport{DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
		defer theirs.CloseIdleConnections()
		ours := open(t, nil, upstream.Config{})
		want, got := summary(t, theirs, url), summary(t, ours, url)
		if got != want && got != "refused" {
			t.Errorf("%q:\nwe read   %s\nthey read %s", answer, got, want)
		}
		if _, own := get(t, ours, url+"/own"); own != "own" {
			t.Errorf("%q: the next caller got %q", answer, own)
		}
	})
}

// summary is what a transport makes of an answer.
func summary(t *testing.T, transport http.RoundTripper, url string) string {
	t.Helper()
	var hints []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code))
		return nil
	}}
	r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", url+"/x", nil)
	res, err := transport.RoundTrip(r)
	if err != nil {
		return "refused"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return fmt.Sprint(hints, res.StatusCode, res.ContentLength, res.Header, res.Trailer, err != nil, string(body))
}
