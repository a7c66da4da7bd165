package spa

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"cloakroom/bff/respond"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// devServer forwards to the dev server of a framework, WebSocket for its hot
// reload included. It is for one's own machine: anything but loopback is
// refused, by name at start and by address when dialling.
func devServer(cfg Config) (respond.Func, error) {
	target, err := url.Parse(cfg.DevServer)
	if err != nil || target.Scheme != "http" || target.Host == "" || target.Path != "" && target.Path != "/" || target.User != nil {
		return nil, fmt.Errorf("dev server %q is not http://host:port", cfg.DevServer)
	}
	if !isLoopbackName(target.Hostname()) {
		return nil, fmt.Errorf("dev server %q is not on loopback", cfg.DevServer)
	}
	transport := cfg.Transport
	if transport == nil {
		transport = loopbackTransport()
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target) // dev servers check that Host is their own
			r.Out.Header.Del("Authorization")
			dropSessionCookie(r.Out)
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del("Set-Cookie") // the origin's cookies are the BFF's
			return nil
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			cfg.Respond.Error(w, r, problem.New(problem.UpstreamUnavailable, err).WithDetail("The SPA's dev server does not answer. Is it started?"))
		},
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		proxy.ServeHTTP(w, r)
		return nil
	}, nil
}

func isLoopbackName(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") // RFC 6761 §6.3
}

// dropSessionCookie keeps the ticket from a process that loads hundreds of
// packages from a registry.
func dropSessionCookie(r *http.Request) {
	kept := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range kept {
		if c.Name != shared.CookieName {
			r.AddCookie(c)
		}
	}
}

func loopbackTransport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !to.Addr().Unmap().IsLoopback() {
			return errors.New("not a loopback address")
		}
		return nil
	}}
	return &http.Transport{
		Proxy:               nil,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(host, ".localhost") {
				host = "localhost" // not every resolver knows RFC 6761
			}
			return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
		},
	}
}
