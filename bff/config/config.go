package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"cloakroom/bff/secret"
)

// Config is a whole, checked configuration. Load and Parse make it; what they
// return has its defaults filled in and keeps every rule of this package.
//
// The tags are the schema: key is the YAML name, default its value when absent
// (a list as YAML), required refuses absence and emptiness, oneof lists the
// values, and doc is the meaning in the reference table.
type Config struct {
	// PublicURL is the origin the browser sees: scheme and host, lower-case,
	// without the scheme's own port. Cookies, the redirect URI and the Host
	// check come from it.
	PublicURL *url.URL `key:"public_url" required:"true" doc:"Origin the browser sees; cookies, redirect URI and Host check come from it. Plain http only for localhost, *.localhost and loopback addresses."`

	// Listen is the host:port of the public listener.
	Listen string `key:"listen" default:"127.0.0.1:8080" required:"true" doc:"Address of the public listener."`

	// AdminListen is the host:port of health and metrics. It differs from
	// Listen and must not be reachable from outside.
	AdminListen string `key:"admin_listen" default:"127.0.0.1:9090" required:"true" doc:"Address of health and metrics; never public."`

	// InsecureHTTP lets PublicURL and Provider.Issuer be plain http on hosts
	// that are not loopback.
	InsecureHTTP bool `key:"insecure_http" default:"false" doc:"Permits plain http where https is required. Cookies and tokens then travel in clear."`

	// TLS of the public listener.
	TLS TLS `key:"tls"`

	// TrustedProxies are the peers whose X-Forwarded-* headers count; empty
	// means nobody's do.
	TrustedProxies []netip.Prefix `key:"trusted_proxies" default:"[]" doc:"CIDRs of the peers whose X-Forwarded-* headers count."`

	// DrainDelay is how long the public listener goes on as before once the
	// server is told to stop; at most one minute.
	DrainDelay time.Duration `key:"drain_delay" default:"0s" doc:"How long it goes on taking requests after SIGTERM, while /readyz says that it leaves: longer than a balancer in front takes to notice. At most 1m."`

	// Provider is the OpenID Provider that signs users in.
	Provider Provider `key:"provider"`

	// Session says where sessions live and for how long.
	Session Session `key:"session"`

	// API is the route table. What it does not list is not proxied.
	API []Route `key:"api" default:"[]" doc:"Route table of the proxy. What is not listed is not proxied; the longest path wins."`

	// SPA says which application is served.
	SPA SPA `key:"spa"`

	// Log shapes the log.
	Log Log `key:"log"`
}

// TLS names the certificate of the public listener. Both files are given, or
// neither, and then TLS ends in front of this server.
type TLS struct {
	// CertFile is a PEM certificate chain, leaf first.
	CertFile string `key:"cert_file" default:"" doc:"PEM certificate chain, leaf first. Empty: TLS ends in front of this server."`
	// KeyFile is the PEM private key of the leaf.
	KeyFile string `key:"key_file" default:"" doc:"PEM private key of the certificate."`
}

// Enabled reports whether the public listener speaks TLS itself.
func (t TLS) Enabled() bool { return t.CertFile != "" }

