package idptest

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"cloakroom/bff/demo/idp"
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

// maxSteps bounds the redirects and forms of one sign-in.
const maxSteps = 20

// SignIn goes to authURL, which may be a relying party's own sign-in path,
// signs in and agrees to everything, and returns where the provider sends the
// browser then, without going there. Cookies live in client.Jar; a client
// without one gets one for this call. Hosts are reached as client.Transport
// sees fit. An error answer of the provider ends the same way: it is returned.
func SignIn(t testing.TB, client *http.Client, authURL, user, password string) (callbackURL string) {
	t.Helper()
	page := Visit(t, client, authURL)
	for range maxSteps {
		if page.Callback != "" {
			return page.Callback
		}
		switch {
		case page.Has("password"):
			if page.Alert != "" {
				t.Fatalf("idptest: sign in as %s: %s", user, page.Alert)
			}
			page = page.Submit(t, url.Values{"username": {user}, "password": {password}})
		case page.Has("decision"):
			page = page.Submit(t, url.Values{"decision": {"allow"}})
		default:
			t.Fatalf("idptest: sign in: stuck at %s (%d): %s", page.URL, page.Status, page.Text)
		}
	}
	t.Fatalf("idptest: sign in: no end after %d forms", maxSteps)
	return ""
}

// Page is where a visit ended: at a page of the provider, or at a Callback.
type Page struct {
	URL      *url.URL
	Status   int
	Header   http.Header
	Callback string     // the redirect that leaves for the client's redirect_uri; not followed
	Text     string     // what the page says
	Alert    string     // its error message
	Action   string     // of its form; empty without one
	Fields   url.Values // of its form, as the page filled them; buttons by their first value

	client   *http.Client
	redirect string
}

// Visit follows redirects from rawURL to a page or to a client's redirect URI,
// which it recognises by the redirect_uri parameter it saw go by.
func Visit(t testing.TB, client *http.Client, rawURL string) *Page {
	t.Helper()
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Jar == nil {
		c.Jar, _ = cookiejar.New(nil)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
	if err != nil {
		t.Fatalf("idptest: visit: %v", err)
	}
	return (&Page{client: &c}).travel(t, request)
}

// Has reports whether the page has a form with that field or button.
func (p *Page) Has(field string) bool { return p.Action != "" && p.Fields.Has(field) }

// Submit posts the page's form with values over what the page filled in.
func (p *Page) Submit(t testing.TB, values url.Values) *Page {
	t.Helper()
	if p.Action == "" {
		t.Fatalf("idptest: submit: no form at %s (%d): %s", p.URL, p.Status, p.Text)
	}
	form := url.Values{}
	for _, fields := range []url.Values{p.Fields, values} {
		for name, value := range fields {
			form[name] = value
		}
	}
	action, err := p.URL.Parse(p.Action)
	if err != nil {
		t.Fatalf("idptest: submit: %v", err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, action.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatalf("idptest: submit: %v", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", action.Scheme+"://"+action.Host)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.travel(t, request)
}

// travel sends request and follows what comes back until a page is reached.
func (p *Page) travel(t testing.TB, request *http.Request) *Page {
	t.Helper()
	at := &Page{client: p.client, redirect: p.redirect}
	for range maxSteps {
		at.sees(request.URL)
		// As a browser's navigation.
		request.Header.Set("Accept", "text/html,application/xhtml+xml")
		request.Header.Set("Sec-Fetch-Mode", "navigate")
		request.Header.Set("Sec-Fetch-Dest", "document")
		response, err := at.client.Do(request)
		if err != nil {
			t.Fatalf("idptest: visit: %v", err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatalf("idptest: read page: %v", err)
		}
		at.URL, at.Status, at.Header = request.URL, response.StatusCode, response.Header
		next, err := response.Location()
		if err != nil || response.StatusCode < 300 || response.StatusCode > 399 {
			at.read(string(body))
			return at
		}
		if at.redirect != "" && strings.HasPrefix(next.String(), at.redirect) {
			at.Callback = next.String()
			return at
		}
		if request, err = http.NewRequestWithContext(t.Context(), http.MethodGet, next.String(), nil); err != nil {
			t.Fatalf("idptest: visit: %v", err)
		}
	}
	t.Fatalf("idptest: visit: more than %d redirects", maxSteps)
	return nil
}

func (p *Page) sees(u *url.URL) {
	for _, name := range []string{"redirect_uri", "post_logout_redirect_uri"} {
		if uri := u.Query().Get(name); uri != "" {
			p.redirect = uri
		}
	}
}

// read takes in the page's words and its first form.
func (p *Page) read(body string) {
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		return
	}
	p.Text = words(root)
	for node := range root.Descendants() {
		switch {
		case attribute(node, "role") == "alert":
			p.Alert = words(node)
		case node.Type == html.ElementNode && node.Data == "form" && p.Action == "":
			p.Action, p.Fields = attribute(node, "action"), fields(node)
		}
	}
}

func fields(form *html.Node) url.Values {
	values := url.Values{}
	for node := range form.Descendants() {
		if node.Type != html.ElementNode || (node.Data != "input" && node.Data != "button") {
			continue
		}
		if name := attribute(node, "name"); name != "" && !values.Has(name) {
			values.Set(name, attribute(node, "value"))
		}
	}
	return values
}

func words(node *html.Node) string {
	var text strings.Builder
	for n := range node.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
