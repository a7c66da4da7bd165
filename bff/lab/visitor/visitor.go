package visitor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cloakroom/bff/demo/idp/person"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Site is where visitors go.
type Site struct {
	Origin    string
	transport *http.Transport
}

// patience bounds a request. None is expected to take that long: a server
// bounds its own waits below it.
const patience = 20 * time.Second

// NewSite is for visitors of an origin, whose certificate roots vouch for; nil:
// it has none. Each connection serves one request at a time, as from different
// browsers.
func NewSite(origin string, roots *x509.CertPool) *Site {
	t := &http.Transport{MaxIdleConnsPerHost: 256, DialContext: dial}
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &Site{origin, t}
}

// dial takes names below localhost for this machine, as browsers do (RFC 6761
// §6.3).
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && strings.HasSuffix(host, ".localhost") {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// Close lets go of the connections.
func (s *Site) Close() { s.transport.CloseIdleConnections() }

// Visitor is one browser and the person before it. One goroutine may use it at
// a time.
type Visitor struct {
	site           *Site
	user, password string
	jar            *jar
	client         *http.Client
	// Logout is the link of the session, which no other session has; "": not
	// signed in yet.
	Logout string
	// Subject is who is signed in, as the server says.
	Subject string
}

// New is a visitor with a new browser.
func New(site *Site, user, password string) *Visitor {
	v := &Visitor{site: site, user: user, password: password}
	v.use(newJar())
	v.jar.keeps = true
	return v
}

func (v *Visitor) use(j *jar) {
	v.jar = j
	v.client = &http.Client{
		Jar: j, Transport: visits{v.site.transport}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Thief has copies of the visitor's cookies as they are now, and keeps them.
func (v *Visitor) Thief() *Visitor {
	thief := *v
	thief.use(v.jar.copy())
	return &thief
}

// visits adds what browsers say of a visit that nobody's page began.
type visits struct{ http.RoundTripper }

func (v visits) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Site") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	return v.RoundTripper.RoundTrip(r)
}

// Answer is how a call was answered, read to its end.
type Answer struct {
	Status int
	Code   problem.Code // of a problem, as document or page; "": it is none
	Retry  bool         // it says when to come again
	Body   string
}

// SignInError is a sign-in that a server ended.
type SignInError struct{ Answer }

func (e *SignInError) Error() string {
	return fmt.Sprintf("visitor: a sign-in ended with %d %s", e.Status, e.Code)
}

// SignIn makes a new session, in place of the one there was, and learns whose it
// is. The error is a *SignInError, a *person.StuckError or of the network.
func (v *Visitor) SignIn(ctx context.Context) error {
	v.Logout, v.Subject = "", ""
	callback, err := person.SignIn(ctx, v.client, v.site.Origin+shared.PathLogin, v.user, v.password)
	if err != nil {
		return err
	}
	got, err := v.visit(ctx, callback)
	if err != nil {
		return err
	}
	if got.Status != http.StatusSeeOther {
		return &SignInError{got}
	}
	// Where servers do not share sessions, not everyone knows it.
	for range 32 {
		if got, err = v.Call(ctx, shared.PathUser); err != nil {
			return err
		}
		if got.Status == http.StatusOK {
			v.Subject, v.Logout = got.Who()
			if v.Logout == "" {
				return errors.New("visitor: the server does not say how to sign out")
			}
			return nil
		}
	}
	return &SignInError{got}
}

func (v *Visitor) visit(ctx context.Context, address string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Answer{}, err
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return do(v.client, r)
}

// Call is a GET as a script of the application makes it.
func (v *Visitor) Call(ctx context.Context, path string) (Answer, error) {
	r, err := v.call(ctx, v.site.Origin+path)
	if err != nil {
		return Answer{}, err
	}
	return do(v.client, r)
}

// CallAt is a Call past the balancer: of the server at an address.
func (v *Visitor) CallAt(ctx context.Context, address, path string) (Answer, error) {
	origin, err := url.Parse(v.site.Origin)
	if err != nil {
		return Answer{}, err
	}
	r, err := v.call(ctx, "http://"+address+path)
	if err != nil {
		return Answer{}, err
	}
	r.Host = origin.Host
	for _, c := range v.jar.Cookies(origin) {
		r.AddCookie(c)
	}
	return do(&http.Client{Transport: v.site.transport, Timeout: patience}, r) // what the answer sets is not kept
}

func (v *Visitor) call(ctx context.Context, address string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	return r, nil
}

func do(client *http.Client, r *http.Request) (Answer, error) {
	response, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	got := Answer{Status: response.StatusCode, Body: string(body), Retry: response.Header.Get("Retry-After") != ""}
	if strings.HasPrefix(response.Header.Get("Content-Type"), problem.ContentType) {
		var details problem.Details
		if json.Unmarshal(body, &details) == nil {
			got.Code = details.Code
		}
	} else if found := pageCode.FindStringSubmatch(got.Body); got.Status >= 400 && found != nil {
		got.Code = problem.Code(found[1])
	}
	return got, nil
}

// pageCode is where an error's page has its code.
var pageCode = regexp.MustCompile(`<p class="code">\d+ · ([a-z_0-9]+)</p>`)

// SignOut follows the session's link, and reports how that was answered: 303
// when the session has ended.
func (v *Visitor) SignOut(ctx context.Context) (Answer, error) {
	return v.visit(ctx, v.site.Origin+v.Logout)
}

// Forget drops all that an origin gave to the browser: the provider's, and the
// next SignIn asks for the password again; the site's, and a balancer does not
// know it any more.
func (v *Visitor) Forget(origin string) {
	if u, err := url.Parse(origin); err == nil {
		v.jar.drop(u.Hostname())
	}
}

// Who reads an answer of shared.PathUser: for whom it is, and the session's link.
func (a Answer) Who() (subject, logout string) {
	var claims []shared.Claim
	if json.Unmarshal([]byte(a.Body), &claims) != nil {
		return "", ""
	}
	for _, c := range claims {
		switch text, _ := c.Value.(string); c.Type {
		case "sub":
			subject = text
		case shared.ClaimLogoutURL:
			logout = text
		}
	}
	return subject, logout
}