// Provider is an OpenID Provider and this client's registration there.
type Provider struct {
	// Issuer is kept as written: discovery and ID tokens must repeat it
	// exactly (OIDC Discovery §4.3).
	Issuer string `key:"issuer" required:"true" doc:"Issuer identifier of the OpenID Provider, exactly as its discovery document says."`
	// ClientID of the registration.
	ClientID string `key:"client_id" required:"true" doc:"Client ID of the registration there."`
	// ClientAuth is how the client proves itself.
	ClientAuth ClientAuth `key:"client_auth" default:"client_secret_basic" oneof:"client_secret_basic client_secret_post private_key_jwt" doc:"How the client proves itself at the token endpoint."`
	// ClientSecret of the registration; empty with PrivateKeyJWT and else never.
	ClientSecret secret.String `key:"client_secret" default:"" doc:"Client secret of the registration; required unless client_auth is private_key_jwt."`
	// ClientKey is a private key that package clientkey reads; empty but with
	// PrivateKeyJWT.
	ClientKey secret.String `key:"client_key" default:"" doc:"Private key of the registration, in PEM (PKCS #8, EC, RSA) or as a JWK; required with private_key_jwt, and only there."`
	// ClientKeyID is the kid of what the key signs.
	ClientKeyID string `key:"client_key_id" default:"" doc:"Name of that key at the provider, its kid. Empty: the kid of the JWK, or none."`
	// Scopes asked for at sign-in; openid is among them, none is twice.
	Scopes []string `key:"scopes" default:"[openid, profile, email, offline_access]" doc:"Scopes asked for; openid must be among them, offline_access brings a refresh token."`
	// Resource are absolute URIs without fragment, none twice.
	Resource []string `key:"resource" default:"[]" doc:"What the session's own access token is for: absolute URIs (RFC 8707). Empty: the provider decides; not possible where one API has a resource of its own and another is sent this token."`
	// PAR is PARAuto, PARRequire or PAROff.
	PAR string `key:"par" default:"auto" oneof:"auto require off" doc:"Whether authorization requests are pushed (RFC 9126). auto: where the provider has an endpoint for it."`
	// DPoP binds tokens to a key of their session.
	DPoP bool `key:"dpop" default:"false" doc:"Binds the tokens of each session to a key of its own (RFC 9449); a provider that does not signs nobody in."`
	// UserInfo asks for more claims than the ID token has.
	UserInfo bool `key:"userinfo" default:"false" doc:"Asks the userinfo endpoint too (JSON answers), for claims that the ID token does not have."`
	// IDTokenAlg is one of the asymmetric algorithms of JOSE, or empty.
	IDTokenAlg string `key:"id_token_alg" default:"" doc:"What ID tokens and logout tokens are signed with, as registered. Empty: any asymmetric algorithm the provider lists."`
	// Timeout bounds each call to the provider; from 1s to 1m.
	Timeout time.Duration `key:"timeout" default:"15s" doc:"How long each call to the provider may take; from 1s to 1m."`
}

// ClientAuth is a client authentication method (OIDC Core §9).
type ClientAuth string

// The client authentication methods.
const (
	ClientSecretBasic ClientAuth = "client_secret_basic"
	ClientSecretPost  ClientAuth = "client_secret_post"
	PrivateKeyJWT     ClientAuth = "private_key_jwt"
)

// When authorization requests are pushed.
const (
	PARAuto    = "auto"    // where the provider has an endpoint for it
	PARRequire = "require" // or nobody signs in
	PAROff     = "off"
)

// Session says where sessions live and for how long.
type Session struct {
	// Store is one of the Store constants.
	Store string `key:"store" default:"memory" oneof:"memory file redis memcached postgres mysql sqlite nats mongodb cookie" doc:"Where session records are kept; cookie: in the browser itself."`
	// URL is the DSN of the store, or the path of its file; empty for
	// StoreMemory and StoreCookie. It may hold a password.
	URL secret.String `key:"url" default:"" doc:"DSN of the store, or the path of its file; each store's package says which forms it takes. Not for memory or cookie."`
	// CookieFormat is how StoreCookie seals a session.
	CookieFormat string `key:"cookie_format" default:"jwe" oneof:"securecookie jws jwe nested" doc:"Store cookie: how a session is sealed. jws is signed only, and readable."`
	// CookieMaxBytes bounds the cookies of a session, names and values; from
	// 1 KiB to 24 KiB.
	CookieMaxBytes int64 `key:"cookie_max_bytes" default:"12KiB" doc:"Store cookie: most that the cookies of a session may take, names included; who signs in with more is refused. What stands in front must take requests that long."`
	// Denylist is where the instances note which sessions have ended.
	Denylist Denylist `key:"denylist"`
	// InsecureReadableTokens lets CookieFormat be jws.
	InsecureReadableTokens bool `key:"insecure_readable_tokens" default:"false" doc:"Permits cookie_format jws: whoever reads the cookie reads the tokens."`
	// NearCache is a local copy in front of a shared store.
	NearCache NearCache `key:"near_cache"`
	// Cluster is for StoreNATS without URL.
	Cluster Cluster `key:"cluster"`
	// MaxBytes bounds the memory of store memory; at least 1 MiB.
	MaxBytes int64 `key:"max_bytes" default:"256MiB" doc:"Most memory that store memory takes: bytes, or with KiB, MiB, GiB; at least 1MiB."`
	// IdleTimeout ends a session that nobody uses; at least one second, at
	// most AbsoluteTimeout.
	IdleTimeout time.Duration `key:"idle_timeout" default:"30m" doc:"A session unused for this long ends; a twentieth of it earlier, or five minutes, at most."`
	// AbsoluteTimeout ends a session however much it is used.
	AbsoluteTimeout time.Duration `key:"absolute_timeout" default:"12h" doc:"A session this old ends, used or not."`
	// Keys is the key ring: the first seals, all open. Empty means that a key
	// is made at start and sessions end with the process.
	Keys []Key `key:"keys" default:"[]" doc:"Key ring. The first key seals, all open; make one with cloakroom keygen. Empty: made at start, so sessions end at restart."`
}

