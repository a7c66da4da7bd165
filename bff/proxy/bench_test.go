package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"cloakroom/bff/proxy"
	"cloakroom/bff/secret"
)

// BenchmarkGet compares the proxy with a bare httputil.ReverseProxy on the
// same transport, with the same token: one KiB of JSON, upstream, proxy and client in one process.
func BenchmarkGet(b *testing.B) {
	answer := strings.Repeat("x", 1<<10)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer back.Close()
	target := mustURL(b, back.URL+"/")
	token := secret.New(strings.Repeat("t", 1<<10))
	bearer := "Bearer " + token.Reveal()

	b.Run("bare", func(b *testing.B) {
		transport := proxy.NewTransport(nil)
		defer transport.CloseIdleConnections()
		benchmarkGet(b, &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded()
				r.Out.Header.Del("Cookie")
				r.Out.Header.Set("Authorization", bearer)
			},
			Transport:  transport,
			BufferPool: &benchBuffers{},
		})
	})
	b.Run("cloakroom", func(b *testing.B) {
		transport := proxy.NewTransport(nil)
		defer transport.CloseIdleConnections()
		p, err := proxy.New(proxy.Config{
			Tokens: constant{token: token}, CheckPath: func(u *url.URL) (string, error) { return u.Path, nil }, Origin: "https://app.example.com", Transport: transport,
			Routes: []proxy.Route{{Path: "/api/", Upstream: target, Methods: []string{"GET"}}},
		})
		if err != nil {
			b.Fatal(err)
		}
		benchmarkGet(b, p.Mounts()[0].Handler)
	})
}

// constant is a TokenSource that costs nothing.
type constant struct {
	tokens
	token secret.String
}

func (c constant) Token(http.ResponseWriter, *http.Request, proxy.Want) (proxy.Grant, error) {
	return proxy.Grant{Access: c.token, Session: [32]byte{1}}, nil
}

func benchmarkGet(b *testing.B, handler http.Handler) {
	front := httptest.NewServer(handler)
	defer front.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest("GET", front.URL+"/api/orders", nil)
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("X-CSRF", "1")
			r.Header.Set("Cookie", "__Host-Http-cloakroom=0123456789012345678901234567890123456789012")
			res, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
}

type benchBuffers struct{ pool sync.Pool }

func (b *benchBuffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

func (b *benchBuffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
