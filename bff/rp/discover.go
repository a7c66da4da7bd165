package rp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"cloakroom/shared/problem"
)

// When to ask the provider for its metadata again.
const (
	firstRetry   = 500 * time.Millisecond
	maxRetry     = 30 * time.Second
	refreshEvery = time.Hour
)

// metadata is what discovery found. It never changes; Discover replaces it.
type metadata struct {
	authURL, tokenURL string
	jwksURL           string
	pushURL           string   // "" when requests are not pushed
	revocationURL     string   // "" when there is none
	userInfoURL       string   // "" when it is not asked
	endSessionURL     *url.URL // nil when there is none
	algorithms        []jose.SignatureAlgorithm
	sendsIssuer       bool // RFC 9207 §3

	assertionAlgorithms []string // of client assertions; none when it does not say
	keys                *keySet
}

// document holds the members of the discovery document that are read here
// (OIDC Discovery §3, RFC 8414 §2, RFC 9126 §5, RFC 9207 §3, RFC 9449 §5.1, RP-Initiated Logout §2.1).
type document struct {
	JWKS          string   `json:"jwks_uri"`
	Revocation    string   `json:"revocation_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	ResponseTypes []string `json:"response_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	SendsIssuer   bool     `json:"authorization_response_iss_parameter_supported"`

	Push         string `json:"pushed_authorization_request_endpoint"`
	PushRequired bool   `json:"require_pushed_authorization_requests"`

	AssertionAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ProofAlgorithms     []string `json:"dpop_signing_alg_values_supported"` // RFC 9449 §5.1
}

// Discover asks the provider for its metadata once. When that fails, what an
// earlier call found stays in use.
func (p *Provider) Discover(ctx context.Context) error {
	found, err := p.discover(ctx)
	if err != nil {
		p.failure.Store(&err)
		return err
	}
	p.known.Store(found)
	p.failure.Store(nil)
	return nil
}

// Run discovers until it works, backing off in between, and from then on looks
// again within every hour. It returns nil when ctx ends. A provider that is down thus
// delays sign-in and nothing else.
func (p *Provider) Run(ctx context.Context) error {
	for failures := 0; ; {
		err := p.Discover(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait := jitter(refreshEvery)
		if err != nil {
			wait = jitter(min(firstRetry<<min(failures, 16), maxRetry))
			failures++
			p.log.WarnContext(ctx, "provider discovery failed", "issuer", p.issuer, "error", err, "retry_in", wait)
		} else {
			failures = 0
			p.log.DebugContext(ctx, "provider discovered", "issuer", p.issuer)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// jitter returns between half of d and d, so that instances that started
// together do not ask together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// Ready is nil once the provider's metadata are known, and says what is missing
// until then. A provider that goes down later does not make it fail.
func (p *Provider) Ready() error {
	_, err := p.metadata()
	return err
}

// metadata returns what discovery found, or why it found nothing yet.
func (p *Provider) metadata() (*metadata, error) {
	if found := p.known.Load(); found != nil {
		return found, nil
	}
	if failed := p.failure.Load(); failed != nil {
		return nil, *failed
	}
	return nil, fail(problem.ProviderUnavailable, "metadata", errors.New("not discovered yet"))
}

func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	// go-oidc refuses a document of another issuer (OIDC Discovery §4.3).
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.documents), p.issuer)
	if err != nil {
		return nil, p.discoveryError(err)
	}
	var doc document
	if err := provider.Claims(&doc); err != nil {
		return nil, p.discoveryError(err)
	}
	found, err := p.accept(provider, doc)
	if err != nil {
		return nil, fail(problem.ProviderError, "discover", err)
	}
	p.warn(ctx, doc)
	return found, nil
}

func (p *Provider) discoveryError(err error) error {
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) {
		return fail(problem.ProviderIssuer, "discover", fmt.Errorf(
			"the document is of %q, configured is %q", printable(mismatch.Discovered, maxDescription), p.issuer))
	}
	if code, cause, ok := wire(err); ok {
		return fail(code, "discover", cause)
	}
	return fail(problem.ProviderError, "discover", errors.New("the document is not valid"))
}

