package rp

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cloakroom/bff/rp/clientkey"
	"cloakroom/bff/secret"
)

// Provider is the relying party's view of one provider. It is safe for
// concurrent use.
type Provider struct {
	issuer, clientID           string
	clientAuth                 string
	clientSecret               secret.String
	clientKey                  clientkey.Key
	clientKeyID                string
	redirectURL, postLogoutURL string
	endpointsPlain             plainHTTP // where the endpoints may be http
	scopes                     []string
	resource, moreResources    []string
	par                        string
	dpop, userInfo             bool
	idTokenAlg                 string
	timeout, skew              time.Duration
	log                        *slog.Logger
	now                        func() time.Time

	documents *http.Client // discovery and keys
	endpoints *http.Client // every other: these requests carry secrets

	known   atomic.Pointer[metadata] // the last good metadata
	failure atomic.Pointer[error]    // why the last discovery failed; nil after one that worked
	nonces  nonceMemory              // for proofs to the provider (RFC 9449 §8)
}

// New checks c and returns a Provider that knows nothing of its provider yet:
// Run or Discover find out. All problems of c come back joined.
func New(c Config) (*Provider, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	p := &Provider{
		issuer: c.Issuer, clientID: c.ClientID, clientSecret: c.ClientSecret, clientAuth: c.ClientAuth,
		redirectURL: c.RedirectURL, postLogoutURL: c.PostLogoutURL, scopes: slices.Clone(c.Scopes),
		resource: slices.Clone(c.Resource), moreResources: slices.Clone(c.MoreResources), dpop: c.DPoP,
		par: cmp.Or(c.PAR, parAuto), userInfo: c.UserInfo, idTokenAlg: c.IDTokenAlg,
		timeout: c.Timeout, skew: c.ClockSkew, log: c.Log, now: c.Now,
	}
	if strings.HasPrefix(c.Issuer, "http:") {
		// Only where the issuer itself is plain may its endpoints be: else they
		// would give away what https protects.
		p.endpointsPlain = c.plain()
	}
	if p.clientAuth == "" {
		p.clientAuth = authBasic
	}
	if p.clientAuth == authKey {
		p.clientKey, _ = clientkey.Parse(c.ClientKey) // check has read it
		p.clientKeyID = cmp.Or(c.ClientKeyID, p.clientKey.ID)
	}
	if len(p.scopes) == 0 {
		p.scopes = []string{"openid"}
	}
	if p.timeout == 0 {
		p.timeout = defaultTimeout
	}
	if p.skew == 0 {
		p.skew = defaultClockSkew
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.documents, p.endpoints = clients(c.HTTPClient, p.timeout)
	return p, nil
}
