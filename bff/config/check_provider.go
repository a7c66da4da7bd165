package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloakroom/bff/rp/clientkey"
	"cloakroom/bff/secret"
)

func (d *decoder) checkProvider(c *Config) {
	p := c.Provider
	d.checkIssuer(p.Issuer, c.InsecureHTTP)
	// RFC 6749 appendix A.1: printable ASCII.
	if !isPrintable(p.ClientID) {
		d.fail("provider.client_id", "must be printable ASCII (RFC 6749 appendix A.1)")
	}
	if d.ok("provider", "provider.client_auth") {
		d.checkClientAuth(p)
	}
	d.checkScopes("provider.scopes", p.Scopes)
	if d.ok("provider", "provider.scopes") && !slices.Contains(p.Scopes, "openid") {
		d.fail("provider.scopes", "must contain openid (OIDC Core §3.1.2.1)")
	}
	for i, resource := range p.Resource {
		key := "provider.resource[" + strconv.Itoa(i) + "]"
		d.checkResource(key, resource)
		if slices.Index(p.Resource, resource) < i && resource != "" {
			d.fail(key, "is listed twice")
		}
	}
	if p.IDTokenAlg != "" && !slices.Contains(signingAlgorithms, p.IDTokenAlg) {
		d.fail("provider.id_token_alg", "must be one of: "+strings.Join(signingAlgorithms, ", "))
	}
	if d.ok("provider", "provider.timeout") && (p.Timeout < time.Second || p.Timeout > time.Minute) {
		d.fail("provider.timeout", "must be from 1s to 1m")
	}
}

// signingAlgorithms prove who signed (RFC 7518 §3, RFC 8037 §3).
var signingAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// checkClientAuth wants what the method needs and nothing else: a key beside a
// secret leaves open which of them counts.
func (d *decoder) checkClientAuth(p Provider) {
	const secretKey, keyKey, idKey = "provider.client_secret", "provider.client_key", "provider.client_key_id"
	if p.ClientAuth == PrivateKeyJWT {
		d.requireSecret(keyKey, p.ClientKey)
		if !p.ClientSecret.Empty() {
			d.fail(secretKey, "is not for client_auth private_key_jwt")
		}
		if p.ClientKey.Empty() {
			return
		}
		if _, err := clientkey.Parse(p.ClientKey); err != nil {
			d.fail(keyKey, err.Error())
		}
		return
	}
	d.requireSecret(secretKey, p.ClientSecret)
	if !isPrintable(p.ClientSecret.Reveal()) {
		d.fail(secretKey, "must be one line of printable ASCII (RFC 6749 appendix A.2)")
	}
	if !p.ClientKey.Empty() {
		d.fail(keyKey, "is for client_auth private_key_jwt")
	}
	if p.ClientKeyID != "" {
		d.fail(idKey, "is for client_auth private_key_jwt")
	}
}

// requireSecret is what the tag says where a secret is always required.
func (d *decoder) requireSecret(key string, s secret.String) {
	_, given := d.places[key]
	switch {
	case !s.Empty():
	case given:
		d.fail(key, "must not be empty")
	default:
		_, name, _ := cutLast(key)
		d.fail(key, "is required, or "+name+fileSuffix)
	}
}

func (d *decoder) checkScopes(list string, scopes []string) {
	for i, scope := range scopes {
		key := list + "[" + strconv.Itoa(i) + "]"
		switch {
		case !isScope(scope):
			d.fail(key, "must be printable ASCII without space, quote or backslash (RFC 6749 §3.3)")
		case slices.Index(scopes, scope) < i && scope != "":
			d.fail(key, "is listed twice")
		}
	}
}

// checkResource keeps to RFC 8707 §2.
func (d *decoder) checkResource(key, resource string) {
	u, err := url.Parse(resource)
	if resource != "" && (err != nil || !u.IsAbs() || strings.Contains(resource, "#") || !isScope(resource)) {
		d.fail(key, "must be an absolute URI without fragment (RFC 8707 §2)")
	}
}

// checkRouteToken checks which access token a route wants.
func (d *decoder) checkRouteToken(key string, r Route, granted []string) {
	if r.Auth == AuthNone {
		if r.Resource != "" {
			d.fail(key+".resource", "is not for auth none, which sends no token")
		}
		if len(r.Scopes) > 0 {
			d.fail(key+".scopes", "are not for auth none, which sends no token")
		}
		return
	}
	d.checkResource(key+".resource", r.Resource)
	d.checkScopes(key+".scopes", r.Scopes)
	for i, scope := range r.Scopes {
		if scope != "" && d.ok("provider", "provider.scopes") && !slices.Contains(granted, scope) {
			// RFC 6749 §6: a renewal cannot ask for more than was granted.
			d.fail(key+".scopes["+strconv.Itoa(i)+"]", "is not among provider.scopes: list it there too")
		}
	}
}

// checkOwnToken: the sign-in asks for every route's resource. A provider that is
// not told then which of them the session's own token is for may make it good
// for all (RFC 8707 §2.2), and an API that is sent it could call the others.
func (d *decoder) checkOwnToken(c *Config) {
	if !d.ok("provider", "provider.resource") || len(c.Provider.Resource) > 0 {
		return
	}
	own := slices.IndexFunc(c.API, func(r Route) bool { return r.Auth != AuthNone && r.Resource == "" })
	other := slices.IndexFunc(c.API, func(r Route) bool { return r.Auth != AuthNone && r.Resource != "" })
	if own >= 0 && other >= 0 {
		d.fail("provider.resource", "is required: api["+strconv.Itoa(own)+"] is sent the session's own token, which could be good for the resource of api["+
			strconv.Itoa(other)+"] too")
	}
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e })
}

func isScope(s string) bool { return isPrintable(s) && !strings.ContainsAny(s, ` "\`) }
