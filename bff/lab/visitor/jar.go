package visitor

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"cloakroom/shared"
)

// jar keeps cookies by host name, as browsers do, whatever the scheme: on
// loopback they take Secure ones without TLS too (Secure Contexts §3.1).
type jar struct {
	mu    sync.Mutex
	hosts map[string][]*http.Cookie
	// keeps the session's cookies when they are taken back: what a person
	// would have who copied them before.
	keeps bool
}

var _ http.CookieJar = (*jar)(nil)

func newJar() *jar { return &jar{hosts: map[string][]*http.Cookie{}} }

func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Name == shared.CookieName && gone(c) })
	for _, c := range cookies {
		if taken && j.keeps && ofSession(c.Name) {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(j.hosts[u.Hostname()]), func(old *http.Cookie) bool { return old.Name == c.Name })
		if !gone(c) {
			kept = append(kept, &http.Cookie{Name: c.Name, Value: c.Value})
		}
		j.hosts[u.Hostname()] = kept
	}
}

func gone(c *http.Cookie) bool { return c.MaxAge < 0 || c.Value == "" }

// ofSession reports whether a cookie is the session's, or a part of it, and not of
// a sign-in under way.
func ofSession(name string) bool {
	rest, ok := strings.CutPrefix(name, shared.CookieName)
	return ok && !strings.HasPrefix(rest, "-login-")
}

func (j *jar) Cookies(u *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.hosts[u.Hostname()])
}

// drop forgets what a host gave.
func (j *jar) drop(host string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.hosts, host)
}

// copy is another jar with the same cookies, which keeps them.
func (j *jar) copy() *jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	made := newJar()
	made.keeps = true
	for host, cookies := range j.hosts {
		made.hosts[host] = slices.Clone(cookies)
	}
	return made
}
