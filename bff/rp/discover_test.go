package rp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/rp"
	"cloakroom/shared/problem"
)

const wellKnown = "/.well-known/openid-configuration"

func TestADiscoveryDocumentIsRefusedWhen(t *testing.T) {
	member := func(name string, value any) func(*idp) { return func(i *idp) { i.metadata[name] = value } }
	for name, row := range map[string]struct {
		edit func(*idp)
		want problem.Code
	}{
		"it is of another issuer":             {member("issuer", "https://evil.example"), problem.ProviderIssuer},
		"its issuer has a slash more":         {member("issuer", issuer+"/"), problem.ProviderIssuer},
		"its issuer breaks the line":          {member("issuer", "a\nb"), problem.ProviderIssuer},
		"it has no issuer":                    {func(i *idp) { delete(i.metadata, "issuer") }, problem.ProviderIssuer},
		"it has no authorization endpoint":    {func(i *idp) { delete(i.metadata, "authorization_endpoint") }, problem.ProviderError},
		"it has no token endpoint":            {func(i *idp) { delete(i.metadata, "token_endpoint") }, problem.ProviderError},
		"it has no keys":                      {func(i *idp) { delete(i.metadata, "jwks_uri") }, problem.ProviderError},
		"its token endpoint is plain http":    {member("token_endpoint", "http://idp.example/token"), problem.ProviderError},
		"its token endpoint is http loopback": {member("token_endpoint", "http://localhost/token"), problem.ProviderError},
		"its login page is a script":          {member("authorization_endpoint", "javascript:alert(1)"), problem.ProviderError},
		"its login page has a fragment":       {member("authorization_endpoint", issuer+"/a#b"), problem.ProviderError},
		"its push endpoint is plain http":     {member("pushed_authorization_request_endpoint", "http://idp.example/par"), problem.ProviderError},
		"its logout is a path":                {member("end_session_endpoint", "/logout"), problem.ProviderError},
		"its revocation is a number":          {member("revocation_endpoint", 1), problem.ProviderError},
		"it has no code flow":                 {member("response_types_supported", []string{"id_token"}), problem.ProviderError},
		"it only signs with shared secrets":   {member("id_token_signing_alg_values_supported", []string{"HS256", "none"}), problem.ProviderError},
		"it is no JSON":                       {func(i *idp) { i.answer(wellKnown, 200, access) }, problem.ProviderError},
		"it is not there":                     {func(i *idp) { i.answer(wellKnown, 404, access) }, problem.ProviderError},
		"it is behind a failing gateway":      {func(i *idp) { i.answer(wellKnown, 503, access) }, problem.ProviderError},
		"it does not end":                     {func(i *idp) { i.answer(wellKnown, 200, strings.Repeat(" ", 1<<20)+"{}") }, problem.ProviderError},
		"it has moved to plain http": {func(i *idp) {
			i.answers[wellKnown] = redirect("http://idp.example/moved")
			i.answers["/moved"] = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.metadata) }
		}, problem.ProviderError},
		"the connection breaks": {func(i *idp) { i.down = errors.New("EOF " + access) }, problem.ProviderUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			row.edit(i)
			c, log := i.config()
			p, err := rp.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if p.Ready() == nil {
				t.Error("ready before anything was asked")
			}
			refuses(t, p.Discover(t.Context()), row.want, log)
			refuses(t, p.Ready(), row.want, log)
		})
	}
}

func TestTheStatusOfAFailedDocumentIsToldToTheLog(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	i.answer("/keys", 503, "")
	i.answer(wellKnown, 418, "")
	if err := p.Discover(t.Context()); err == nil || !strings.Contains(err.Error(), "HTTP 418") {
		t.Errorf("discovery: %v", err)
	}
	if err := redeem(t, i, p); err == nil || !strings.Contains(err.Error(), "HTTP 503") {
		t.Errorf("keys: %v", err)
	}
}

