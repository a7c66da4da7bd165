package main

import (
	"fmt"

	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// kind is a row of the table.
type kind struct {
	name, label string
	open        func(w *world, s *servers.Stage, name string) *front
}

// front is a server that stands before the upstream.
type front struct {
	addr    string
	server  *servers.Process
	store   *servers.Process // what its sessions are in; nil when that is itself
	version string
	calls   []*call // one a connection
	// fresh makes calls whose sessions the front has not seen yet; nil means that
	// it always gets the same.
	fresh func(n int) ([]*call, error)
}

// kinds are in the order of the table.
var kinds = []kind{
	{"memory", ours + ", memory", cloakroomOn(memorySession)},
	{"redis", ours + ", Redis, asked every time", cloakroomOn(redisSession)},
	{"redis-near", ours + ", Redis with near cache", cloakroomOn(nearSession)},
	{"jwe", ours + ", sealed cookie `jwe`, seen before", cloakroomOn(jweSession)},
	{"jwe-first", ours + ", sealed cookie `jwe`, first sight", openFirstSight},
	{"oauth2-proxy-redis", "oauth2-proxy, Redis", openOAuth2Proxy(true)},
	{"oauth2-proxy-cookie", "oauth2-proxy, cookie", openOAuth2Proxy(false)},
	{"oidc-shm", "Apache, mod_auth_openidc, shm", openApache("shm")},
	{"oidc-redis", "Apache, mod_auth_openidc, Redis", openApache("redis")},
	{"oidc-cookie", "Apache, mod_auth_openidc, cookie", openApache("cookie")},
	{"nginx", "nginx" + plainLabel, openNginx},
	{"haproxy", "HAProxy" + plainLabel, openHAProxy},
}

// yardstick is what the others are compared with.
var yardstick = kind{bareName, "`httputil.ReverseProxy`" + plainLabel, openBare}

const (
	bareName    = "bare"
	plainLabel  = ", plain proxy"
	ours        = "**Cloakroom**"
	connections = 64
	userAgent   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	callPath    = "/api/orders?limit=20"
)

// request is what Chromium sends for a page's fetch.
func (w *world) request(name, extra string) []byte {
	return fmt.Appendf(nil, "GET "+callPath+" HTTP/1.1\r\nHost: %[1]s\r\nConnection: keep-alive\r\nsec-ch-ua-platform: \"Linux\"\r\n"+shared.HeaderCSRF+": "+shared.ValueCSRF+"\r\n"+
		"User-Agent: "+userAgent+"\r\nsec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nAccept: */*\r\n"+
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: http://%[1]s/\r\n"+
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n%[2]s\r\n\r\n", w.host(name), extra)
}

// signedIn makes a call a connection, each of a session of its own, by signing in
// at the front, whose path for that is begin.
func (w *world) signedIn(s *servers.Stage, name, begin string) []*call {
	calls := make([]*call, connections)
	for i := range calls {
		calls[i] = w.signIn(s, name, begin)
	}
	return calls
}

func (w *world) signIn(s *servers.Stage, name, begin string) *call {
	cookies, err := w.person.signIn(w.ctx, w.origin(name)+begin, w.origin(name)+callPath, nil)
	if err != nil {
		s.Fatalf("sign in: %v", err)
	}
	token, _ := w.provider.given()
	return &call{w.request(name, "Cookie: "+cookies), w.upstream.expect(token)}
}

// bearers makes a call a connection, each with an access token in it already, for
// proxies that know no sessions. The tokens come from sign-ins elsewhere.
func (w *world) bearers(name string, tokens []string) []*call {
	calls := make([]*call, connections)
	for i := range calls {
		token := tokens[i%len(tokens)]
		calls[i] = &call{w.request(name, "Authorization: Bearer "+token), w.upstream.expect(token)}
	}
	return calls
}
