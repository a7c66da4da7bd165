package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloakroom/bff/config"
)

// Each row breaks one property of good and expects exactly one problem.
func TestOneBrokenPropertyIsOneProblemAtItsLine(t *testing.T) {
	const methods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	const onlyHTTPS = "must be https; plain http is for localhost and loopback addresses, unless insecure_http is on"
	const hostName = "must name its host in ASCII letters, digits, hyphens and dots (internationalised names as xn--), or as an address"
	const address = "must be host:port, as 127.0.0.1:8080 or [::1]:8080"
	const duration = "must be a duration with its unit, as 30s, 15m or 12h"
	const cidr = "must be a CIDR, as 10.0.0.0/8; a single address takes /32 or /128"
	const origin = "must be an origin: scheme and host, with nothing after them"
	const stores = "memory, file, redis, memcached, postgres, mysql, sqlite, nats, mongodb, cookie"
	const size = "must be a number of bytes, plain or with KiB, MiB or GiB"
	certificate, privateKey := certificatePair(t)
	for _, row := range []struct{ name, old, new, want string }{
		{"public_url is missing", "public_url: https://app.example.com", "# none", ": public_url: is required"},
		{"public_url is empty", "https://app.example.com", `""`, ":1: public_url: must not be empty"},
		{"public_url has no value", " https://app.example.com", "", `:1: public_url: has no value; write "" for an empty one`},
		{"public_url is a list", "https://app.example.com", "[a]", ":1: public_url: must be a single value"},
		{"public_url is no URL", "https://app.example.com", `"http://%zz"`, ":1: public_url: must be an absolute URL"},
		{"public_url has no scheme", "https://app", "app", ":1: public_url: must be an absolute http or https URL"},
		{"public_url has another scheme", "https://app", "ftp://app", ":1: public_url: must be an absolute http or https URL"},
		{"public_url is plain http", "https://app", "http://app", ":1: public_url: " + onlyHTTPS},
		{"public_url is http on a name that only starts like localhost", "https://app.example.com", "http://localhost.example.com", ":1: public_url: " + onlyHTTPS},
		{"public_url has a slash", "app.example.com", "app.example.com/", ":1: public_url: " + origin + ", not even a slash"},
		{"public_url has a query", "app.example.com", "app.example.com?a=b", ":1: public_url: " + origin + ", not even a slash"},
		{"public_url has a fragment", "app.example.com", `"https://app.example.com#x"`, ":1: public_url: must have no fragment"},
		{"public_url has a user", "app.example.com", "u:p@app.example.com", ":1: public_url: must not hold a user or password"},
		{"public_url has an empty port", "https://app.example.com", `"https://app.example.com:"`, ":1: public_url: must have a port from 1 to 65535, or none"},
		{"public_url has port 0", "app.example.com", "app.example.com:0", ":1: public_url: must have a port from 1 to 65535, or none"},
		{"public_url has a port out of range", "app.example.com", "app.example.com:65536", ":1: public_url: must have a port from 1 to 65535, or none"},
		{"public_url is not ASCII", "app.example.com", "äpp.example.com", ":1: public_url: " + hostName},
		{"public_url has a wildcard", "app.example.com", "a*.example.com", ":1: public_url: " + hostName},

		{"listen has no port", "127.0.0.1:8080", "127.0.0.1", ":2: listen: " + address},
		{"listen has a named port", "127.0.0.1:8080", "127.0.0.1:http", ":2: listen: must end in a port number from 0 to 65535"},
		{"listen is a URL", "127.0.0.1:8080", "http//x:80", ":2: listen: must start with an address or a host name"},
		{"listen is empty", "127.0.0.1:8080", `""`, ":2: listen: must not be empty"},
		{"admin_listen is empty", "127.0.0.1:9090", `""`, ":3: admin_listen: must not be empty"},
		{"admin_listen is listen", "127.0.0.1:9090", "127.0.0.1:8080", ":3: admin_listen: must differ from listen"},
		{"admin_listen covers listen", "127.0.0.1:9090", "0.0.0.0:8080", ":3: admin_listen: must differ from listen"},
		{"insecure_http is not a bool", "log:", "insecure_http: yes\nlog:", ":24: insecure_http: must be true or false"},

		{"a proxy is a bare address", "10.0.0.0/8", "10.0.0.1", ":4: trusted_proxies[0]: " + cidr},
		{"a proxy has host bits", "10.0.0.0/8", "10.0.0.1/8", ":4: trusted_proxies[0]: has address bits beyond its length"},
		{"a proxy is everyone", "10.0.0.0/8", "0.0.0.0/0", ":4: trusted_proxies[0]: would trust every peer"},
		{"a proxy is a mapped address", "10.0.0.0/8", "'::ffff:10.0.0.0/104'", ":4: trusted_proxies[0]: must be written as an IPv4 CIDR"},
		{"proxies are no list", "[10.0.0.0/8]", "10.0.0.0/8", ":4: trusted_proxies: must be a list"},

		{"tls has no key", "log:", "tls: {cert_file: x}\nlog:", ":24: tls.key_file: is required beside cert_file"},
		{"tls has no certificate", "log:", "tls: {key_file: x}\nlog:", ":24: tls.cert_file: is required beside key_file"},

		{"issuer is missing", "  issuer: https://idp.example.com\n", "", ":5: provider.issuer: is required"},
		{"issuer is plain http", "https://idp", "http://idp", ":6: provider.issuer: " + onlyHTTPS},
		{"issuer has a query", "idp.example.com", "idp.example.com?x", ":6: provider.issuer: must have neither query nor fragment (OIDC Discovery §3)"},
		{"issuer has a user", "idp.example.com", "u@idp.example.com", ":6: provider.issuer: must not hold a user or password"},
		{"client_id is empty", "client_id: app", `client_id: ""`, ":7: provider.client_id: must not be empty"},
		{"client_id is not ASCII", "client_id: app", "client_id: äpp", ":7: provider.client_id: must be printable ASCII (RFC 6749 appendix A.1)"},
		{"client_secret is empty", "hunter2-HUNTER2", `""`, ":8: provider.client_secret: must not be empty"},
		{"client_secret is missing", "  client_secret: hunter2-HUNTER2\n", "", ":5: provider.client_secret: is required, or client_secret_file"},
		{"client_secret is given twice over", "hunter2-HUNTER2", "s\n  client_secret_file: f", ":9: provider.client_secret_file: is given beside client_secret; give one of them"},
		{"client_secret is not ASCII", "hunter2", "hünter2", ":8: provider.client_secret: must be one line of printable ASCII (RFC 6749 appendix A.2)"},
		{"client_auth is unknown", "client_secret_post", "magic", ":9: provider.client_auth: must be one of: client_secret_basic, client_secret_post, private_key_jwt"},
		{"a client key is missing", "client_secret: hunter2-HUNTER2\n  client_auth: client_secret_post", "client_auth: private_key_jwt", ":5: provider.client_key: is required, or client_key_file"},
		{"a client key is empty", "client_secret: hunter2-HUNTER2\n  client_auth: client_secret_post", "client_key: ''\n  client_auth: private_key_jwt", ":8: provider.client_key: must not be empty"},
		{"a client key is none", "client_secret: hunter2-HUNTER2\n  client_auth: client_secret_post", "client_key: hunter2-HUNTER2\n  client_auth: private_key_jwt", ":8: provider.client_key: is neither a private key in PEM nor a JWK"},
		{"a client key is a certificate", "client_secret: hunter2-HUNTER2\n  client_auth: client_secret_post", "client_key_file: " + certificate + "\n  client_auth: private_key_jwt", ":8: provider.client_key: is neither a private key in PEM nor a JWK"},
		{"a client key beside a secret method", "client_auth: client_secret_post", "client_key_file: " + privateKey + "", ":9: provider.client_key: is for client_auth private_key_jwt"},
		{"a key ID beside a secret method", "client_auth: client_secret_post", "client_key_id: k-1", ":9: provider.client_key_id: is for client_auth private_key_jwt"},
		{"a secret beside a client key", "client_auth: client_secret_post", "client_auth: private_key_jwt\n  client_key_file: " + privateKey + "", ":8: provider.client_secret: is not for client_auth private_key_jwt"},
		{"a resource is a path", "  scopes:", "  resource: [/v1]\n  scopes:", ":10: provider.resource[0]: must be an absolute URI without fragment (RFC 8707 §2)"},
		{"a resource has a fragment", "  scopes:", "  resource: ['https://api.example.com#x']\n  scopes:", ":10: provider.resource[0]: must be an absolute URI without fragment (RFC 8707 §2)"},
		{"a resource is twice", "  scopes:", "  resource: ['urn:a', 'urn:a']\n  scopes:", ":10: provider.resource[1]: is listed twice"},
		{"par is unknown", "  scopes:", "  par: always\n  scopes:", ":10: provider.par: must be one of: auto, require, off"},
		{"dpop is not a bool", "  scopes:", "  dpop: ES256\n  scopes:", ":10: provider.dpop: must be true or false"},
		{"userinfo is not a bool", "  scopes:", "  userinfo: yes\n  scopes:", ":10: provider.userinfo: must be true or false"},
		{"id_token_alg is shared", "  scopes:", "  id_token_alg: HS256\n  scopes:", ":10: provider.id_token_alg: must be one of: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"},
		{"the provider's timeout is tiny", "  scopes:", "  timeout: 999ms\n  scopes:", ":10: provider.timeout: must be from 1s to 1m"},
		{"a drain never begins", "provider:", "drain_delay: 61s\nprovider:", ":5: drain_delay: must be at most 1m"},
		{"a drain begins too soon", "provider:", "drain_delay: -1s\nprovider:", ":5: drain_delay: must be longer than zero"},
		{"the provider's timeout is long", "  scopes:", "  timeout: 61s\n  scopes:", ":10: provider.timeout: must be from 1s to 1m"},
		{"scopes lack openid", "[openid, orders]", "[orders]", ":10: provider.scopes: must contain openid (OIDC Core §3.1.2.1)"},
		{"a scope is twice", "[openid, orders]", "[openid, openid]", ":10: provider.scopes[1]: is listed twice"},
		{"a scope has a space", "[openid, orders]", "[openid, a b]", ":10: provider.scopes[1]: must be printable ASCII without space, quote or backslash (RFC 6749 §3.3)"},

		{"store is unknown", "store: memory", "store: magic", ":12: session.store: must be one of: " + stores},
		{"store redis has no url", "store: memory", "store: redis", ":11: session.url: is required for store redis"},
		{"store memory has a url", "store: memory", "url: x", ":12: session.url: is not for store memory"},
		{"store nats has neither url nor cluster", "store: memory", "store: nats", ":11: session.url: or session.cluster.listen is required for store nats, and not both"},
		{"store nats has url and cluster", "store: memory", "store: nats\n  url: nats://h\n  cluster: {listen: 'h:1'}", ":13: session.url: or session.cluster.listen is required for store nats, and not both"},
		{"a cluster for memory", "store: memory", "cluster: {listen: 'h:1'}", ":12: session.cluster.listen: is for store nats"},
		{"a near cache before memory", "store: memory", "near_cache: {size: 1MiB}", ":12: session.near_cache.size: is for stores that instances share"},
		{"a near cache that is too small", "store: memory", "store: redis\n  url: redis://h\n  near_cache: {size: 1KiB}", ":14: session.near_cache.size: must be at least 1MiB, or 0"},
		{"a near cache that never asks", "store: memory", "store: redis\n  url: redis://h\n  near_cache: {size: 1MiB, max_age: 2m}", ":14: session.near_cache.max_age: must be more than 0 and at most 1m"},
		{"max_bytes is too small", "64MiB", "1023KiB", ":13: session.max_bytes: must be at least 1MiB"},
		{"max_bytes has another unit", "64MiB", "64MB", ":13: session.max_bytes: " + size},
		{"max_bytes is negative", "64MiB", "-64MiB", ":13: session.max_bytes: " + size},
		{"max_bytes overflows", "64MiB", "4611686018427387903GiB", ":13: session.max_bytes: is too large"},
		{"idle_timeout has no unit", "15m", "30", ":14: session.idle_timeout: " + duration},
		{"idle_timeout is zero", "15m", "0s", ":14: session.idle_timeout: must be longer than zero"},
		{"idle_timeout is tiny", "15m", "1ms", ":14: session.idle_timeout: must be at least 1s"},
		{"idle_timeout outlives absolute_timeout", "15m", "9h", ":14: session.idle_timeout: must not be longer than session.absolute_timeout"},
		{"store cookie has a url", "store: memory", "store: cookie\n  url: x", ":13: session.url: is not for store cookie"},
		{"cookie_format is unknown", "store: memory", "store: cookie\n  cookie_format: jwt", ":13: session.cookie_format: must be one of: securecookie, jws, jwe, nested"},
		{"cookie_format shows the tokens", "store: memory", "store: cookie\n  cookie_format: jws", ":13: session.cookie_format: jws would show the tokens to whoever reads the cookie: choose another, or set session.insecure_readable_tokens"},
		{"cookie_max_bytes is small", "store: memory", "store: cookie\n  cookie_max_bytes: 1000", ":13: session.cookie_max_bytes: must be from 1KiB to 24KiB"},
		{"cookie_max_bytes is large", "store: memory", "store: cookie\n  cookie_max_bytes: 25KiB", ":13: session.cookie_max_bytes: must be from 1KiB to 24KiB"},
		{"a denylist for memory", "store: memory", "denylist: {store: redis, url: 'redis://h'}", ":12: session.denylist.store: is for store cookie"},
		{"a denylist without a url", "store: memory", "store: cookie\n  denylist: {store: redis}", ":13: session.denylist.url: is required beside store"},
		{"a denylist without a store", "store: memory", "store: cookie\n  denylist: {url: 'redis://h'}", ":13: session.denylist.store: is required beside url"},
		{"a denylist in memory", "store: memory", "store: cookie\n  denylist: {store: memory}", ":13: session.denylist.store: must be one of: none, redis, memcached, postgres, mysql, nats, mongodb"},
		{"a key has no id", "id: k-1, ", "", ":17: session.keys[0].id: is required"},
		{"a key's id has capitals", "id: k-1", "id: K-1", ":17: session.keys[0].id: must be 1 to 32 of a-z, 0-9 and hyphen"},
		{"a key's id is too long", "id: k-1", "id: " + strings.Repeat("k", 33), ":17: session.keys[0].id: must be 1 to 32 of a-z, 0-9 and hyphen"},
		{"a key's id is taken", key32 + "}", key32 + "}\n    - {id: k-1, secret: " + key32 + "}", ":18: session.keys[1].id: is the id of an earlier key"},
		{"a key is not base64", key32, "'!!!!'", ":17: session.keys[0].secret: must be base64: standard, or URL-safe without padding"},
		{"a key is short", key32, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ==", ":17: session.keys[0].secret: must stand for at least 32 bytes"},
		{"a key is no mapping", "{id: k-1, secret: " + key32 + "}", "k-1", ":17: session.keys[0]: must be a mapping of keys to values"},

		{"a path does not end with a slash", "path: /api/", "path: /api", ":19: api[0].path: must start and end with a slash"},
		{"a path does not start with a slash", "path: /api/", "path: api/", ":19: api[0].path: must start and end with a slash"},
		{"a path is everything", "path: /api/", "path: /", ":19: api[0].path: would leave nothing to the SPA"},
		{"a path has a double slash", "path: /api/", "path: /api//", ":19: api[0].path: must be canonical: no //, /./ or /../"},
		{"a path has dots", "path: /api/", "path: /x/../api/", ":19: api[0].path: must be canonical: no //, /./ or /../"},
		{"a path is escaped", "path: /api/", "path: /a%2fi/", ":19: api[0].path: must hold only letters, digits and - . _ ~ between its slashes"},
		{"a path has a wildcard", "path: /api/", `path: "/{x}/"`, ":19: api[0].path: must hold only letters, digits and - . _ ~ between its slashes"},
		{"a path is the BFF's", "path: /api/", "path: /bff/", ":19: api[0].path: must not lie under /bff/ or /web/, which are not the proxy's"},
		{"a path is under the BFF's in capitals", "path: /api/", "path: /BFF/x/", ":19: api[0].path: must not lie under /bff/ or /web/, which are not the proxy's"},
		{"a path is under /web/", "path: /api/", "path: /web/x/", ":19: api[0].path: must not lie under /bff/ or /web/, which are not the proxy's"},
		{"a path is taken", "api:\n", "api:\n  - {path: /api/, upstream: 'https://x/'}\n", ":20: api[1].path: is the path of an earlier route"},
		{"a path is taken but for case", "api:\n", "api:\n  - {path: /API/, upstream: 'https://x/'}\n", ":20: api[1].path: differs from the path of an earlier route only in case"},
		{"upstream is missing", "    upstream: https://api.internal:8443/v1/\n", "", ":19: api[0].upstream: is required"},
		{"upstream is relative", "https://api.internal:8443/v1/", "/v1/", ":20: api[0].upstream: must be an absolute http or https URL"},
		{"upstream does not end with a slash", "8443/v1/", "8443/v1", ":20: api[0].upstream: must end with a slash"},
		{"upstream has a query", "8443/v1/", "8443/v1/?a=/", ":20: api[0].upstream: must have no query"},
		{"upstream has a password", "https://api.internal", "https://u:p@api.internal", ":20: api[0].upstream: must not hold a user or password"},
		{"upstream has dots", "8443/v1/", "8443/v1/../", ":20: api[0].upstream: must have a canonical path of letters, digits and - . _ ~"},
		{"no methods", "[GET, POST]", "[]", ":21: api[0].methods: must list a method, or be left out"},
		{"a method is lower-case", "[GET, POST]", "[GET, post]", ":21: api[0].methods[1]: must be one of: " + methods},
		{"a method could approve a preflight", "[GET, POST]", "[OPTIONS]", ":21: api[0].methods[0]: must be one of: " + methods},
		{"a method is twice", "[GET, POST]", "[GET, GET]", ":21: api[0].methods[1]: is listed twice"},
		{"an API's resource is a path", "    auth:", "    resource: /v1\n    auth:", ":22: api[0].resource: must be an absolute URI without fragment (RFC 8707 §2)"},
		{"an API's scope has a quote", "    auth:", "    scopes: ['a\"b']\n    auth:", ":22: api[0].scopes[0]: must be printable ASCII without space, quote or backslash (RFC 6749 §3.3)"},
		{"an API's scope is twice", "    auth:", "    scopes: [orders, orders]\n    auth:", ":22: api[0].scopes[1]: is listed twice"},
		{"an API's scope is never granted", "    auth:", "    scopes: [orders, stock]\n    auth:", ":22: api[0].scopes[1]: is not among provider.scopes: list it there too"},
		{"a resource where no token goes", "    auth: optional", "    resource: urn:x\n    auth: none", ":22: api[0].resource: is not for auth none, which sends no token"},
		{"a resource beside the session's own token", "api:\n", "api:\n  - {path: /mail/, upstream: 'https://mail/', resource: 'urn:mail'}\n", ":5: provider.resource: is required: api[1] is sent the session's own token, which could be good for the resource of api[0] too"},
		{"scopes where no token goes", "    auth: optional", "    scopes: [orders]\n    auth: none", ":22: api[0].scopes: are not for auth none, which sends no token"},
		{"auth is unknown", "auth: optional", "auth: maybe", ":22: api[0].auth: must be one of: required, optional, none"},
		{"timeout is negative", "timeout: 5s", "timeout: -5s", ":23: api[0].timeout: must be longer than zero"},

		{"spa.dir is not there", "log:", "spa: {dir: /nowhere/at/all}\nlog:", ":24: spa.dir: cannot be read: no such file or directory"},
		{"spa.dir is a file", "log:", "spa: {dir: config_test.go}\nlog:", ":24: spa.dir: is not a folder"},
		{"spa has both", "log:", "spa: {dir: ., dev_server: 'http://localhost:5173'}\nlog:", ":24: spa.dev_server: is given beside dir; give one of them"},
		{"dev_server is elsewhere", "log:", "spa: {dev_server: 'http://dev.example.com'}\nlog:", ":24: spa.dev_server: must be http on a loopback host"},
		{"dev_server is https", "log:", "spa: {dev_server: 'https://localhost:5173'}\nlog:", ":24: spa.dev_server: must be http on a loopback host"},
		{"dev_server has a path", "log:", "spa: {dev_server: 'http://localhost:5173/x'}\nlog:", ":24: spa.dev_server: " + origin},
		{"level is unknown", "level: warn", "level: loud", ":24: log.level: must be one of: debug, info, warn, error"},
		{"format is unknown", "format: text", "format: xml", ":24: log.format: must be one of: json, text"},
		{"a section is a value", "log: {level: warn, format: text}", "log: loud", ":24: log: must be a mapping of keys to values"},
		{"a value holds a control character", "127.0.0.1:8080", `"127.0.0.1:8080\n"`, ":2: listen: holds a control character"},

		{"an unknown key is near a known one", "  idle_timeout", "  idel_timeout: 1m\n  idle_timeout", ":14: session.idel_timeout: is not a key; did you mean idle_timeout?"},
		{"a key is in the wrong section", "log:", "issuer: x\nlog:", ":24: issuer: is not a key; did you mean provider.issuer?"},
		{"an unknown key is near nothing", "log:", "zzzzzzzz: x\nlog:", ":24: zzzzzzzz: is not a key"},
		{"an unknown key in a route", "    auth:", "    retries: 3\n    auth:", ":22: api[0].retries: is not a key"},
		{"an unknown key that may be a secret", "log:", "Hunter2: x\nlog:", ":24: holds a key that is not known"},
		{"a key is given twice", "log:", "listen: 127.0.0.1:8081\nlog:", ":24: listen: is given twice"},
		{"an alias", "log:", "spa: &x {}\ntls: *x\nlog:", "\n:24: spa: has an anchor, which is not supported; quote the value if it is text that starts with &" +
			"\n:25: tls: is an alias, which is not supported; write the value out, or quote it if it is text that starts with *"},
		{"an alias without its anchor", "hunter2-HUNTER2", "*hunter2-HUNTER2", ": is not valid YAML at this line or just below: unknown alias; a value that starts with * needs quotes"},
		{"a tag", "client_id: app", "client_id: !!str app", ":7: provider.client_id: has a tag, which is not supported; quote the value if it is text that starts with !"},
		{"a key that is a list", "log:", "[a]: x\nlog:", ":24: has a key that is not plain text"},
		{"nesting without end", "log:", "tls: {cert_file: " + strings.Repeat("[", 9) + strings.Repeat("]", 9) + "}\nlog:",
			"\n:24: tls.cert_file: must be a single value\n:24: tls.cert_file[0][0][0][0][0][0][0]: is nested too deeply"},
		{"a syntax error", "log: {", "log: {{", ":23: is not valid YAML at this line or just below: did not find expected ',' or '}'"},
		{"several documents", "log:", "---\nlog:", "\n:24: holds several YAML documents; one is allowed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.Replace(good, row.old, row.new, 1)
			if text == good {
				t.Fatalf("good has no %q", row.old)
			}
			_, err := config.Parse(file, []byte(text), nil)
			if err == nil {
				t.Fatal("no problem found")
			}
			want := file + row.want
			if after, several := strings.CutPrefix(row.want, "\n"); several {
				want = file + strings.ReplaceAll(after, "\n", "\n"+file)
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(err.Error(), "hunter2-HUNTER2") || strings.Contains(err.Error(), key32) {
				t.Error("the error holds a secret")
			}
		})
	}
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"an empty file", "", ": is empty"},
		{"nothing but comments", "# listen\n", ": is empty"},
		{"an empty document", "---\n", ": is empty"},
		{"a list", "- a\n", ":1: must be a mapping of keys to values"},
		{"a file over 1 MiB", "#" + strings.Repeat(" ", 1<<20), ": is larger than 1 MiB"},
		{"bytes that are no text", "a: \xff\n", ": is not valid YAML at this line or just below: invalid leading UTF-8 octet"},
		{"brackets without end", strings.Repeat("[", 20000), ": is not valid YAML at this line or just below: exceeded max depth of 10000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := config.Parse(file, []byte(row.text), nil)
			if err == nil || err.Error() != file+row.want {
				t.Errorf("got %v, want %s", err, file+row.want)
			}
		})
	}
}

