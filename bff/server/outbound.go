package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer dials like net.Dialer, except that localhost and every name below it
// is this machine, whatever a resolver says (RFC 6761 §6.3): a name server
// that answered otherwise would be given the tokens.
func dialer() dialFunc {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || !isLocalhost(host) {
			return d.DialContext(ctx, network, addr)
		}
		conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return d.DialContext(ctx, network, net.JoinHostPort("::1", port))
		}
		return conn, nil
	}
}

func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// providerTransport reaches the provider, through the machine's HTTP proxy if
// it has one. Few connections: one sign-in is a handful of requests.
func providerTransport(dial dialFunc) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dial, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}
}
