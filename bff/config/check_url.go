package config

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

func (d *decoder) checkPublicURL(c *Config) {
	const key = "public_url"
	if c.PublicURL == nil {
		return
	}
	u := c.PublicURL
	if !d.checkHost(key, u) {
		return
	}
	switch {
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery:
		d.fail(key, "must be an origin: scheme and host, with nothing after them, not even a slash")
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !c.InsecureHTTP:
		d.fail(key, "must be https; plain http is for localhost and loopback addresses, unless insecure_http is on")
	}
	c.PublicURL = &url.URL{Scheme: u.Scheme, Host: canonicalHost(u)}
}

// checkIssuer keeps to OIDC Discovery §3: https, no query, no fragment.
func (d *decoder) checkIssuer(issuer string, insecureHTTP bool) {
	const key = "provider.issuer"
	if issuer == "" {
		return
	}
	u, err := url.Parse(issuer)
	if err != nil {
		d.fail(key, "must be an absolute URL")
		return
	}
	if !d.checkHost(key, u) {
		return
	}
	switch {
	case strings.ContainsAny(issuer, "?#"):
		d.fail(key, "must have neither query nor fragment (OIDC Discovery §3)")
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !insecureHTTP:
		d.fail(key, "must be https; plain http is for localhost and loopback addresses, unless insecure_http is on")
	}
}

// checkHost wants an absolute http or https URL with a usable host and neither
// user nor fragment.
func (d *decoder) checkHost(key string, u *url.URL) bool {
	host := u.Hostname()
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || host == "" || u.Opaque != "":
		d.fail(key, "must be an absolute http or https URL")
	case u.User != nil:
		d.fail(key, "must not hold a user or password")
	case u.Fragment != "":
		d.fail(key, "must have no fragment")
	case !isHostName(host):
		d.fail(key, "must name its host in ASCII letters, digits, hyphens and dots (internationalised names as xn--), or as an address")
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && (err != nil || port == 0):
		d.fail(key, "must have a port from 1 to 65535, or none")
	default:
		return true
	}
	return false
}

func isHostName(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	return !strings.ContainsFunc(host, func(c rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", c)
	})
}

// canonicalHost is the host as browsers write it: lower-case, without the
// scheme's own port (WHATWG URL §4.2).
func canonicalHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// isLoopback tells hosts whose traffic stays on the machine (RFC 6761 §6.3).
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// proxiedMethods may be routed. OPTIONS is not among them: no preflight is
// ever approved (BBA-30); TRACE would show an upstream's headers.
var proxiedMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
}

func (d *decoder) checkRoutes(c *Config) {
	routes := c.API
	for i, r := range routes {
		key := "api[" + strconv.Itoa(i) + "]"
		if r.Path != "" {
			d.checkRoutePath(key+".path", r.Path, routes[:i])
		}
		if r.Upstream != nil {
			d.checkUpstream(key+".upstream", r.Upstream)
		}
		d.checkMethods(key+".methods", r.Methods)
		d.checkRouteToken(key, r, c.Provider.Scopes)
	}
	d.checkOwnToken(c)
}

// checkRoutePath lets only paths through that can be read in one way.
func (d *decoder) checkRoutePath(key, p string, earlier []Route) {
	lower := strings.ToLower(p)
	switch {
	case !strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/"):
		d.fail(key, "must start and end with a slash")
	case p == "/":
		d.fail(key, "would leave nothing to the SPA")
	case path.Clean(p)+"/" != p:
		d.fail(key, "must be canonical: no //, /./ or /../")
	case strings.ContainsFunc(p, notPlainInPath):
		d.fail(key, "must hold only letters, digits and - . _ ~ between its slashes")
	case strings.HasPrefix(lower, "/bff/") || strings.HasPrefix(lower, "/web/"):
		d.fail(key, "must not lie under /bff/ or /web/, which are not the proxy's")
	}
	for _, other := range earlier {
		switch {
		case other.Path == p:
			d.fail(key, "is the path of an earlier route")
		case strings.EqualFold(other.Path, p):
			d.fail(key, "differs from the path of an earlier route only in case")
		}
	}
}

func notPlainInPath(c rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/", c)
}

func (d *decoder) checkUpstream(key string, u *url.URL) {
	if !d.checkHost(key, u) {
		return
	}
	switch {
	case u.RawQuery != "" || u.ForceQuery:
		d.fail(key, "must have no query")
	case !strings.HasSuffix(u.Path, "/"):
		d.fail(key, "must end with a slash")
	case u.Path != "/" && path.Clean(u.Path)+"/" != u.Path || strings.ContainsFunc(u.EscapedPath(), notPlainInPath):
		d.fail(key, "must have a canonical path of letters, digits and - . _ ~")
	}
}

func (d *decoder) checkMethods(key string, methods []string) {
	if d.ok(key) && len(methods) == 0 && d.ok(key[:strings.LastIndexByte(key, '.')]) {
		d.fail(key, "must list a method, or be left out")
	}
	for i, m := range methods {
		element := key + "[" + strconv.Itoa(i) + "]"
		switch {
		case m == "": // reported
		case !slices.Contains(proxiedMethods, m):
			d.fail(element, "must be one of: "+strings.Join(proxiedMethods, ", "))
		case slices.Index(methods, m) < i:
			d.fail(element, "is listed twice")
		}
	}
}

func (d *decoder) checkDevServer(u *url.URL) {
	const key = "spa.dev_server"
	if !d.checkHost(key, u) {
		return
	}
	switch {
	case u.Scheme != "http" || !isLoopback(u.Hostname()):
		d.fail(key, "must be http on a loopback host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery:
		d.fail(key, "must be an origin: scheme and host, with nothing after them")
	}
}
