package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// strippedRequest are the headers a client may not give to an upstream.
// X-Forwarded-*, Proxy-*, X-Ssl-* and names with an underscore go too (see
// strippedPrefixes), and whatever Connection lists is gone already.
var strippedRequest = map[string]bool{
	// The browser's credentials for us are not the upstream's (BBA-7).
	"Cookie": true, "Cookie2": true, "Authorization": true, "Dpop": true, "X-Csrf": true,
	// Who the client is, only we say (BBA-12).
	"Forwarded": true, "X-Real-Ip": true, "X-Client-Ip": true, "True-Client-Ip": true, "Cf-Connecting-Ip": true,
	"Fastly-Client-Ip": true, "X-Cluster-Client-Ip": true, "X-Host": true, "Via": true,
	"Remote-User": true, "X-Remote-User": true, "X-Webauth-User": true,
	"Client-Cert": true, "Client-Cert-Chain": true, "X-Client-Cert": true, "X-Client-Dn": true, // RFC 9440 §4
	// A second method or path that some frameworks prefer over the first:
	// decision and execution would differ (BBA-17, BBA-19).
	"X-Http-Method-Override": true, "X-Http-Method": true, "X-Method-Override": true,
	"X-Original-Url": true, "X-Original-Uri": true, "X-Rewrite-Url": true, "X-Original-Host": true, "X-Original-Method": true,
	// CGI turns "Proxy" into the variable HTTP_PROXY (httpoxy).
	"Proxy": true,
	// Belongs to an h2c upgrade, which is never made.
	"Http2-Settings": true,
}

var strippedPrefixes = []string{"X-Forwarded-", "Proxy-", "X-Ssl-", "Ssl-", "X-Auth-Request-"}

// rewrite makes the upstream's request. ReverseProxy has removed hop-by-hop
// headers from it, and has re-encoded a query that parsers read differently
// (";", broken escapes): what it could not read is not sent, so that the
// upstream sees no parameter that we could not have seen.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.URL = &url.URL{Scheme: x.Upstream.Scheme, Host: x.Upstream.Host, Path: x.path, RawQuery: out.URL.RawQuery}
	out.Host = x.Upstream.Host
	out.Trailer = nil // a recipient may discard them (RFC 9110 §6.5.1), and anything could hide there
	h := out.Header
	for name := range h {
		if strippedRequest[name] || hasStrippedPrefix(name) {
			delete(h, name)
		}
	}
	if !x.socket {
		// The only protocol to switch to is WebSocket: behind h2c or another
		// tunnel, requests would pass that nobody checked.
		delete(h, "Upgrade")
		delete(h, "Connection")
	}
	switch {
	case x.grant.Access.Empty():
	case x.grant.Key.Empty():
		h["Authorization"] = []string{"Bearer " + x.grant.Access.Reveal()} // RFC 6750 §2.1
	default:
		h["Authorization"] = []string{"DPoP " + x.grant.Access.Reveal()} // RFC 9449 §7.1; send adds the proof
	}
	if client := ClientAddr(pr.In, x.proxy.trusted); client.IsValid() {
		h["X-Forwarded-For"] = []string{client.String()}
	}
	h["X-Forwarded-Host"] = []string{x.proxy.origin.Host}
	h["X-Forwarded-Proto"] = []string{x.proxy.origin.Scheme}
}

// hasStrippedPrefix also finds names with an underscore: CGI-like upstreams
// read X_Forwarded_For as X-Forwarded-For.
func hasStrippedPrefix(name string) bool {
	for _, prefix := range strippedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.Contains(name, "_")
}

// isWebSocket recognises an opening handshake (RFC 6455 §4.1), which is a GET
// without a body.
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ContentLength == 0 && switchesToWebSocket(r.Header)
}

// switchesToWebSocket reads the same in a request and in the answer of 101.
func switchesToWebSocket(h http.Header) bool {
	if !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		return false
	}
	for _, line := range h["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(token, " \t"), "upgrade") {
				return true
			}
		}
	}
	return false
}
