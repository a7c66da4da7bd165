package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// stripped knows the headers a client may not give to an upstream. Whatever
// Connection lists goes too.
func stripped(name string) bool {
	switch name {
	// The browser's credentials for us are not the upstream's (BBA-7).
	case "Cookie", "Cookie2", "Authorization", "Dpop", "X-Csrf",
		// Who the client is, only we say (BBA-12).
		"Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip",
		"Fastly-Client-Ip", "X-Cluster-Client-Ip", "X-Host", "Via",
		"Remote-User", "X-Remote-User", "X-Webauth-User",
		"Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Client-Dn", // RFC 9440 §4
		// A second method or path that some frameworks prefer over the first:
		// decision and execution would differ (BBA-17, BBA-19).
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
		"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Original-Host", "X-Original-Method",
		// CGI turns "Proxy" into the variable HTTP_PROXY (httpoxy).
		"Proxy",
		// Belongs to an h2c upgrade, which is never made.
		"Http2-Settings":
		return true
	}
	for _, prefix := range [...]string{"X-Forwarded-", "Proxy-", "X-Ssl-", "Ssl-", "X-Auth-Request-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	// CGI-like upstreams read X_Forwarded_For as X-Forwarded-For.
	return strings.Contains(name, "_")
}

// request makes the upstream's request. Its trailer is left out: a recipient may
// discard it (RFC 9110 §6.5.1), and anything could hide there.
func (x *exchange) request() *http.Request {
	out := x.in.WithContext(x.hints.trace(x.ctx))
	out.URL, out.Host, out.RequestURI = x.target(), x.Upstream.Host, ""
	out.Header, out.Trailer = x.header(), nil
	out.Close, out.TLS = false, nil
	out.Body = nil // without one, the transport may send the request once more
	if x.in.ContentLength != 0 {
		body := x.in.Body
		if x.proxy.maxBody > 0 {
			body = http.MaxBytesReader(x.w, body, x.proxy.maxBody)
		}
		x.body = &clientBody{from: body, wait: &x.wait}
		out.Body = x.body
	}
	return out
}

// target is what the upstream is asked for.
func (x *exchange) target() *url.URL {
	return &url.URL{Scheme: x.Upstream.Scheme, Host: x.Upstream.Host, Path: x.path, RawQuery: plainQuery(x.in.URL.RawQuery)}
}

// header is what of the client's header goes on, and what we add. The values are
// shared with the client's: nobody alters them.
func (x *exchange) header() http.Header {
	from := x.in.Header
	h := make(http.Header, len(from)+3)
	connection := from["Connection"]
	for name, values := range from {
		if !hopByHop(name) && !stripped(name) && !listed(connection, name) {
			h[name] = values
		}
	}
	if listed(from["Te"], "trailers") {
		h["Te"] = teTrailers // an answer's trailer is passed on
	}
	if _, sent := h["User-Agent"]; !sent {
		h["User-Agent"] = noUserAgent
	}
	added := make([]string, 2)
	switch {
	case x.grant.Access.Empty():
	case x.grant.Key.Empty():
		added[0] = "Bearer " + x.grant.Access.Reveal() // RFC 6750 §2.1
	default:
		added[0] = "DPoP " + x.grant.Access.Reveal() // RFC 9449 §7.1; send adds the proof
	}
	if added[0] != "" {
		h["Authorization"] = added[:1:1]
	}
	if added[1] = clientText(x.in, x.proxy.trusted); added[1] != "" {
		h["X-Forwarded-For"] = added[1:]
	}
	h["X-Forwarded-Host"] = x.proxy.forwardedHost
	h["X-Forwarded-Proto"] = x.proxy.forwardedProto
	return h
}

var (
	teTrailers  = []string{"trailers"}
	noUserAgent = []string{""} // else the transport names itself
)

// hopByHop knows the headers that are between two peers (RFC 9110 §7.6.1), and
// those that older peers take for such.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// listed reports whether a header whose value is a list of tokens has this one,
// ignoring case.
func listed(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// plainQuery returns a query that every parser reads alike. What parsers differ
// about (";", broken escapes) is not sent, so that the upstream sees no parameter
// that we could not have seen.
func plainQuery(query string) string {
	for i := 0; i < len(query); i++ {
		if c := query[i]; c == ';' || c == '%' && !(i+2 < len(query) && isHex(query[i+1]) && isHex(query[i+2])) {
			readable, _ := url.ParseQuery(query)
			return readable.Encode()
		}
	}
	return query
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }
