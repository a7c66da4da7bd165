package config

import (
	"crypto/tls"
	"encoding/base64"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloakroom/bff/secret"
)

// check applies the rules that need more than one value's type. An empty value
// that is required has been reported already, so rules pass over it.
func (d *decoder) check(c *Config) {
	d.checkPublicURL(c)
	d.checkListeners(c)
	if d.ok("drain_delay") && c.DrainDelay > time.Minute {
		d.fail("drain_delay", "must be at most 1m")
	}
	d.checkTLS(c.TLS)
	d.checkProvider(c)
	d.checkSession(&c.Session)
	d.checkRoutes(c)
	d.checkSPA(c.SPA)
}

func (d *decoder) checkListeners(c *Config) {
	d.checkAddress("listen", c.Listen)
	d.checkAddress("admin_listen", c.AdminListen)
	if !d.ok("listen", "admin_listen") {
		return
	}
	host, port, _ := net.SplitHostPort(c.Listen)
	adminHost, adminPort, _ := net.SplitHostPort(c.AdminListen)
	overlap := host == adminHost || isWildcard(host) || isWildcard(adminHost)
	if port == adminPort && port != "0" && overlap {
		d.fail("admin_listen", "must differ from listen")
	}
}

// checkAddress wants host:port with a number. Port 0 lets the system choose.
func (d *decoder) checkAddress(key, address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		d.fail(key, "must be host:port, as 127.0.0.1:8080 or [::1]:8080")
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		d.fail(key, "must end in a port number from 0 to 65535")
	}
	if strings.ContainsAny(host, " /@") {
		d.fail(key, "must start with an address or a host name")
	}
}

func isWildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func (d *decoder) checkTLS(t TLS) {
	switch {
	case t.CertFile == "" && t.KeyFile == "":
		return
	case t.CertFile == "":
		d.fail("tls.cert_file", "is required beside key_file")
		return
	case t.KeyFile == "":
		d.fail("tls.key_file", "is required beside cert_file")
		return
	}
	cert, err := readNamed(t.CertFile)
	if err != nil {
		d.fail("tls.cert_file", err.Error())
	}
	key, err := readNamed(t.KeyFile)
	if err != nil {
		d.fail("tls.key_file", err.Error())
	}
	if !d.ok("tls.cert_file", "tls.key_file") {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		d.fail("tls.cert_file", "is no certificate in PEM that fits key_file")
	}
}

// minSessionBytes is the least that store memory can work with.
const minSessionBytes = 1 << 20

func (d *decoder) checkSession(s *Session) {
	if d.ok("session", "session.max_bytes") && s.MaxBytes < minSessionBytes {
		d.fail("session.max_bytes", "must be at least 1MiB")
	}
	if !d.ok("session") {
		return
	}
	if d.ok("session.idle_timeout") && s.IdleTimeout < time.Second {
		d.fail("session.idle_timeout", "must be at least 1s")
	}
	if d.ok("session.idle_timeout", "session.absolute_timeout") && s.IdleTimeout > s.AbsoluteTimeout {
		d.fail("session.idle_timeout", "must not be longer than session.absolute_timeout")
	}
	if d.ok("session.store", "session.url") {
		d.checkStore(s)
	}
	for i := range s.Keys {
		d.checkKey(s.Keys, i)
	}
}

// checkStore checks what belongs to one kind of store only. The form of a URL
// is its store's business.
func (d *decoder) checkStore(s *Session) {
	switch {
	case (s.Store == StoreMemory || s.Store == StoreCookie) && !s.URL.Empty():
		d.fail("session.url", "is not for store "+s.Store)
	case s.Store == StoreNATS && s.URL.Empty() == (s.Cluster.Listen == ""):
		d.fail("session.url", "or session.cluster.listen is required for store nats, and not both")
	case s.Store != StoreMemory && s.Store != StoreCookie && s.Store != StoreNATS && s.URL.Empty():
		d.fail("session.url", "is required for store "+s.Store)
	case s.Store != StoreNATS && s.Cluster.Listen != "":
		d.fail("session.cluster.listen", "is for store nats")
	}
	d.checkCookies(s)
	if !d.ok("session.near_cache", "session.near_cache.size", "session.near_cache.max_age") || s.NearCache.Size == 0 {
		return
	}
	switch {
	case !s.SharedStore():
		d.fail("session.near_cache.size", "is for stores that instances share")
	case s.NearCache.Size < minSessionBytes:
		d.fail("session.near_cache.size", "must be at least 1MiB, or 0")
	case s.NearCache.MaxAge <= 0 || s.NearCache.MaxAge > maxCopyAge:
		d.fail("session.near_cache.max_age", "must be more than 0 and at most 1m")
	}
}

// The least and most that the cookies of a session may take, in bytes: one
// cookie, and what leaves room in a request's header for everything else.
const minCookieBytes, maxCookieBytes = 1 << 10, 24 << 10

// checkCookies checks what belongs to store cookie.
func (d *decoder) checkCookies(s *Session) {
	sealed := s.Store == StoreCookie
	switch {
	case sealed && s.CookieFormat == "jws" && !s.InsecureReadableTokens:
		d.fail("session.cookie_format", "jws would show the tokens to whoever reads the cookie: choose another, or set session.insecure_readable_tokens")
	case sealed && d.ok("session.cookie_max_bytes") && (s.CookieMaxBytes < minCookieBytes || s.CookieMaxBytes > maxCookieBytes):
		d.fail("session.cookie_max_bytes", "must be from 1KiB to 24KiB")
	}
	if !d.ok("session.denylist", "session.denylist.store") {
		return
	}
	switch {
	case s.Denylist.Store == StoreNone && !s.Denylist.URL.Empty():
		d.fail("session.denylist.store", "is required beside url")
	case s.Denylist.Store != StoreNone && !sealed:
		d.fail("session.denylist.store", "is for store cookie")
	case s.Denylist.Store != StoreNone && s.Denylist.URL.Empty():
		d.fail("session.denylist.url", "is required beside store")
	}
}

// maxCopyAge bounds how long a sign-out can go unseen.
const maxCopyAge = time.Minute

var keyID = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// minKeyBytes is the least a key of the ring may hold.
const minKeyBytes = 32

// checkKey checks one key and replaces the base64 in it by what it stands for.
func (d *decoder) checkKey(keys []Key, i int) {
	path := "session.keys[" + strconv.Itoa(i) + "]"
	key := &keys[i]
	if key.ID != "" && !keyID.MatchString(key.ID) {
		d.fail(path+".id", "must be 1 to 32 of a-z, 0-9 and hyphen")
	}
	if key.ID != "" && slices.ContainsFunc(keys[:i], func(k Key) bool { return k.ID == key.ID }) {
		d.fail(path+".id", "is the id of an earlier key")
	}
	if key.Secret.Empty() {
		return
	}
	raw, ok := decodeBase64(key.Secret.Reveal())
	switch {
	case !ok:
		d.fail(path+".secret", "must be base64: standard, or URL-safe without padding")
	case len(raw) < minKeyBytes:
		d.fail(path+".secret", "must stand for at least 32 bytes")
	}
	key.Secret = secret.New(string(raw))
}

func decodeBase64(text string) ([]byte, bool) {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding.Strict(), base64.RawURLEncoding.Strict()} {
		// The decoder skips line ends; a key has none.
		if raw, err := encoding.DecodeString(text); err == nil && !strings.ContainsAny(text, "\r\n") {
			return raw, true
		}
	}
	return nil, false
}

func (d *decoder) checkSPA(s SPA) {
	if s.Dir != "" {
		info, err := os.Stat(s.Dir)
		switch {
		case err != nil:
			d.fail("spa.dir", reason(err).Error())
		case !info.IsDir():
			d.fail("spa.dir", "is not a folder")
		}
	}
	if s.DevServer != nil {
		d.checkDevServer(s.DevServer)
	}
	if s.Dir != "" && s.DevServer != nil {
		d.fail("spa.dev_server", "is given beside dir; give one of them")
	}
}
