package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cloakroom/bff/proxy"
	"cloakroom/shared"
)

// BenchmarkCall is one call of a signed-in page, through all that stands in the
// way, beside the same call through a bare httputil.ReverseProxy. Neither client
// nor upstream allocates, so that the allocations are the proxy's.
func BenchmarkCall(b *testing.B) {
	api := newSilentUpstream(b)
	b.Run("bare", func(b *testing.B) { newCaller(b, bareProxy(b, api), "").bench(b) })
	b.Run("memory", func(b *testing.B) { signedInCaller(b, api, "session: {store: memory}\n").bench(b) })
	b.Run("jwe", func(b *testing.B) { newSealedCaller(b, api).bench(b) })
	b.Run("jwe-first", func(b *testing.B) {
		c := newSealedCaller(b, api)
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			c.another()
			b.StartTimer()
			c.call()
		}
	})
}

// TestACallAllocatesLittleMoreThanABareProxy holds the whole way, the access log
// and the metrics too, to what the standard library's proxy alone allocates.
func TestACallAllocatesLittleMoreThanABareProxy(t *testing.T) {
	api := newSilentUpstream(t)
	bare, ours := newCaller(t, bareProxy(t, api), ""), signedInCaller(t, api, "session: {store: memory}\n")
	const calls, more = 300, 10 // of a hundred
	want, got := testing.AllocsPerRun(calls, bare.call), testing.AllocsPerRun(calls, ours.call)
	t.Logf("%.0f allocations, and %.0f of a bare proxy", got, want)
	if got > want+more {
		t.Errorf("a call allocates %.0f times, a bare proxy %.0f times", got, want)
	}
}

// newSilentUpstream answers every request with the same KiB of JSON.
func newSilentUpstream(t testing.TB) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 1024\r\n\r\n\"" + strings.Repeat("x", 1022) + "\"")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReaderSize(conn, 16<<10)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == 2 {
						if _, err := conn.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func bareProxy(t testing.TB, api string) string {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: api, Path: "/v1/"}
	transport := proxy.NewTransport(nil)
	bearer := "Bearer " + strings.Repeat("t", 1<<10)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			r.Out.Header.Del("Cookie")
			r.Out.Header.Set("Authorization", bearer)
		},
		Transport: transport, BufferPool: &benchBuffers{},
	})
	t.Cleanup(func() { front.Close(); transport.CloseIdleConnections() })
	return front.Listener.Addr().String()
}

type benchBuffers struct{ pool sync.Pool }

func (b *benchBuffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

func (b *benchBuffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }

// caller sends one request again and again over one connection.
type caller struct {
	t       testing.TB
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

func newCaller(t testing.TB, addr, cookie string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &caller{t: t, conn: conn, in: bufio.NewReaderSize(conn, 16<<10), request: callWith(addr, cookie)}
	for range 50 { // connections, pools and caches are there
		c.call()
	}
	return c
}

// callWith is what Chromium sends.
func callWith(addr, cookie string) []byte {
	_, port, _ := net.SplitHostPort(addr)
	return fmt.Appendf(nil, "GET /api/orders?limit=20 HTTP/1.1\r\nHost: app.localhost:%s\r\nConnection: keep-alive\r\nsec-ch-ua-platform: \"Linux\"\r\n%s: %s\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n"+
		"sec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nAccept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n"+
		"Sec-Fetch-Dest: empty\r\nReferer: http://app.localhost:%s/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: %s\r\n\r\n",
		port, shared.HeaderCSRF, shared.ValueCSRF, port, cookie)
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
)

func (c *caller) call() {
	if _, err := c.conn.Write(c.request); err != nil {
		c.t.Fatal(err)
	}
	length := 0
	for n := 0; ; n++ {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if n == 0 && !bytes.HasPrefix(line, statusOK) {
			rest, _ := io.ReadAll(io.LimitReader(c.in, 500))
			c.t.Fatalf("%s%s", line, rest)
		}
		if value, ok := bytes.CutPrefix(line, contentLength); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := c.in.Discard(length); err != nil || length != 1024 {
		c.t.Fatal(length, err)
	}
}

func (c *caller) bench(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c.call()
	}
}

// signedInCaller opens a server before api and signs alice in.
func signedInCaller(t testing.TB, api, section string) *caller {
	t.Helper()
	s := openBefore(t, &upstream{Server: &httptest.Server{URL: "http://" + api}}, "http", section)
	v := newVisitor(t, s.origin)
	v.signIn(t)
	var pairs []string
	for _, c := range v.Jar.Cookies(&url.URL{Scheme: "http", Host: "app.localhost"}) {
		if strings.HasPrefix(c.Name, shared.CookieName) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	if len(pairs) == 0 {
		t.Fatal("no session cookie")
	}
	return newCaller(t, s.addr, strings.Join(pairs, "; "))
}