// NearCache is a local copy of the sessions in use, in front of a shared store.
// It is off while Size is 0.
type NearCache struct {
	// Size bounds the copies, in bytes; at least 1 MiB.
	Size int64 `key:"size" default:"0" doc:"Most memory for local copies of sessions in a shared store: bytes, or with KiB, MiB, GiB. 0: no copies."`
	// MaxAge is how long a copy may answer without asking, and so how long a
	// sign-out elsewhere may go unseen here if no push tells of it.
	MaxAge time.Duration `key:"max_age" default:"2s" doc:"How old a copy may become: the longest that a sign-out on another instance can go unseen on this one."`
}

// Denylist is a store that the instances share, for StoreCookie: of sessions that
// ended it keeps that they did, and nothing of what was in them.
type Denylist struct {
	// Store is StoreNone or one of the shared Store constants.
	Store string `key:"store" default:"none" oneof:"none redis memcached postgres mysql nats mongodb" doc:"Store cookie: where it is noted which sessions have ended, so that no instance takes their cookies any more. none: only the instance that ended one knows."`
	// URL is its DSN.
	URL secret.String `key:"url" default:"" doc:"DSN of the denylist's store."`
}

// Cluster lets the instances share their memory: each runs a NATS server, and
// three of them keep every session.
type Cluster struct {
	// Listen is the host:port at which the other instances reach this one.
	Listen string `key:"listen" default:"" doc:"Store nats without url: address at which the other instances reach this one. Never public."`
	// Peers are the addresses of all instances.
	Peers []string `key:"peers" default:"[]" doc:"Addresses of all instances, host:port; an odd number. They stay the same."`
	// Name of this instance, the same after a restart.
	Name string `key:"name" default:"" doc:"Name of this instance, the same after a restart. Empty: listen."`
	// Secret is what an instance must know to join.
	Secret secret.String `key:"secret" default:"" doc:"What an instance must know to join, at least 16 bytes; needed with peers."`
	// StoreDir keeps the sessions on disk; empty means in memory.
	StoreDir string `key:"store_dir" default:"" doc:"Folder that keeps the sessions on disk. Empty: in memory."`
	// CertFile, KeyFile and CAFile protect the way between the instances.
	CertFile string `key:"cert_file" default:"" doc:"PEM certificate of this instance, for TLS between instances."`
	KeyFile  string `key:"key_file" default:"" doc:"PEM private key of the certificate."`
	CAFile   string `key:"ca_file" default:"" doc:"PEM authority that signed the instances' certificates."`
}

// The stores.
const (
	StoreMemory    = "memory"    // in this process
	StoreFile      = "file"      // a bbolt file on this machine
	StoreRedis     = "redis"     // Redis or Valkey: one server, Sentinel, Cluster
	StoreMemcached = "memcached" // one memcached or several
	StorePostgres  = "postgres"  // PostgreSQL
	StoreMySQL     = "mysql"     // MySQL or MariaDB
	StoreSQLite    = "sqlite"    // a SQLite file on this machine
	StoreNATS      = "nats"      // a NATS cluster, or the instances themselves
	StoreMongoDB   = "mongodb"   // MongoDB, or what speaks its protocol
	StoreCookie    = "cookie"    // the browser itself
	StoreNone      = "none"      // of a Denylist
)

// SharedStore reports whether several instances can share the store.
func (s Session) SharedStore() bool {
	switch s.Store {
	case StoreMemory, StoreFile, StoreSQLite, StoreCookie:
		return false
	}
	return true
}

