package strategy_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// asOverTLS keeps and sends Secure cookies on loopback, as a browser does.
type asOverTLS struct{ jar *cookiejar.Jar }

func (j asOverTLS) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.jar.SetCookies(secured(u), cookies)
}
func (j asOverTLS) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(secured(u)) }

func secured(u *url.URL) *url.URL { return &url.URL{Scheme: "https", Host: u.Host, Path: u.Path} }

// signedIn is a world with that strategy, and a client that is signed in there.
func signedIn(t *testing.T, id string) (w *strategy.World, origin string, client *http.Client) {
	t.Helper()
	s, ok := lab.FindStrategy(id)
	if !ok {
		t.Fatalf("there is no %q", id)
	}
	w, err := strategy.Open(strategy.Config{Strategies: []lab.Strategy{s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	origin, client = w.Origin(id), &http.Client{Transport: w.Transport(), Jar: asOverTLS{jar}}
	callback := idptest.SignIn(t, client, origin+shared.PathLogin, strategy.Victim.Name, strategy.Victim.Password)
	if status, page := get(t, client, callback); status != http.StatusOK || !strings.Contains(page, s.Name) {
		t.Fatalf("the sign-in ends with %d %s", status, page)
	}
	return w, origin, client
}

// with sends one request with those cookies and no others.
func with(t *testing.T, w *strategy.World, address string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := w.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestAPlainCookieIsTheTokenItself(t *testing.T) {
	w, origin, client := signedIn(t, "cookie-jwt")
	status, user := get(t, client, origin+shared.PathUser)
	if status != http.StatusOK || !strings.Contains(user, strategy.Victim.Subject) {
		t.Errorf("the user is %d %s", status, user)
	}
	if status, orders := get(t, client, origin+"/api/orders"); status != http.StatusOK || !strings.Contains(orders, `"total":3`) {
		t.Errorf("the proxy answers %d %s", status, orders)
	}
	u, _ := url.Parse(origin)
	held := map[string]*http.Cookie{}
	for _, c := range client.Jar.Cookies(u) {
		held[c.Name] = c
	}
	access, refresh := held["access_token"], held["refresh_token"]
	if access == nil || refresh == nil || len(held) != 2 {
		t.Fatalf("%d cookies are held", len(held))
	}
	direct := send(t, &http.Client{Transport: w.Transport()}, http.MethodGet, w.API()+"/orders", "", "http://evil.localhost", access.Value)
	defer direct.Body.Close()
	if direct.StatusCode != http.StatusOK {
		t.Errorf("the API answers %d to a copy of the cookie", direct.StatusCode)
	}

	if got := with(t, w, origin+"/api/orders", refresh); got.StatusCode != http.StatusOK || len(got.Cookies()) != 2 {
		t.Errorf("without the access token: %d and %d cookies", got.StatusCode, len(got.Cookies()))
	}
	last := access.Value[len(access.Value)-6:]
	forged := &http.Cookie{Name: access.Name, Value: strings.TrimSuffix(access.Value, last) + strings.Map(func(r rune) rune {
		return map[bool]rune{true: 'B', false: 'A'}[r == 'A']
	}, last)}
	for name, cookies := range map[string][]*http.Cookie{"no cookie": nil, "a forged one": {forged}} {
		for _, path := range []string{shared.PathUser, "/api/orders"} {
			if got := with(t, w, origin+path, cookies...); got.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %s answers %d", name, path, got.StatusCode)
			}
		}
	}

	if status, _ := get(t, client, origin+shared.PathLogout); status != http.StatusOK || len(client.Jar.Cookies(u)) != 0 {
		t.Errorf("the sign-out answers %d and leaves %d cookies", status, len(client.Jar.Cookies(u)))
	}
	if got := with(t, w, origin+"/api/orders", access); got.StatusCode != http.StatusOK {
		t.Errorf("a copy after the sign-out: %d", got.StatusCode)
	}
}

func TestAPlainCookieIsSetWithEveryAttribute(t *testing.T) {
	w, origin, client := signedIn(t, "cookie-jwt")
	u, _ := url.Parse(origin)
	for _, c := range client.Jar.Cookies(u) {
		if c.Name != "refresh_token" {
			continue
		}
		for _, set := range with(t, w, origin+shared.PathUser, c).Cookies() {
			if !set.HttpOnly || !set.Secure || set.SameSite != http.SameSiteStrictMode || set.Domain != "" || set.Path != "/" || set.MaxAge <= 0 {
				t.Errorf("%+v", set)
			}
		}
	}
}

func TestAPlainCookieIsForNoForgedAnswer(t *testing.T) {
	w, origin, _ := signedIn(t, "cookie-jwt")
	begun := with(t, w, origin+shared.PathLogin)
	if begun.StatusCode != http.StatusFound || len(begun.Cookies()) != 1 {
		t.Fatalf("a sign-in begins with %d", begun.StatusCode)
	}
	location, err := begun.Location()
	if err != nil {
		t.Fatal(err)
	}
	own := url.Values{"code": {"stolen"}, "state": {location.Query().Get("state")}, "iss": {w.Issuer()}}
	for name, c := range map[string]struct {
		answer  url.Values
		cookies []*http.Cookie
		want    int
	}{
		"nothing was begun":  {own, nil, http.StatusBadRequest},
		"another's state":    {url.Values{"code": {"stolen"}, "state": {"x"}, "iss": {w.Issuer()}}, begun.Cookies(), http.StatusBadRequest},
		"another's issuer":   {url.Values{"code": {"stolen"}, "state": own["state"], "iss": {"http://evil.localhost"}}, begun.Cookies(), http.StatusBadRequest},
		"no code of the IdP": {own, begun.Cookies(), http.StatusBadGateway},
	} {
		if got := with(t, w, origin+shared.PathCallback+"?"+c.answer.Encode(), c.cookies...); got.StatusCode != c.want || len(got.Cookies()) != 0 {
			t.Errorf("%s: %d and %d cookies", name, got.StatusCode, len(got.Cookies()))
		}
	}
}
