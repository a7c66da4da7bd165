package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"cloakroom/bff/demo/dpop"
)

// Paths of the provider's own pages; the protocol's are in its metadata.
const (
	pathAuthorize   = "/authorize"
	pathToken       = "/oauth/token"
	pathUserinfo    = "/userinfo"
	pathRevoke      = "/revoke"
	pathKeys        = "/keys"
	pathEndSession  = "/end_session"
	pathInteraction = "/interaction"
	pathLogin       = "/interaction/login"
	pathConsent     = "/interaction/consent"
	pathSignOut     = "/sign-out"
	pathSignedOut   = "/signed-out"
	pathCSS         = "/idp.css"
)

// Provider is a running OpenID Provider: an http.Handler for the origin that
// is its issuer, and the switches by which tests and the lab drive it. All
// methods may be called at any time.
type Provider struct {
	cfg     Config
	clients map[string]*client
	keys    *keyRing
	drafts  draftKey
	state   *state
	gate    *gate
	counts  counts
	proofs  *dpop.Verifier
	op      authorizer
	handler http.Handler
}

var _ http.Handler = (*Provider)(nil)

// New makes a provider. It reports everything wrong with cfg in one error.
func New(cfg Config) (*Provider, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	private := cfg.SigningKey
	if private == nil {
		var err error
		if private, err = newSigningKey(); err != nil {
			return nil, fmt.Errorf("idp: make signing key: %w", err)
		}
	}
	draft, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("idp: make draft key: %w", err)
	}
	p := &Provider{
		cfg: cfg, clients: map[string]*client{}, keys: &keyRing{}, drafts: draftKey{draft},
		state: newState(cfg), gate: newGate(), counts: counts{byGrant: map[string]int{}},
		proofs: dpop.NewVerifier(cfg.Now),
	}
	p.keys.add(private, cfg.Now(), time.Time{})
	for _, c := range cfg.Clients {
		p.clients[c.ID] = &client{c, p}
	}
	if err := p.assemble(); err != nil {
		return nil, fmt.Errorf("idp: assemble: %w", err)
	}
	return p, nil
}

// assemble puts op's endpoints and the provider's pages behind one handler.
func (p *Provider) assemble() error {
	config := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true, GrantTypeRefreshToken: true,
		BackChannelLogoutSupported: true, BackChannelLogoutSessionSupported: true,
		DefaultLogoutRedirectURI: p.cfg.Issuer + pathSignedOut,
		SupportedScopes:          scopeNames(p.cfg.scopeWords()),
		SupportedClaims: []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "azp", "at_hash", "c_hash", "sid",
			"name", "preferred_username", "email", "email_verified",
		},
	}
	rand.Read(config.CryptoKey[:])
	// Without it op also "decrypts" by unauthenticated AES-CFB, which takes
	// part of all refresh tokens for access tokens of its own.
	authenticated := op.NewAES256GCMCrypto(config.CryptoKey, "")
	provider, err := op.NewProvider(config, storage{p}, op.StaticIssuer(p.cfg.Issuer), op.WithAllowInsecure(), op.WithCrypto(authenticated),
		op.WithAccessTokenVerifierOpts(func(v *op.AccessTokenVerifier) {
			v.Offset = time.Until(p.cfg.Now()) // op compares with the machine's clock
		}))
	if err != nil {
		return err
	}
	p.op = authorizer{provider, answerEncoder{provider.Encoder(), p}}

	endpoints := op.Endpoints{ // what is nil here is not routed
		Authorization: op.NewEndpoint(pathAuthorize), Token: op.NewEndpoint(pathToken), Userinfo: op.NewEndpoint(pathUserinfo),
		Revocation: op.NewEndpoint(pathRevoke), EndSession: op.NewEndpoint(pathEndSession), JwksURI: op.NewEndpoint(pathKeys),
	}
	protocol := op.RegisterServer(server{legacy: op.NewLegacyServer(p.op, endpoints), p: p}, endpoints,
		op.WithEncoder(p.op.encoder),
		op.WithServerCORSOptions(nil), // which pages may read what, cors.go says
		op.WithHTTPMiddleware(op.NewIssuerInterceptor(provider.IssuerFromRequest).Handler),
	)
	p.handler = p.harden(p.gate.handler(p, p.route(protocol)))
	return nil
}

func (p *Provider) route(protocol http.Handler) http.Handler {
	forms := http.NewCrossOriginProtection()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathInteraction, p.interact)
	mux.Handle("POST "+pathLogin, forms.Handler(http.HandlerFunc(p.login)))
	mux.Handle("POST "+pathConsent, forms.Handler(http.HandlerFunc(p.consent)))
	mux.HandleFunc("GET "+pathSignOut, p.askSignOut)
	mux.Handle("POST "+pathSignOut, forms.Handler(http.HandlerFunc(p.signOut)))
	mux.HandleFunc("GET "+pathSignedOut, p.signedOut)
	mux.HandleFunc("GET "+pathCSS, serveCSS)
	mux.Handle(pathAuthorize, readable(protocol))
	mux.Handle(pathEndSession, readable(protocol))
	mux.Handle(pathToken, p.toPages(backChannelOnly, protocol))
	mux.Handle(pathRevoke, p.toPages(backChannelOnly, protocol))
	mux.Handle(pathUserinfo, p.unlessBound(protocol))
	mux.Handle(pathKeys, p.toPages(nil, protocol))
	mux.Handle(oidc.DiscoveryEndpoint, p.toPages(nil, protocol))
	mux.Handle("/", protocol)
	return mux
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Issuer is the `iss` of everything the provider says.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Users are the accounts, to be printed when the demo starts.
func (p *Provider) Users() []User { return append([]User(nil), p.cfg.Users...) }

// RotateKeys signs with a new RS256 key from now on and returns its `kid`. The
// old one stays published for as long as a refresh token lives.
func (p *Provider) RotateKeys() (kid string, err error) {
	private, err := newSigningKey()
	if err != nil {
		return "", fmt.Errorf("idp: make signing key: %w", err)
	}
	now := p.cfg.Now()
	return p.keys.add(private, now, now.Add(p.cfg.RefreshTokenLifetime)), nil
}

// Sign signs any claims under any `typ` with the current key, for tests that
// need a token the provider would not issue, or a logout token of their own.
func (p *Provider) Sign(typ string, claims map[string]any) (string, error) {
	return p.keys.sign(typ, claims)
}

// EndSession ends a session as an administrator would: its grants are revoked
// and its clients told. It returns when they were told or could not be.
func (p *Provider) EndSession(ctx context.Context, sid string) error {
	if !p.end(ctx, sid) {
		return errors.New("idp: end session: " + errUnknown.Error())
	}
	return nil
}

func (p *Provider) userBySubject(subject string) (User, bool) {
	for _, user := range p.cfg.Users {
		if user.Subject == subject {
			return user, true
		}
	}
	return User{}, false
}

// authenticate compares with every user, so that the time tells nothing.
func (p *Provider) authenticate(name, password string) (found User, ok bool) {
	for _, user := range p.cfg.Users {
		if equal(user.Name, name) && equal(user.Password, password) {
			found, ok = user, true
		}
	}
	return found, ok
}

func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(digest(a)), []byte(digest(b))) == 1
}

func scopeNames(scopes []Scope) []string {
	var names []string
	for _, scope := range scopes {
		names = append(names, scope.Name)
	}
	return names
}
