package idp

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"cloakroom/bff/secret"
)

// Config describes a provider. Issuer and at least one client are required;
// the zero value of everything else is a good default.
type Config struct {
	Issuer  string // origin, as http://idp.localhost:8080; loopback hosts only
	Clients []Client
	Users   []User // nil: alice/wonderland and bob/builder

	// Audience is the `aud` of access tokens, and the only `resource` that may
	// be asked for (RFC 8707). Empty: the issuer.
	Audience string
	// Scopes are the API's, besides openid, profile, email and offline_access.
	// A scope that is neither is dropped from a request.
	Scopes []Scope

	AccessTokenLifetime  time.Duration // 0: 60s
	IDTokenLifetime      time.Duration // 0: 10m
	RefreshTokenLifetime time.Duration // 0: 8h, counted from the first token of a family (BBA-50)
	SessionLifetime      time.Duration // 0: 8h, absolute

	// Now is the clock of everything the provider issues and checks; nil: time.Now.
	Now func() time.Time
	// SigningKey is the first key; nil: New makes one. At least 2048 bits.
	SigningKey *rsa.PrivateKey
	// HTTPClient delivers back-channel logouts; nil: one with a timeout of 5s.
	HTTPClient *http.Client
	Log        *slog.Logger // nil discards

	// Claims, when set, may add to what an access or an ID token says, the moment
	// before it is signed. Kinds are shared.TokenAccess and TokenID.
	Claims func(kind string, claims map[string]any)
	// OnIssue, when set, sees every token and code the moment before it is
	// sent. Kinds are shared.TokenAccess, TokenRefresh, TokenID, KindCode and
	// KindLogout. It must not call the provider.
	OnIssue func(kind, token string)
}

// Kinds of what OnIssue sees besides the three of package shared.
const (
	KindCode   = "code"
	KindLogout = "logout_token"
)

// Client is a registered relying party. Unless it is public, it may use
// client_secret_basic or client_secret_post, as it likes. All URIs and origins
// are compared as strings.
type Client struct {
	ID     string
	Name   string        // shown on the consent page; empty: ID
	Secret secret.String // none for a public client

	// Public is a client that cannot keep a secret: an application in the
	// browser. A secret it sends all the same proves nothing (BBA-52).
	Public bool
	// AllowedOrigins are those whose pages may read what the token and the
	// revocation endpoint answer to this client, by CORS (BBA-56). Public
	// clients only: the calls of others come from their server.
	AllowedOrigins []string
	// DPoP wants a proof of possession with every token request (RFC 9449 §5.2,
	// dpop_bound_access_tokens). Without it a client may send one, and its tokens
	// are bound then, too.
	DPoP bool
	// InsecureImplicit lets a public client have access tokens in the answer of
	// the authorization endpoint, too: in addresses, and so in histories (BBA-57).
	InsecureImplicit bool

	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackChannelLogoutURI   string // empty: not told
}

// User is an account. The password is for everyone to see: it is printed on
// the sign-in page.
type User struct {
	Name     string // what one types
	Password string
	Subject  string // the `sub` claim
	FullName string
	Email    string
}

// Scope is an API scope and what it means to the person who grants it.
type Scope struct {
	Name        string
	Description string
}

// DefaultUsers are the demo's two people.
func DefaultUsers() []User {
	return []User{
		{Name: "alice", Password: "wonderland", Subject: "user-alice", FullName: "Alice Liddell", Email: "alice@example.com"},
		{Name: "bob", Password: "builder", Subject: "user-bob", FullName: "Bob Mason", Email: "bob@example.com"},
	}
}