// accept checks the document and builds the metadata from it.
func (p *Provider) accept(provider *oidc.Provider, doc document) (*metadata, error) {
	endpoint := provider.Endpoint()
	found := &metadata{
		authURL: endpoint.AuthURL, tokenURL: endpoint.TokenURL, jwksURL: doc.JWKS, revocationURL: doc.Revocation,
		sendsIssuer: doc.SendsIssuer, assertionAlgorithms: doc.AssertionAlgorithms,
	}
	if p.userInfo {
		found.userInfoURL = provider.UserInfoEndpoint()
	}
	var errs []error
	var err error
	if found.pushURL, err = p.checkPushing(doc); err != nil {
		errs = append(errs, err)
	}
	for _, member := range []struct {
		name, url string
		required  bool
	}{
		{"authorization_endpoint", found.authURL, true},
		{"token_endpoint", found.tokenURL, true},
		{"jwks_uri", found.jwksURL, true},
		{"pushed_authorization_request_endpoint", found.pushURL, false},
		{"userinfo_endpoint", found.userInfoURL, p.userInfo},
		{"revocation_endpoint", found.revocationURL, false},
		{"end_session_endpoint", doc.EndSession, false},
	} {
		if member.url == "" && !member.required {
			continue
		}
		if err := checkURL(member.url, p.endpointsPlain); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", member.name, err))
		}
	}
	if len(doc.ResponseTypes) > 0 && !slices.Contains(doc.ResponseTypes, "code") {
		errs = append(errs, errors.New("response_types_supported: code is missing"))
	}
	if found.algorithms = p.algorithms(doc.Algorithms); len(found.algorithms) == 0 {
		errs = append(errs, errors.New("id_token_signing_alg_values_supported: none is asymmetric and known, or as configured"))
	}
	if p.dpop && len(doc.ProofAlgorithms) > 0 && !slices.Contains(doc.ProofAlgorithms, string(jose.ES256)) {
		errs = append(errs, errors.New("dpop_signing_alg_values_supported: ES256 is missing"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if doc.EndSession != "" {
		found.endSessionURL, _ = url.Parse(doc.EndSession) // checked above
	}
	found.keys = p.keySet(found.jwksURL)
	return found, nil
}

// keySet keeps the one in use, with the keys it holds, as long as the address
// stays.
func (p *Provider) keySet(jwksURL string) *keySet {
	if last := p.known.Load(); last != nil && last.jwksURL == jwksURL {
		return last.keys
	}
	return p.newKeySet(jwksURL)
}

// algorithms are those that ID tokens and logout tokens may be signed with: the
// one registered (OIDC Core §3.1.3.7, 7) unless the provider lists others, or
// else what it lists.
func (p *Provider) algorithms(listed []string) []jose.SignatureAlgorithm {
	if p.idTokenAlg == "" {
		return acceptable(listed)
	}
	if len(listed) > 0 && !slices.Contains(listed, p.idTokenAlg) {
		return nil
	}
	return acceptable([]string{p.idTokenAlg})
}

// acceptable returns the algorithms of the list that prove who signed. HS* and
// none never do: whoever knows the client secret, or nobody at all, could have
// (RFC 8725 §3.1, §3.2). No list means RS256 (OIDC Core §3.1.3.7).
func acceptable(listed []string) []jose.SignatureAlgorithm {
	if len(listed) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	return slices.DeleteFunc(asymmetric(), func(a jose.SignatureAlgorithm) bool {
		return !slices.Contains(listed, string(a))
	})
}

// asymmetric returns the algorithms of RFC 7518 §3 and RFC 8037 §3 that verify
// with a public key.
func asymmetric() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
		jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
	}
}

// warn logs what the document says against the configuration. Documents are
// often incomplete, so the provider is left to decide when it is asked.
func (p *Provider) warn(ctx context.Context, doc document) {
	if len(doc.Challenges) > 0 && !slices.Contains(doc.Challenges, "S256") {
		p.log.WarnContext(ctx, "provider does not list PKCE with S256", "issuer", p.issuer)
	}
	if p.dpop && len(doc.ProofAlgorithms) == 0 {
		p.log.WarnContext(ctx, "provider does not list DPoP", "issuer", p.issuer)
	}
	if p.clientAuth == authKey && len(doc.AssertionAlgorithms) > 0 && !p.signsWithOneOf(doc.AssertionAlgorithms) {
		p.log.WarnContext(ctx, "provider does not list an algorithm of the client key", "issuer", p.issuer)
	}
	methods := doc.AuthMethods
	if len(methods) == 0 {
		methods = []string{authBasic} // OIDC Discovery §3
	}
	if !slices.Contains(methods, p.clientAuth) {
		p.log.WarnContext(ctx, "provider does not list the configured client authentication",
			"issuer", p.issuer, "client_auth", p.clientAuth)
	}
}
