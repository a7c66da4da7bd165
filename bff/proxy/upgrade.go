package proxy

import (
	"net/http"
	"net/http/httputil"
	"strings"
)

// upgrade opens a WebSocket. Two connections that were taken over are httputil's
// to join: that is rare, and its care is not worth repeating. The exchange is
// the hooks of its own ReverseProxy, so that what belongs to one request is
// passed by no side channel.
func (x *exchange) upgrade() {
	x.conn = &switchedConn{ResponseWriter: x.w}
	joined := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x,
		ModifyResponse: x.receive,
		ErrorHandler:   x.fail,
		BufferPool:     &x.proxy.buffers,
		ErrorLog:       x.proxy.streamLog,
	}
	joined.ServeHTTP(x.conn, x.in)
}

// rewrite makes the upstream's request.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.URL, out.Host, out.Trailer = x.target(), x.Upstream.Host, nil
	out.Header = x.header()
	out.Header["Connection"], out.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
}

// RoundTrip implements http.RoundTripper. The context is ours: that of
// ReverseProxy has a trace which would wipe our headers from the answer when the
// upstream sends an informational one.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	return x.roundTrip(out.WithContext(x.hints.trace(x.ctx)))
}

// isWebSocket recognises an opening handshake (RFC 6455 §4.1), which is a GET
// without a body.
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ContentLength == 0 && switchesToWebSocket(r.Header)
}

// switchesToWebSocket reads the same in a request and in the answer of 101.
func switchesToWebSocket(h http.Header) bool {
	upgrade := h["Upgrade"]
	return len(upgrade) > 0 && strings.EqualFold(upgrade[0], "websocket") && listed(h["Connection"], "upgrade")
}