func (c Config) withDefaults() Config {
	if c.Users == nil {
		c.Users = DefaultUsers()
	}
	if c.Audience == "" {
		c.Audience = c.Issuer
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&c.AccessTokenLifetime, time.Minute},
		{&c.IDTokenLifetime, 10 * time.Minute},
		{&c.RefreshTokenLifetime, 8 * time.Hour},
		{&c.SessionLifetime, 8 * time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{
			Timeout:       backChannelTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate reports every problem at once.
func (c Config) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("idp: "+format, args...)) }

	if err := checkIssuer(c.Issuer); err != nil {
		fail("issuer: %w", err)
	}
	if len(c.Clients) == 0 {
		fail("no client")
	}
	seen := map[string]bool{}
	for _, client := range c.Clients {
		if client.ID == "" || seen[client.ID] {
			fail("client %q: the ID is empty or taken", client.ID)
		}
		seen[client.ID] = true
		switch {
		case !client.Public && client.Secret.Empty():
			fail("client %q: no secret", client.ID)
		case client.Public && !client.Secret.Empty():
			fail("client %q: a public client has no secret", client.ID)
		case !client.Public && client.InsecureImplicit:
			fail("client %q: only a public client has the implicit grant", client.ID)
		case !client.Public && len(client.AllowedOrigins) > 0:
			fail("client %q: only a public client is called from pages", client.ID)
		}
		for _, origin := range client.AllowedOrigins {
			if err := checkOrigin(origin); err != nil {
				fail("client %q: %w", client.ID, err)
			}
		}
		if len(client.RedirectURIs) == 0 {
			fail("client %q: no redirect URI", client.ID)
		}
		uris := slices.Concat(client.RedirectURIs, client.PostLogoutRedirectURIs)
		if client.BackChannelLogoutURI != "" {
			uris = append(uris, client.BackChannelLogoutURI)
		}
		for _, uri := range uris {
			if err := checkURI(uri); err != nil {
				fail("client %q: %w", client.ID, err)
			}
		}
	}
	names := map[string]bool{}
	for _, user := range c.Users {
		if user.Name == "" || user.Password == "" || user.Subject == "" || names[user.Name] || names["sub:"+user.Subject] {
			fail("user %q: name, password and subject must be set and unique", user.Name)
		}
		names[user.Name], names["sub:"+user.Subject] = true, true
	}
	for _, d := range []time.Duration{c.AccessTokenLifetime, c.IDTokenLifetime, c.RefreshTokenLifetime, c.SessionLifetime} {
		if d < time.Second {
			fail("lifetime %v is shorter than a second", d)
		}
	}
	if c.SigningKey != nil && c.SigningKey.N.BitLen() < 2048 {
		fail("signing key is shorter than 2048 bits")
	}
	return errors.Join(errs...)
}

// checkIssuer holds the provider to loopback: its users' passwords are on its
// front page, and only there is plain http no risk.
func checkIssuer(issuer string) error {
	if err := checkOrigin(issuer); err != nil {
		return err
	}
	u, _ := url.Parse(issuer)
	host := u.Hostname()
	if ip := net.ParseIP(host); host != "localhost" && !strings.HasSuffix(host, ".localhost") && !ip.IsLoopback() {
		return fmt.Errorf("%q is not on loopback", issuer)
	}
	return nil
}

// checkOrigin refuses whatever no browser would send as an Origin: patterns,
// and "null", too.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != origin ||
		u.User != nil || strings.Contains(origin, "*") {
		return fmt.Errorf("%q is not an origin", origin)
	}
	return nil
}

// checkURI: redirect URIs are absolute and have no fragment (RFC 6749 §3.1.2).
func checkURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Contains(uri, "#") {
		return fmt.Errorf("%q is not an absolute http(s) URI without fragment", uri)
	}
	return nil
}

// scopeWords says what granting a scope means, in the order of the page.
func (c Config) scopeWords() []Scope {
	return append([]Scope{
		{oidc.ScopeOpenID, "Know that it is you, by an identifier that stays the same"},
		{oidc.ScopeProfile, "See your name and your user name"},
		{oidc.ScopeEmail, "See your e-mail address"},
		{oidc.ScopeOfflineAccess, "Stay connected while you are away, for " + inWords(c.RefreshTokenLifetime) + " at most or until you sign out"},
	}, c.Scopes...)
}

func inWords(d time.Duration) string {
	if d%time.Hour == 0 && d != time.Hour {
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.String()
}
