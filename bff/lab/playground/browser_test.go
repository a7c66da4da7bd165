package playground_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
)

// secure is a jar that takes loopback for secure, as browsers do.
type secure struct{ jar *cookiejar.Jar }

func tls(u *url.URL) *url.URL {
	over := *u
	over.Scheme = "https"
	return &over
}

func (s secure) Cookies(u *url.URL) []*http.Cookie       { return s.jar.Cookies(tls(u)) }
func (s secure) SetCookies(u *url.URL, c []*http.Cookie) { s.jar.SetCookies(tls(u), c) }

func (s secure) all(origin string) []*http.Cookie {
	u, err := url.Parse(origin)
	if err != nil {
		return nil
	}
	return s.Cookies(u)
}

func itoa(n int) string { return strconv.Itoa(n) }

// visits adds what browsers say of a visit that nobody's page began.
type visits struct{ http.RoundTripper }

func (v visits) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Site") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	return v.RoundTripper.RoundTrip(r)
}