func TestEveryProblemIsReportedInOnePass(t *testing.T) {
	const text = `public_url: ftp://app
listn: 127.0.0.1:1
tls: {cert_file: a}
provider:
  issuer: http://idp.example.com
  par: always
session:
  store: cloud
  idle_timeout: never
  keys: [{secret: c2hvcnQ=}]
api:
  - {path: /bff/, upstream: nowhere}
`
	_, err := config.Parse(file, []byte(text), []string{
		"CLOAKROOM_LOG_LEVEL=loud", "CLOAKROOM_PROVIDER_DPOP=1", "CLOAKROOM_LISTN=x", "HOME=/", "CLOAKROOM_SPA={dir",
	})
	var got []string
	for _, p := range problems(t, err) {
		got = append(got, p.Error())
	}
	want := []string{
		file + ":1: public_url: must be an absolute http or https URL",
		file + ":2: listn: is not a key; did you mean listen?",
		file + ":3: tls.key_file: is required beside cert_file",
		file + ":4: provider.client_id: is required",
		file + ":4: provider.client_secret: is required, or client_secret_file",
		file + ":5: provider.issuer: must be https; plain http is for localhost and loopback addresses, unless insecure_http is on",
		file + ":6: provider.par: must be one of: auto, require, off",
		file + ":8: session.store: must be one of: memory, file, redis, memcached, postgres, mysql, sqlite, nats, mongodb, cookie",
		file + ":9: session.idle_timeout: must be a duration with its unit, as 30s, 15m or 12h",
		file + ":10: session.keys[0].id: is required",
		file + ":10: session.keys[0].secret: must stand for at least 32 bytes",
		file + ":12: api[0].path: must not lie under /bff/ or /web/, which are not the proxy's",
		file + ":12: api[0].upstream: must be an absolute http or https URL",
		"CLOAKROOM_LISTN: is not a variable of the configuration; did you mean CLOAKROOM_LISTEN?",
		"CLOAKROOM_LOG_LEVEL: log.level: must be one of: debug, info, warn, error",
		"CLOAKROOM_PROVIDER_DPOP: provider.dpop: must be true or false",
		"CLOAKROOM_SPA: is not valid YAML at this line or just below: did not find expected ',' or '}'",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	for _, row := range []struct{ name, content, want string }{
		{"one line end goes", "s3cret\n", "s3cret"},
		{"a Windows line end goes", "s3cret\r\n", "s3cret"},
		{"no line end is fine", "s3cret", "s3cret"},
		{"spaces stay", " s3cret \n", " s3cret "},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := write(t, "secret", row.content)
			c := parse(t, strings.Replace(good, "client_secret: hunter2-HUNTER2", "client_secret_file: "+path, 1))
			if got := c.Provider.ClientSecret.Reveal(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	for _, row := range []struct{ name, path, want string }{
		{"a file that is not there", filepath.Join(dir, "none"), "client_secret_file: cannot be read: no such file or directory"},
		{"an empty file", write(t, "empty", ""), "client_secret_file: names a file that is empty"},
		{"a file of one line end", write(t, "newline", "\n"), "client_secret: must not be empty"},
		{"a file of two lines", write(t, "two", "a\nb\n"), "client_secret: must be one line of printable ASCII (RFC 6749 appendix A.2)"},
		{"a folder", dir, "client_secret_file: is not a regular file"},
		{"a device", os.DevNull, "client_secret_file: is not a regular file"},
		{"a file over 1 MiB", write(t, "large", strings.Repeat("x", 1<<20+1)), "client_secret_file: is larger than 1 MiB"},
		{"no name", `""`, "client_secret_file: cannot be read: no such file or directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.Replace(good, "client_secret: hunter2-HUNTER2", "client_secret_file: "+row.path, 1)
			_, err := config.Parse(file, []byte(text), nil)
			if want := file + ":8: provider." + row.want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	keyFile := write(t, "key", key32+"\n")
	c := parse(t, strings.Replace(good, "secret: "+key32, "secret_file: "+keyFile, 1))
	if got := c.Session.Keys[0].Secret.Reveal(); got != "0123456789abcdef0123456789abcdef" {
		t.Errorf("key ring from a file: %q", got)
	}
}

func TestLoadReadsTheFile(t *testing.T) {
	path := write(t, "cloakroom.yaml", good)
	if _, err := config.Load(path, nil); err != nil {
		t.Error(err)
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	_, err := config.Load(missing, []string{"CLOAKROOM_X=1"})
	want := missing + ": cannot be read: no such file or directory\nCLOAKROOM_X: is not a variable of the configuration"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	large := write(t, "large.yaml", strings.Repeat("#", 1<<20+10))
	if _, err := config.Load(large, nil); err == nil || err.Error() != large+": is larger than 1 MiB" {
		t.Errorf("got %v", err)
	}
}
