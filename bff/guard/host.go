package guard

import (
	"net/http"
	"net/url"
	"strings"

	"cloakroom/shared/problem"
)

// CheckHost refuses a request for any host but the public one: a page that
// rebinds its DNS name to us, a cache or a link that was poisoned with another
// name. Forwarded hosts are not looked at; our own name is configured.
func (g *Guard) CheckHost(r *http.Request) error {
	for _, host := range g.hosts {
		// Equal length keeps letters out that only fold to ASCII.
		if len(r.Host) == len(host) && strings.EqualFold(r.Host, host) {
			return nil
		}
	}
	return refuse(problem.HostUnknown, "")
}

// Hosts lets only requests for the public host reach next. More than one Host
// line is refused by net/http before us (RFC 9112 §3.2).
func (g *Guard) Hosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.CheckHost(r); err != nil {
			g.respond.Error(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostSpellings lists the ways to write the canonical origin's host: a default
// port may be named or left out.
func hostSpellings(u *url.URL) []string {
	if u.Port() != "" {
		return []string{u.Host}
	}
	return []string{u.Host, u.Host + ":" + defaultPort(u.Scheme)}
}
