package idptest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/person"
)

// Start serves a provider at http://127.0.0.1:port until the test ends.
// cfg.Issuer is set to that.
func Start(t testing.TB, cfg idp.Config) *idp.Provider {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	cfg.Issuer = "http://" + server.Listener.Addr().(*net.TCPAddr).String()
	provider, err := idp.New(cfg)
	if err != nil {
		server.Close()
		t.Fatalf("idptest: start: %v", err)
	}
	server.Config.Handler = provider
	server.Start()
	t.Cleanup(func() {
		provider.SetFault(idp.FaultNone) // lets go of requests that Close would wait for
		server.Close()
	})
	return provider
}

// SignIn is person.SignIn.
func SignIn(t testing.TB, client *http.Client, authURL, user, password string) (callbackURL string) {
	t.Helper()
	callbackURL, err := person.SignIn(t.Context(), client, authURL, user, password)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return callbackURL
}

// Page is a person.Page.
type Page struct{ *person.Page }

// Visit is person.Visit.
func Visit(t testing.TB, client *http.Client, rawURL string) *Page {
	t.Helper()
	page, err := person.Visit(t.Context(), client, rawURL)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return &Page{page}
}

// Submit posts the page's form with values over what the page filled in.
func (p *Page) Submit(t testing.TB, values url.Values) *Page {
	t.Helper()
	page, err := p.Page.Submit(t.Context(), values)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return &Page{page}
}
