package strategy_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// mediation is a browser at the lab's token-mediating backend. Its cookies are
// kept here: no jar sends Secure ones over plain http.
type mediation struct {
	t      *testing.T
	w      *strategy.World
	s      lab.Strategy
	client *http.Client // the browser's part at the provider
	cookie string
	set    []*http.Cookie // all that was ever set
	said   strings.Builder
}

func mediate(t *testing.T) *mediation {
	t.Helper()
	s, _ := lab.FindStrategy("token-mediating")
	w, err := strategy.Open(strategy.Config{Strategies: []lab.Strategy{s}, AccessTokenLifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	m := &mediation{t: t, w: w, s: s, client: newBrowser(w)}
	visit := m.send(http.MethodGet, "/sign-in", "", nil)
	callback := idptest.SignIn(t, m.client, visit.Header.Get("Location"), strategy.Victim.Name, strategy.Victim.Password)
	back := m.send(http.MethodGet, strings.TrimPrefix(callback, w.Origin(s.ID)), "", nil)
	if back.StatusCode != http.StatusFound || back.Header.Get("Location") != "/" {
		t.Fatalf("the callback answers %d", back.StatusCode)
	}
	return m
}

// send sends a request as the browser does; headers are over those of a page's call.
func (m *mediation) send(method, path, form string, headers map[string]string) *http.Response {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, m.w.Origin(m.s.ID)+path, strings.NewReader(form))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", m.cookie)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	transport := m.w.Transport()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		m.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	m.said.Write(body)
	for _, c := range resp.Cookies() {
		m.set = append(m.set, c)
		m.cookie = c.Name + "=" + c.Value
	}
	return resp
}

var ownPage = map[string]string{"X-CSRF": "1", "Sec-Fetch-Site": "same-origin"}

// token asks for one, and returns its claims.
func (m *mediation) token(form url.Values) (status int, token string, claims map[string]any) {
	m.t.Helper()
	resp := m.send(http.MethodPost, "/token", form.Encode(), ownPage)
	var got struct {
		Access string `json:"access_token"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&got)
	if parts := strings.Split(got.Access, "."); len(parts) == 3 {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil {
			err = json.Unmarshal(raw, &claims)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	return resp.StatusCode, got.Access, claims
}

func (m *mediation) orders() url.Values {
	return url.Values{"scope": {"orders"}, "resource": {m.w.API()}}
}

func TestAMediatorIsAConfidentialClientWithPKCE(t *testing.T) { // BBA-34, BBA-35
	m := mediate(t)
	address, err := url.Parse(m.send(http.MethodGet, "/sign-in", "", nil).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	asked := address.Query()
	if asked.Get("response_type") != "code" || asked.Get("code_challenge_method") != "S256" || asked.Get("state") == "" || asked.Get("nonce") == "" {
		t.Errorf("it asks %v", asked)
	}
	// Without its secret the provider gives nothing, whatever the code.
	resp := send(t, m.client, http.MethodPost, m.w.Issuer()+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {m.w.ClientID(m.s.ID)}, "code": {"x"}, "code_verifier": {"x"}, "redirect_uri": {m.w.RedirectURI(m.s)},
	}.Encode(), "", "")
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), "invalid_client") {
		t.Errorf("without the secret: %d %s", resp.StatusCode, body)
	}
}

func TestAMediatorsCookiesAreThoseOfTheDraft(t *testing.T) { // BBA-36
	m := mediate(t)
	seen := map[string]bool{}
	for _, c := range m.set {
		seen[c.Name] = true
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-Http-") {
			t.Errorf("a cookie is %s", c)
		}
		if strings.HasSuffix(c.Name, "-flow") != (c.SameSite == http.SameSiteLaxMode) || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode {
			t.Errorf("a cookie is %s", c)
		}
	}
	if len(seen) != 2 {
		t.Errorf("cookies %v", seen)
	}
}

func TestAMediatorGivesTokensToItsOwnPageAlone(t *testing.T) { // BBA-37
	m := mediate(t)
	own := m.w.Origin(m.s.ID)
	for _, row := range []struct {
		name    string
		headers map[string]string
		cookie  bool
		want    int
	}{
		{"its page", ownPage, true, 200},
		{"its page, in a browser without Sec-Fetch-Site", map[string]string{"X-CSRF": "1", "Origin": own}, true, 200},
		{"its page, signed out", ownPage, false, 401},
		{"a form, which has no header", map[string]string{"Sec-Fetch-Site": "same-origin"}, true, 403},
		{"a page of a sibling", map[string]string{"X-CSRF": "1", "Sec-Fetch-Site": "same-site"}, true, 403},
		{"a page of another site", map[string]string{"X-CSRF": "1", "Sec-Fetch-Site": "cross-site"}, true, 403},
		{"another origin, in a browser without Sec-Fetch-Site", map[string]string{"X-CSRF": "1", "Origin": m.w.Origin("local-storage")}, true, 403},
		{"a sandboxed page", map[string]string{"X-CSRF": "1", "Origin": "null"}, true, 403},
		{"nobody's", map[string]string{"X-CSRF": "1", "Sec-Fetch-Site": "none"}, true, 403},
	} {
		for _, path := range []string{"POST /token", "GET /session"} {
			cookie, method := m.cookie, strings.Fields(path)
			if !row.cookie {
				m.cookie = ""
			}
			resp := m.send(method[0], method[1], m.orders().Encode(), row.headers)
			m.cookie = cookie
			want := row.want
			if want == 200 && method[0] == "GET" {
				want = 204
			}
			if resp.StatusCode != want || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %s answers %d, want %d", row.name, path, resp.StatusCode, want)
			}
		}
	}
}

func TestAMediatorsTokenMayDoWhatWasAskedForAndNoMore(t *testing.T) { // BBA-38, BBA-39, BBA-40
	m := mediate(t)
	status, wide, claims := m.token(url.Values{"scope": {"profile orders"}, "resource": {m.w.API()}})
	if status != http.StatusOK || claims["scope"] != "profile orders" && claims["scope"] != "orders profile" {
		t.Fatalf("%d, scope %v", status, claims["scope"])
	}
	// A wider token is kept by now, and is not what comes.
	status, narrow, claims := m.token(m.orders())
	if status != http.StatusOK || narrow == wide || claims["scope"] != "orders" || claims["aud"] != m.w.API() {
		t.Errorf("%d, scope %v, aud %v", status, claims["scope"], claims["aud"])
	}
	if _, again, _ := m.token(m.orders()); again != narrow {
		t.Error("a token that is still good was not used again")
	}
	for name, form := range map[string]url.Values{
		"no scope":                          {"resource": {m.w.API()}},
		"a scope that was not granted":      {"scope": {"orders admin"}, "resource": {m.w.API()}},
		"no API":                            {"scope": {"orders"}},
		"an API that nobody registered":     {"scope": {"orders"}, "resource": {"https://api.example"}},
		"the issuer, which is no API":       {"scope": {"orders"}, "resource": {m.w.Issuer()}},
		"the same scope, spelt in capitals": {"scope": {"ORDERS"}, "resource": {m.w.API()}},
	} {
		if status, token, _ := m.token(form); status != http.StatusBadRequest || token != "" {
			t.Errorf("%s: %d", name, status)
		}
	}
}

func TestAMediatorsSessionEndsWithItsRefreshToken(t *testing.T) { // BBA-41
	m := mediate(t)
	if strings.Contains(m.said.String(), "refresh_token") || slices.ContainsFunc(m.set, func(c *http.Cookie) bool { return len(c.Value) > 40 }) {
		t.Error("the browser got more than the number of its session")
	}
	// At the provider: with the session there, every grant ends.
	if page := idptest.Visit(t, m.client, m.w.Issuer()+"/end_session"); !page.Has("request") {
		t.Fatalf("%d %s", page.Status, page.Text)
	} else if page = page.Submit(t, nil); page.Status != http.StatusOK {
		t.Fatalf("%d %s", page.Status, page.Text)
	}
	if status, token, _ := m.token(m.orders()); status != http.StatusUnauthorized || token != "" {
		t.Errorf("with a dead refresh token: %d", status)
	}
	if resp := m.send(http.MethodGet, "/session", "", ownPage); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session lives on: %d", resp.StatusCode)
	}
}

func TestAMediatorsSignOutRevokes(t *testing.T) {
	m := mediate(t)
	cookie := m.cookie
	if resp := m.send(http.MethodPost, "/sign-out", "", ownPage); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d", resp.StatusCode)
	}
	visits := m.w.Visits(0)
	if !slices.ContainsFunc(visits, func(v strategy.Visit) bool { return v.Path == "/revoke" && v.Status == http.StatusOK }) {
		t.Error("the refresh token was not revoked")
	}
	m.cookie = cookie
	if status, _, _ := m.token(m.orders()); status != http.StatusUnauthorized {
		t.Errorf("the old cookie: %d", status)
	}
}

func TestAMediatorTakesNoAnswerToAQuestionOfAnotherBrowser(t *testing.T) {
	m := mediate(t)
	visit := m.send(http.MethodGet, "/sign-in", "", nil)
	callback := idptest.SignIn(t, m.client, visit.Header.Get("Location"), strategy.Victim.Name, strategy.Victim.Password)
	path := strings.TrimPrefix(callback, m.w.Origin(m.s.ID))
	right := m.cookie
	for name, try := range map[string]func() *http.Response{
		"without the flow's cookie": func() *http.Response { m.cookie = ""; return m.send(http.MethodGet, path, "", nil) },
		"with another state": func() *http.Response {
			m.cookie = right
			return m.send(http.MethodGet, strings.Replace(path, "state=", "state=x", 1), "", nil)
		},
	} {
		if resp := try(); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}
