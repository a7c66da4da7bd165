package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// relocate maps an address in the answer to the one the browser knows it
// under, and drops it when there is none:
//
//   - below Upstream: the same below Path;
//   - elsewhere on the upstream's host: dropped. The name is internal, and the
//     path would mean something else on our origin;
//   - on our origin: kept below Path, else dropped. A redirect of a fetch keeps
//     its X-CSRF header, so an upstream could choose any call of ours;
//   - on another host: kept.
func (x *exchange) relocate(h http.Header, name string) {
	values := h[name]
	if len(values) == 0 {
		return
	}
	delete(h, name)
	if len(values) > 1 {
		return
	}
	ref, err := url.Parse(values[0])
	if err != nil {
		return
	}
	// Relative to what was asked for (RFC 9110 §10.2.2).
	base := &url.URL{Scheme: x.Upstream.Scheme, Host: x.Upstream.Host, Path: x.path}
	to := base.ResolveReference(ref)
	if to.Host == "" || to.User != nil || to.Opaque != "" || (to.Scheme != "http" && to.Scheme != "https") {
		return
	}
	prefix := ""
	switch {
	case sameOrigin(to, x.Upstream):
		prefix = x.Upstream.Path
	case sameOrigin(to, x.proxy.origin):
		prefix = x.Path
	case strings.EqualFold(to.Hostname(), x.Upstream.Hostname()):
		return // another port of an internal host
	default:
		h[name] = []string{to.String()}
		return
	}
	path, err := x.proxy.checkPath(&url.URL{Path: to.Path, RawPath: to.RawPath})
	if err != nil {
		return
	}
	if rest, below := strings.CutPrefix(path, prefix); below {
		local := url.URL{Path: x.Path + rest, RawQuery: to.RawQuery, Fragment: to.Fragment, RawFragment: to.RawFragment}
		h[name] = []string{local.String()}
	}
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
