package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config of a Transport. Others is required.
type Config struct {
	// Dial opens a TCP connection; nil is a net.Dialer that waits 10s.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for https; nil demands TLS 1.2 at least. Its NextProtos is set here.
	TLS *tls.Config
	// Others does what is not HTTP/1.1: upgrades, and HTTP/2 where an upstream
	// offers it over TLS.
	Others http.RoundTripper
	// MaxIdle is how many connections of one upstream wait for the next request;
	// 0 means 256.
	MaxIdle int
	// IdleTimeout is how long; 0 means 90s.
	IdleTimeout time.Duration
	// ContinueTimeout is how long the body of a request that expects 100 is held
	// back for an upstream that says nothing (RFC 9110 §10.1.1); 0 means 1s.
	ContinueTimeout time.Duration
	// MaxHead bounds the heads of one answer, informational ones included, in
	// bytes; 0 means 64 KiB.
	MaxHead int64
}

// handshakeTimeout bounds how long TLS may take to begin.
const handshakeTimeout = 10 * time.Second

// Transport is an http.RoundTripper. It is safe for concurrent use.
type Transport struct {
	config Config

	mu    sync.Mutex
	pools map[origin]*pool
}

// origin is where a connection leads.
type origin struct{ scheme, host string }

var _ http.RoundTripper = (*Transport)(nil)

// New returns a Transport without connections.
func New(c Config) (*Transport, error) {
	if c.Others == nil {
		return nil, errors.New("upstream: no transport for what is not HTTP/1.1")
	}
	if c.MaxIdle < 0 || c.IdleTimeout < 0 || c.ContinueTimeout < 0 || c.MaxHead < 0 {
		return nil, errors.New("upstream: bounds must not be negative")
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.TLS = c.TLS.Clone()
	c.TLS.NextProtos = []string{"h2", "http/1.1"}
	if c.MaxIdle == 0 {
		c.MaxIdle = 256
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 90 * time.Second
	}
	if c.ContinueTimeout == 0 {
		c.ContinueTimeout = time.Second
	}
	if c.MaxHead == 0 {
		c.MaxHead = 64 << 10
	}
	return &Transport{config: c, pools: map[origin]*pool{}}, nil
}

// RoundTrip implements http.RoundTripper. An error that the request's context
// caused is the context's cause.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	p := t.pool(r)
	if len(r.Header["Upgrade"]) > 0 || p.speaksHTTP2() {
		return t.config.Others.RoundTrip(r)
	}
	room := heads.Get().(*[]byte)
	defer heads.Put(room)
	head, err := appendHead((*room)[:0], r)
	*room = head
	if err != nil {
		closeBody(r)
		return nil, err
	}
	for fresh := false; ; fresh = true {
		c, err := t.connect(r.Context(), p, fresh)
		if errors.Is(err, errHTTP2) {
			return t.config.Others.RoundTrip(r)
		}
		if err != nil {
			closeBody(r)
			return nil, cause(r.Context(), err)
		}
		kept := c.kept
		res, err := t.exchange(c, r, head)
		if err == nil {
			return res, nil
		}
		if kept && !fresh && errors.Is(err, errUnanswered) && repeatable(r) && r.Context().Err() == nil {
			continue // it was closed just when we began to use it
		}
		return nil, cause(r.Context(), err)
	}
}

// heads lends room for the heads of requests.
var heads = sync.Pool{New: func() any { return new([]byte) }}

// connect returns a connection that waited, or a new one.
func (t *Transport) connect(ctx context.Context, p *pool, fresh bool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !fresh {
		if c := p.take(); c != nil {
			return c, nil
		}
	}
	raw, err := t.config.Dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("upstream: dial: %w", err)
	}
	if p.origin.scheme != "https" {
		return newConn(p, raw, raw), nil
	}
	config := t.config.TLS
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = p.name
	}
	secure := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("upstream: handshake: %w", err)
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		_ = secure.Close()
		p.foundHTTP2()
		return nil, errHTTP2
	}
	return newConn(p, raw, secure), nil
}

// errHTTP2 says that the upstream would rather speak HTTP/2.
var errHTTP2 = errors.New("upstream: speaks HTTP/2")

// repeatable reports whether r may be sent once more when nobody knows whether
// it arrived (RFC 9110 §9.2.2).
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return !hasBody(r)
	}
	return false
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// cause is why ctx ended, if that is why err came.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// CloseIdleConnections closes the connections that wait.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.pools {
		p.closeAll()
	}
	if others, ok := t.config.Others.(interface{ CloseIdleConnections() }); ok {
		others.CloseIdleConnections()
	}
}
