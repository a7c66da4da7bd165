package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/oauth2"
)

// person signs in at fronts as a browser does. At the provider they stay signed
// in, as people are; at a front each sign-in is a browser of its own.
type person struct {
	transport *http.Transport
	provider  http.CookieJar
	host      string // of the provider, with its port
}

func newPerson(providerHost string) (*person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &person{
		provider: jar, host: providerHost,
		transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port)) // *.localhost is this machine
		}},
	}, nil
}

// visit is one browser's way through a sign-in.
type visit struct {
	*person
	client *http.Client
	jar    *cookiejar.Jar
	// front is told how long each answer of the front took; nil tells nobody.
	front func(path string, took time.Duration)
}

// Secure cookies are for plain http on localhost too, as in browsers (Secure
// Contexts §3.1); the provider's are apart from the front's.
func (v *visit) jarOf(u *url.URL) (http.CookieJar, *url.URL) {
	if u.Host == v.host {
		return v.provider, u
	}
	secure := *u
	secure.Scheme = "https"
	return v.jar, &secure
}

func (v *visit) Cookies(u *url.URL) []*http.Cookie {
	jar, u := v.jarOf(u)
	return jar.Cookies(u)
}

func (v *visit) SetCookies(u *url.URL, cookies []*http.Cookie) {
	jar, u := v.jarOf(u)
	jar.SetCookies(u, cookies)
}

// most bounds the redirects and forms of a sign-in.
const most = 20

// signIn begins at a front's address, does what the provider asks for, and
// returns the Cookie header for calls to back once it is at the front again.
// front is told how long the front took for each answer; nil tells nobody.
func (p *person) signIn(ctx context.Context, begin, back string, front func(path string, took time.Duration)) (cookies string, err error) {
	v, err := p.newVisit(front)
	if err != nil {
		return "", err
	}
	start, err := url.Parse(begin)
	if err != nil {
		return "", err
	}
	_, err = v.travel(ctx, begin, func(at, _ *url.URL) bool { return at.Host == start.Host && at.Query().Get("code") != "" })
	if err != nil {
		return "", err
	}
	return v.header(back)
}

// mint signs in without a front, as a client that has the code brought to
// callback, and returns the access token.
func (p *person) mint(ctx context.Context, issuer, callback string) (string, error) {
	v, err := p.newVisit(nil)
	if err != nil {
		return "", err
	}
	client := oauth2.Config{
		ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback, Scopes: []string{"openid", "profile", "email", "offline_access"},
		Endpoint: oauth2.Endpoint{AuthURL: issuer + "/authorize", TokenURL: issuer + "/oauth/token"},
	}
	verifier := oauth2.GenerateVerifier()
	end, err := v.travel(ctx, client.AuthCodeURL(rand.Text(), oauth2.S256ChallengeOption(verifier)),
		func(_, next *url.URL) bool { return next != nil && strings.HasPrefix(next.String(), callback) })
	if err != nil {
		return "", err
	}
	token, err := client.Exchange(context.WithValue(ctx, oauth2.HTTPClient, v.client), end.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

func (p *person) newVisit(front func(path string, took time.Duration)) (*visit, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visit{person: p, jar: jar, front: front}
	v.client = &http.Client{Transport: p.transport, Jar: v, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return v, nil
}

// travel follows redirects and fills in the provider's forms, until done is true
// of where it is and where it is sent next; it returns the latter, if any.
func (v *visit) travel(ctx context.Context, begin string, done func(at, next *url.URL) bool) (*url.URL, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, begin, nil)
	if err != nil {
		return nil, err
	}
	for range most {
		at := r.URL
		answer, page, err := v.request(r)
		if err != nil {
			return nil, err
		}
		next, redirected := answer.Location()
		switch {
		case answer.StatusCode >= 400 && !strings.Contains(page, "<form"):
			return nil, fmt.Errorf("%d at %s: %.300s", answer.StatusCode, at.Path, page)
		case done(at, next):
			return next, nil
		case redirected == nil:
			r, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil)
		default:
			r, err = fill(ctx, at, page)
		}
		if err != nil {
			return nil, fmt.Errorf("at %s (%d): %w", at.Path, answer.StatusCode, err)
		}
	}
	return nil, errors.New("the sign-in has no end")
}

// header is what a browser would send along with a call to address.
func (v *visit) header(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, c := range v.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if len(pairs) == 0 {
		return "", errors.New("the sign-in left no cookie")
	}
	return strings.Join(pairs, "; "), nil
}

func (v *visit) request(r *http.Request) (*http.Response, string, error) {
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	if r.Header.Get("Sec-Fetch-Site") == "" {
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	began := time.Now()
	answer, err := v.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	page, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if v.front != nil && r.URL.Host != v.host {
		v.front(r.URL.Path, time.Since(began))
	}
	return answer, string(page), err
}

// fill answers the first form of the provider's page: it signs in, or agrees.
func fill(ctx context.Context, at *url.URL, page string) (*http.Request, error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil, err
	}
	form := find(root, "form")
	if form == nil {
		return nil, errors.New("there is no form")
	}
	values := url.Values{}
	for node := range form.Descendants() {
		name := attribute(node, "name")
		if node.Type == html.ElementNode && (node.Data == "input" || node.Data == "button") && name != "" && !values.Has(name) {
			values.Set(name, attribute(node, "value"))
		}
	}
	if values.Has("password") {
		if find(root, "p") != nil && strings.Contains(page, `role="alert"`) {
			return nil, errors.New("the password is refused")
		}
		values.Set("username", userName)
		values.Set("password", userPassword)
	}
	action, err := at.Parse(attribute(form, "action"))
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", action.Scheme+"://"+action.Host)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r, nil
}

func find(root *html.Node, name string) *html.Node {
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == name {
			return node
		}
	}
	return nil
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
