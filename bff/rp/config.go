package rp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/rp/clientkey"
	"cloakroom/bff/secret"
)

const (
	defaultTimeout   = 15 * time.Second
	defaultClockSkew = 30 * time.Second
	maxClockSkew     = 10 * time.Minute
)

// Config describes one client at one provider. The zero value of every optional
// field is the safe choice.
type Config struct {
	// Issuer is the provider's identity. It is compared byte by byte with what
	// discovery, ID tokens and authorization responses say. https, or http on
	// a loopback host, or InsecureHTTP.
	Issuer   string
	ClientID string
	// ClientAuth is how the client proves itself: a BFF is a confidential
	// client (BBA-1). "client_secret_basic" (default) and "client_secret_post"
	// need ClientSecret, "private_key_jwt" needs ClientKey.
	ClientAuth   string
	ClientSecret secret.String
	ClientKey    secret.String // PEM, or a JWK; see package clientkey
	ClientKeyID  string        // the `kid` of assertions; empty: that of the JWK, or none

	RedirectURL   string   // where the provider sends the browser back to
	PostLogoutURL string   // where it sends it after logout; empty: the provider decides
	Scopes        []string // must name openid; empty: openid alone

	// Resource is what the session's own access token is for (RFC 8707):
	// absolute URIs without fragment. MoreResources are asked for at the
	// sign-in too, so that Refresh can target them.
	Resource, MoreResources []string

	// PAR says when authorization requests are pushed (RFC 9126): "auto"
	// (default) where the provider can take them, "require", "off".
	PAR string

	// DPoP binds the tokens of each session to a key of its own (RFC 9449). A
	// provider that does not bind them signs nobody in.
	DPoP bool

	// UserInfo asks the provider's userinfo endpoint for more claims.
	UserInfo bool
	// IDTokenAlg is what the provider signs with, as registered there; empty:
	// any asymmetric algorithm that its metadata list.
	IDTokenAlg string

	// InsecureHTTP lets the addresses above, and then the provider's endpoints,
	// be plain http on any host. Tokens travel in clear.
	InsecureHTTP bool

	HTTPClient *http.Client  // nil: a default. Its transport is used, its redirect policy, jar and timeout are not
	Timeout    time.Duration // of each call to the provider; 0: 15s
	ClockSkew  time.Duration // how far the provider's clock may be off; 0: 30s, at most 10m

	Log *slog.Logger     // nil discards
	Now func() time.Time // nil: time.Now
}

func (c Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("rp: "+format, args...)) }
	if err := checkURL(c.Issuer, c.plain()); err != nil {
		bad("issuer: %w", err)
	} else if strings.Contains(c.Issuer, "?") { // OIDC Discovery §3: no query
		bad("issuer: has a query")
	}
	if c.ClientID == "" {
		bad("client id: empty")
	}
	switch c.ClientAuth {
	case "", authBasic, authPost:
		if c.ClientSecret.Empty() {
			bad("client secret: empty, and a BFF is a confidential client")
		}
	case authKey:
		if _, err := clientkey.Parse(c.ClientKey); err != nil {
			bad("client key: %w", err)
		}
	default:
		bad("client auth: %q is none of %s, %s, %s", c.ClientAuth, authBasic, authPost, authKey)
	}
	if err := checkURL(c.RedirectURL, c.plain()); err != nil {
		bad("redirect url: %w", err)
	}
	if c.PostLogoutURL != "" {
		if err := checkURL(c.PostLogoutURL, c.plain()); err != nil {
			bad("post logout url: %w", err)
		}
	}
	if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, "openid") {
		bad("scopes: openid is missing") // OIDC Core §3.1.2.1
	}
	for _, scope := range c.Scopes {
		if !isScope(scope) {
			bad("scopes: %q is not a scope", scope)
		}
	}
	for _, resource := range slices.Concat(c.Resource, c.MoreResources) {
		if !isResource(resource) {
			bad("resource: %q is not an absolute URI without fragment", resource)
		}
	}
	if !slices.Contains([]string{"", parAuto, parRequire, parOff}, c.PAR) {
		bad("par: %q is none of %s, %s, %s", c.PAR, parAuto, parRequire, parOff)
	}
	if c.IDTokenAlg != "" && len(acceptable([]string{c.IDTokenAlg})) == 0 {
		bad("id token alg: %q is not an asymmetric algorithm", c.IDTokenAlg)
	}
	if c.Timeout < 0 {
		bad("timeout: negative")
	}
	if c.ClockSkew < 0 || c.ClockSkew > maxClockSkew {
		bad("clock skew: not between 0 and %s", maxClockSkew)
	}
	return errors.Join(errs...)
}

// plainHTTP says where http will do instead of https.
type plainHTTP int

const (
	never plainHTTP = iota
	onLoopback
	anywhere
)

// plain is where c lets its own addresses be http.
func (c Config) plain() plainHTTP {
	if c.InsecureHTTP {
		return anywhere
	}
	return onLoopback
}

// checkURL accepts an absolute https URL without user and fragment, and plain
// http where plain allows it.
func checkURL(raw string, plain plainHTTP) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("not a URL") // err repeats the input, which may hold a password
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return errors.New("not an absolute URL")
	case u.User != nil:
		return errors.New("names a user")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment")
	case u.Scheme == "https", u.Scheme == "http" && plain == anywhere,
		u.Scheme == "http" && plain == onLoopback && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("neither https nor http on a loopback host")
}

// isLoopback reports whether host never leaves the machine (RFC 6761 §6.3).
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isResource reports whether s names a resource (RFC 8707 §2).
func isResource(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !strings.Contains(s, "#") && isScope(s)
}

// isScope reports whether s is one scope-token (RFC 6749 §3.3).
func isScope(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return s != ""
}