// Key is one key of the ring.
type Key struct {
	// ID is written beside what the key sealed: 1 to 32 of a-z, 0-9, hyphen,
	// unique in the ring.
	ID string `key:"id" required:"true" doc:"Name of the key: 1 to 32 of a-z, 0-9 and hyphen, unique."`
	// Secret holds the decoded bytes, at least 32, not the base64 of the file.
	Secret secret.String `key:"secret" required:"true" doc:"At least 32 random bytes in base64 (standard, or unpadded URL-safe)."`
}

// Route proxies everything below one path to one upstream.
type Route struct {
	// Path starts and ends with a slash and is canonical.
	Path string `key:"path" required:"true" doc:"Path prefix, starting and ending with a slash."`
	// Upstream is an absolute URL whose path ends with a slash; it replaces
	// Path.
	Upstream *url.URL `key:"upstream" required:"true" doc:"Absolute http or https URL ending with a slash; it replaces the path prefix."`
	// Methods that pass, upper-case; GET brings HEAD.
	Methods []string `key:"methods" default:"[GET, POST, PUT, PATCH, DELETE]" doc:"Methods that pass; GET brings HEAD."`
	// Auth says what a session means to the route.
	Auth Auth `key:"auth" default:"required" oneof:"required optional none" doc:"required: no session, no call. optional: the token is added when there is one. none: it never is."`
	// Resource is an absolute URI without fragment; empty: what the session's
	// own access token is for.
	Resource string `key:"resource" default:"" doc:"What this API's access token is for: an absolute URI (RFC 8707). Empty: the same as the session's own."`
	// Scopes of the access token, some of Provider.Scopes; empty: all that were
	// granted.
	Scopes []string `key:"scopes" default:"[]" doc:"Scopes of this API's access token, some of provider.scopes. Empty: all that were granted."`
	// Timeout is how long the upstream may take until its response headers.
	Timeout time.Duration `key:"timeout" default:"30s" doc:"How long the upstream may take until its response headers."`
}

// Auth says what a session means to a route.
type Auth string

// The kinds of Auth.
const (
	AuthRequired Auth = "required" // no session, no call
	AuthOptional Auth = "optional" // the token goes along when there is one
	AuthNone     Auth = "none"     // the token never goes along
)

// SPA says which application is served: the embedded one when both are empty.
type SPA struct {
	// Dir is a folder of built files.
	Dir string `key:"dir" default:"" doc:"Folder with a built SPA. Empty, like dev_server: the embedded one."`
	// DevServer is the loopback http origin of a development server, or nil.
	DevServer *url.URL `key:"dev_server" default:"" doc:"Loopback http origin of a development server."`
}

// Log shapes the log.
type Log struct {
	// Level is the lowest level that is written.
	Level slog.Level `key:"level" default:"info" oneof:"debug info warn error" doc:"Lowest level that is logged."`
	// Format is LogJSON or LogText.
	Format string `key:"format" default:"json" oneof:"json text" doc:"Shape of a log line."`
}

// The log formats.
const (
	LogJSON = "json"
	LogText = "text"
)

// Origin is PublicURL as browsers write it in an Origin header.
func (c *Config) Origin() string { return c.PublicURL.Scheme + "://" + c.PublicURL.Host }

// Warnings says, one sentence each, what is weaker than it should be: every
// insecure_* key that is on, tokens that leave the machine in clear, and a
// missing key ring or denylist. They are logged at every start.
func (c *Config) Warnings() []string {
	var warnings []string
	if c.InsecureHTTP {
		warnings = append(warnings, "insecure_http is on: cookies and tokens may travel in clear")
	}
	if c.Session.InsecureReadableTokens {
		warnings = append(warnings, "session.insecure_readable_tokens is on: whoever reads a session's cookie reads its tokens")
	}
	if c.Session.Store == StoreCookie && c.Session.Denylist.Store == StoreNone {
		warnings = append(warnings, "session.denylist is none: the cookie of a session that ended is taken by every instance that did not see it end")
	}
	for i, r := range c.API {
		if r.Auth != AuthNone && r.Upstream.Scheme == "http" && !isLoopback(r.Upstream.Hostname()) {
			warnings = append(warnings, fmt.Sprintf("api[%d].upstream is plain http on another host: access tokens travel there in clear", i))
		}
	}
	if len(c.Session.Keys) == 0 {
		warnings = append(warnings, "session.keys is empty: a key is made at start and every session ends at restart")
	}
	return warnings
}
