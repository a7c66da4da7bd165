package property

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// door lets victims in by HTTP alone: each comes with nothing but the session at
// the provider that the browser has, in which all has been asked that there is
// to ask.
type door struct {
	transport http.RoundTripper
	login     string
	issuer    *url.URL
	provider  []*http.Cookie
}

func (s *subject) door(ctx context.Context) (*door, error) {
	issuer, err := url.Parse(s.world.Issuer())
	if err != nil {
		return nil, fmt.Errorf("property: %w", err)
	}
	cookies, err := s.browser.Cookies(ctx, s.world.Issuer())
	if err != nil {
		return nil, fmt.Errorf("property: read the provider's cookies: %w", err)
	}
	return &door{navigating{s.world.Transport()}, s.world.SignIn(s.strategy), issuer, cookies}, nil
}

// enter has n victims sign in, one after the other.
func (d *door) enter(ctx context.Context, n int) error {
	for range n {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return fmt.Errorf("property: sign in: %w", err)
		}
		client := &http.Client{Transport: d.transport, Jar: trusting{jar}}
		client.Jar.SetCookies(d.issuer, d.provider)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.login, nil)
		if err != nil {
			return fmt.Errorf("property: sign in: %w", err)
		}
		resp, err := client.Do(r)
		if err != nil {
			return fmt.Errorf("property: sign in: %w", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return fmt.Errorf("property: sign in: %w", err)
		}
		if resp.StatusCode != http.StatusOK || len(client.Jar.Cookies(resp.Request.URL)) == 0 || resp.Request.URL.Host == d.issuer.Host {
			return fmt.Errorf("property: a sign-in ended at %s with %d", resp.Request.URL.Path, resp.StatusCode)
		}
	}
	return nil
}

// navigating sends what browsers say of a visit.
type navigating struct{ base http.RoundTripper }

func (n navigating) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "none")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return n.base.RoundTrip(r)
}

// trusting keeps and sends Secure cookies on loopback, as browsers do (Secure
// Contexts §3.1).
type trusting struct{ http.CookieJar }

func (t trusting) SetCookies(u *url.URL, cookies []*http.Cookie) {
	t.CookieJar.SetCookies(overTLS(u), cookies)
}

func (t trusting) Cookies(u *url.URL) []*http.Cookie { return t.CookieJar.Cookies(overTLS(u)) }

func overTLS(u *url.URL) *url.URL {
	secure := *u
	secure.Scheme = "https"
	return &secure
}
