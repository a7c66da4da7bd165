package person

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// maxSteps bounds the redirects and forms of one sign-in.
const maxSteps = 20

// SignIn goes to authURL, which may be a relying party's own sign-in path,
// signs in and agrees to everything, and returns where the provider sends the
// browser then, without going there. Cookies live in client.Jar; a client
// without one gets one for this call. Hosts are reached as client.Transport
// sees fit. An error answer of the provider ends the same way: it is returned.
func SignIn(ctx context.Context, client *http.Client, authURL, user, password string) (callbackURL string, err error) {
	page, err := Visit(ctx, client, authURL)
	for range maxSteps {
		switch {
		case err != nil:
			return "", err
		case page.Callback != "":
			return page.Callback, nil
		case page.Has("password"):
			if page.Alert != "" {
				return "", fmt.Errorf("person: sign in as %s: %s", user, page.Alert)
			}
			page, err = page.Submit(ctx, url.Values{"username": {user}, "password": {password}})
		case page.Has("decision"):
			page, err = page.Submit(ctx, url.Values{"decision": {"allow"}})
		default:
			return "", &StuckError{page.URL.Path, page.Status, page.Text}
		}
	}
	return "", fmt.Errorf("person: sign in: no end after %d forms", maxSteps)
}

// StuckError is a page that is neither the provider's forms nor the way back.
type StuckError struct {
	Path   string
	Status int
	Text   string // what it says
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("person: sign in: stuck at %s (%d): %s", e.Path, e.Status, e.Text)
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
func Visit(ctx context.Context, client *http.Client, rawURL string) (*Page, error) {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Jar == nil {
		c.Jar, _ = cookiejar.New(nil)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, fmt.Errorf("person: visit: %w", err)
	}
	return (&Page{client: &c}).travel(request)
}

// Has reports whether the page has a form with that field or button.
func (p *Page) Has(field string) bool { return p.Action != "" && p.Fields.Has(field) }

// Submit posts the page's form with values over what the page filled in.
func (p *Page) Submit(ctx context.Context, values url.Values) (*Page, error) {
	if p.Action == "" {
		return nil, fmt.Errorf("person: submit: no form at %s (%d): %s", p.URL, p.Status, p.Text)
	}
	form := url.Values{}
	for _, fields := range []url.Values{p.Fields, values} {
		for name, value := range fields {
			form[name] = value
		}
	}
	action, err := p.URL.Parse(p.Action)
	if err != nil {
		return nil, fmt.Errorf("person: submit: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("person: submit: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", action.Scheme+"://"+action.Host)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.travel(request)
}

// travel sends request and follows what comes back until a page is reached.
func (p *Page) travel(request *http.Request) (*Page, error) {
	at := &Page{client: p.client, redirect: p.redirect}
	for range maxSteps {
		at.sees(request.URL)
		// As a browser's navigation.
		request.Header.Set("Accept", "text/html,application/xhtml+xml")
		request.Header.Set("Sec-Fetch-Mode", "navigate")
		request.Header.Set("Sec-Fetch-Dest", "document")
		response, err := at.client.Do(request)
		if err != nil {
			return nil, fmt.Errorf("person: visit: %w", err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("person: read page: %w", err)
		}
		at.URL, at.Status, at.Header = request.URL, response.StatusCode, response.Header
		next, err := response.Location()
		if err != nil || response.StatusCode < 300 || response.StatusCode > 399 {
			at.read(string(body))
			return at, nil
		}
		if at.redirect != "" && strings.HasPrefix(next.String(), at.redirect) {
			at.Callback = next.String()
			return at, nil
		}
		if request, err = http.NewRequestWithContext(request.Context(), http.MethodGet, next.String(), nil); err != nil {
			return nil, fmt.Errorf("person: visit: %w", err)
		}
	}
	return nil, fmt.Errorf("person: visit: more than %d redirects", maxSteps)
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