func TestTheLastGoodMetadataStay(t *testing.T) {
	i := newIDP()
	p, log := start(t, i)
	i.metadata["issuer"] = "https://evil.example"
	refuses(t, p.Discover(t.Context()), problem.ProviderIssuer, log)
	if err := p.Ready(); err != nil {
		t.Errorf("not ready any more: %v", err)
	}
	signIn(t, i, p)
}

func TestNewMetadataTakeOver(t *testing.T) {
	i := newIDP()
	p, _ := start(t, i)
	signIn(t, i, p)
	i.metadata["jwks_uri"] = issuer + "/keys2"
	i.metadata["token_endpoint"] = issuer + "/token2"
	i.answers["/token2"] = func(w http.ResponseWriter, _ *http.Request) {
		i.tokens["id_token"] = i.idToken()
		writeJSON(w, i.tokens)
	}
	moved(i)
	i.answer("/keys", 410, "")
	i.keys = []jose.JSONWebKey{{Key: otherKey().Public(), KeyID: "new", Algorithm: "ES256"}}
	i.signer, i.header["kid"] = otherKey(), "new"
	if err := p.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	signInAgain(t, i, p)
	if last := i.seen[len(i.seen)-1]; last.path != "/token2" {
		t.Errorf("asked %s", last.path)
	}
}

func TestWhatADocumentDoesNotListIsOnlyWarnedOf(t *testing.T) {
	i := newIDP()
	i.metadata["code_challenge_methods_supported"] = []string{"plain"}
	i.metadata["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
	p, log := start(t, i)
	signIn(t, i, p)
	for _, want := range []string{"PKCE", "client authentication"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no warning of %s: %s", want, log)
		}
	}
}

// gate answers as its idp does, or with an error while shut, and counts.
type gate struct {
	*idp
	shut  atomic.Bool
	count atomic.Int32
}

func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	g.count.Add(1)
	if g.shut.Load() {
		return nil, errors.New("down")
	}
	return g.idp.RoundTrip(req)
}

func TestAProviderThatIsDownAtStartIsFoundWhenItComesUp(t *testing.T) {
	g := &gate{idp: newIDP()}
	synctest.Test(t, func(t *testing.T) {
		g.shut.Store(true)
		c, log := g.config()
		c.HTTPClient = &http.Client{Transport: g}
		p, err := rp.New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()

		time.Sleep(10 * time.Minute) // of the bubble's clock
		refuses(t, p.Ready(), problem.ProviderUnavailable, nil)
		if n := g.count.Load(); n < 20 || n > 60 {
			t.Errorf("asked %d times in ten minutes: backs off to once in 15 to 30 s", n)
		}
		g.shut.Store(false)
		time.Sleep(31 * time.Second)
		if err := p.Ready(); err != nil {
			t.Errorf("still not ready: %v", err)
		}

		before := g.count.Load()
		time.Sleep(24 * time.Hour)
		if n := g.count.Load() - before; n < 24 || n > 48 {
			t.Errorf("asked %d times in a day", n)
		}
		g.shut.Store(true)
		time.Sleep(2 * time.Hour)
		if err := p.Ready(); err != nil {
			t.Errorf("lost what it knew: %v", err)
		}

		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		default:
			t.Error("Run goes on after its context ended")
		}
		if !strings.Contains(log.String(), "provider discovery failed") {
			t.Error("the log does not say that discovery failed")
		}
	})
}

func TestInstancesThatStartTogetherDoNotAskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		seconds := make(chan time.Duration, 10) // when each asked for the second time
		for range cap(seconds) {
			var count atomic.Int32
			c, _ := newIDP().config()
			c.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if count.Add(1) == 2 {
					seconds <- time.Since(began)
				}
				return nil, errors.New("down")
			})}
			p, err := rp.New(c)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = p.Run(ctx) }()
		}
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		different := map[time.Duration]bool{}
		for range cap(seconds) {
			at := <-seconds
			if at < 250*time.Millisecond || at > 500*time.Millisecond {
				t.Errorf("asked again after %s", at)
			}
			different[at] = true
		}
		if len(different) < 2 {
			t.Error("all asked at the same moment")
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// silent never answers.
type silent struct{ *idp }

func (s silent) RoundTrip(req *http.Request) (*http.Response, error) {
	if s.idp.answers[req.URL.Path] == nil {
		return s.idp.RoundTrip(req)
	}
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestEveryCallToASilentProviderEnds(t *testing.T) {
	for name, row := range map[string]struct {
		path string
		call func(*testing.T, *idp, *rp.Provider) error
	}{
		"discovery": {wellKnown, func(t *testing.T, _ *idp, p *rp.Provider) error { return p.Discover(t.Context()) }},
		"redeeming": {"/token", redeem},
		"the keys":  {"/keys", redeem},
		"pushing": {"/par", func(t *testing.T, i *idp, p *rp.Provider) error {
			_, _, err := p.Begin(t.Context(), rp.AuthRequest{})
			return err
		}},
		"refreshing": {"/token", func(t *testing.T, _ *idp, p *rp.Provider) error {
			_, err := p.Refresh(t.Context(), held(), rp.Target{})
			return err
		}},
		"revoking": {"/revoke", func(t *testing.T, _ *idp, p *rp.Provider) error { return p.Revoke(t.Context(), held()) }},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIDP()
			if row.path == "/par" {
				i = pushing()
				delete(i.answers, "/par")
			}
			synctest.Test(t, func(t *testing.T) {
				p, log := start(t, i, func(c *rp.Config) {
					c.Timeout = 3 * time.Second
					c.HTTPClient = &http.Client{Transport: silent{i}}
				})
				i.answer(row.path, 200, "")
				began := time.Now()
				refuses(t, row.call(t, i, p), problem.ProviderTimeout, log)
				if took := time.Since(began); took < 3*time.Second || took > 6*time.Second {
					t.Errorf("took %s of 3s for each request", took)
				}
				time.Sleep(time.Minute) // a fetch of keys may outlive its caller, not the bubble
			})
		})
	}
}

func redeem(t *testing.T, i *idp, p *rp.Provider) error {
	pending, query := begin(t, i, p)
	_, _, err := p.Redeem(t.Context(), pending, query)
	return err
}

// The rest runs on sockets, through the default transport.

func TestAWholeSignInOverTLS(t *testing.T) {
	i := newIDP()
	server := httptest.NewUnstartedServer(i)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one client below hangs up on purpose
	server.StartTLS()
	defer server.Close()
	for name, value := range i.metadata {
		if s, ok := value.(string); ok {
			i.metadata[name] = strings.Replace(s, issuer, server.URL, 1)
		}
	}
	i.claims["iss"] = server.URL
	p, logged := start(t, i, func(c *rp.Config) { c.Issuer, c.HTTPClient = server.URL, server.Client() })
	_, tokens := signIn(t, i, p)
	if _, err := p.Refresh(t.Context(), tokens, rp.Target{}); err != nil {
		t.Error(err)
	}
	if err := p.Revoke(t.Context(), tokens); err != nil {
		t.Error(err)
	}
	untold(t, logged.String(), access, refresh, code, clientSecret, tokens.ID.Reveal())

	// Without the server's certificate there is no provider.
	c, _ := i.config()
	c.Issuer, c.HTTPClient = server.URL, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}
	untrusting, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, untrusting.Discover(t.Context()), problem.ProviderUnavailable, nil)
}

func TestAProviderThatRefusesTheConnectionIsUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c, _ := newIDP().config()
	c.Issuer, c.HTTPClient = (&url.URL{Scheme: "http", Host: address}).String(), nil
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Discover(t.Context())
	refuses(t, err, problem.ProviderUnavailable, nil)
	if !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v does not say why", err)
	}
}

func TestAProviderThatHangsUpIsUnavailable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	c, _ := newIDP().config()
	c.Issuer, c.HTTPClient = server.URL, nil
	p, err := rp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, p.Discover(t.Context()), problem.ProviderUnavailable, nil)
}
