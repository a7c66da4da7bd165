package idptest_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/secret"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B

func config(redirectURI string) idp.Config {
	return idp.Config{Clients: []idp.Client{{ID: "app", Secret: secret.New("s"), RedirectURIs: []string{redirectURI}}}}
}

func authorize(issuer, redirectURI string) string {
	return issuer + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {redirectURI}, "scope": {"openid"},
		"state": {"s"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode()
}

func TestSignInReturnsTheCallbackWithoutGoingThere(t *testing.T) {
	const callback = "http://app.invalid/cb"
	p := idptest.Start(t, config(callback))
	got := idptest.SignIn(t, &http.Client{}, authorize(p.Issuer(), callback), "bob", "builder")
	if !strings.HasPrefix(got, callback+"?") || !strings.Contains(got, "code=") {
		t.Errorf("got %q", got)
	}
}

// Names that nothing resolves, and a relying party's own sign-in path.
func TestSignInWorksAcrossHostsByTheTransport(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	issuer, callback := "http://idp.localhost:"+port, "http://app.localhost:"+port+"/callback"
	cfg := config(callback)
	cfg.Issuer = issuer
	provider, err := idp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.Host, "idp."):
			provider.ServeHTTP(w, r)
		case r.URL.Path == "/login":
			http.Redirect(w, r, authorize(issuer, callback), http.StatusFound)
		default:
			t.Errorf("visited %s", r.URL)
		}
	})
	server.Start()
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}}
	defer client.CloseIdleConnections()
	got := idptest.SignIn(t, client, "http://app.localhost:"+port+"/login", "alice", "wonderland")
	if !strings.HasPrefix(got, callback+"?") || !strings.Contains(got, "iss="+url.QueryEscape(issuer)) {
		t.Errorf("got %q", got)
	}
}
