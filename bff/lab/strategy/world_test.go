package strategy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// inPage are the strategies whose page holds the tokens.
func inPage() []lab.Strategy {
	return slices.DeleteFunc(lab.Strategies(), func(s lab.Strategy) bool { return !s.TokensInPage })
}

func open(t *testing.T) (*strategy.World, *http.Client) {
	t.Helper()
	w, err := strategy.Open(strategy.Config{Strategies: inPage()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, newBrowser(w)
}

func newBrowser(w *strategy.World) *http.Client {
	jar, _ := cookiejar.New(nil) // without options there is nothing to fail
	return &http.Client{Transport: w.Transport(), Jar: jar}
}

func get(t *testing.T, client *http.Client, address string) (int, string) {
	t.Helper()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

var scriptOrigin = regexp.MustCompile(`(?:from|import|Worker\(|register\(|instantiateStreaming\(fetch\() ?"(/[^"]+)"`)

func TestEveryPageIsWholeAndHasNoInlineScript(t *testing.T) {
	w, client := open(t)
	for _, s := range w.Strategies() {
		status, page := get(t, client, w.Origin(s.ID)+"/")
		if status != http.StatusOK || !strings.Contains(page, s.Name) {
			t.Errorf("%s: %d %s", s.ID, status, page)
		}
		if status, config := get(t, client, w.Origin(s.ID)+"/config.js"); status != http.StatusOK || !strings.Contains(config, w.ClientID(s.ID)) {
			t.Errorf("%s: %d %s", s.ID, status, config)
		}
		if strings.Count(page, "<script") != 1 || !strings.Contains(page, `src="/app.js"></script>`) || strings.Contains(page, "style=") {
			t.Errorf("%s has inline script or style:\n%s", s.ID, page)
		}
		for todo, done := []string{"/app.js"}, map[string]bool{}; len(todo) > 0; todo = todo[1:] {
			if done[todo[0]] {
				continue
			}
			done[todo[0]] = true
			status, script := get(t, client, w.Origin(s.ID)+todo[0])
			if status != http.StatusOK {
				t.Errorf("%s imports %s, which answers %d", s.ID, todo[0], status)
			}
			for _, match := range scriptOrigin.FindAllStringSubmatch(script, -1) {
				todo = append(todo, match[1])
			}
		}
	}
	if status, _ := get(t, client, w.Origin("nobody")+"/"); status != http.StatusMisdirectedRequest {
		t.Errorf("a host that does not exist answers %d", status)
	}
	if _, err := client.Get("http://example.com/"); err == nil {
		t.Error("a client of the lab leaves the machine")
	}
}

// What a page does in its first second, without a browser: so that a lab which
// breaks is found by the quick tests.
func TestAPageCanSignInAndCall(t *testing.T) {
	w, client := open(t)
	s := w.Strategies()[0]
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B
	callback := idptest.SignIn(t, client, w.Issuer()+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {w.ClientID(s.ID)}, "redirect_uri": {w.RedirectURI(s)}, "scope": {w.Scope()},
		"state": {"state-1"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode(), strategy.Victim.Name, strategy.Victim.Password)
	answer, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, client, callback); status != http.StatusOK || w.CodeFor(s, "state-1") != answer.Query().Get("code") || w.CodeFor(s, "state-2") != "" {
		t.Errorf("the callback answers %d; its code is %q", status, w.CodeFor(s, "state-1"))
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {w.ClientID(s.ID)}, "redirect_uri": {w.RedirectURI(s)},
		"code": {answer.Query().Get("code")}, "code_verifier": {verifier},
	}
	resp := send(t, client, http.MethodPost, w.Issuer()+"/oauth/token", form.Encode(), w.Origin(s.ID), "")
	defer resp.Body.Close()
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.Access == "" || tokens.Refresh == "" {
		t.Fatalf("the token endpoint answers %d: %v", resp.StatusCode, err)
	}
	orders, header := w.Orders(s)
	call := send(t, client, http.MethodGet, orders, "", w.Origin(s.ID), tokens.Access)
	defer call.Body.Close()
	if call.StatusCode != http.StatusOK || header {
		t.Errorf("the API answers %d", call.StatusCode)
	}
	for what, r := range map[string]*http.Response{"the token endpoint": resp, "the API": call} {
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != w.Origin(s.ID) {
			t.Errorf("%s allows %q to read", what, got)
		}
	}
	if list, err := w.VictimsOrders(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("the witness sees %d orders: %v", len(list), err)
	}
}

func send(t *testing.T, client *http.Client, method, address, body, origin, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestAWorldNeedsACloakroomWhereOneBelongs(t *testing.T) {
	if w, err := strategy.Open(strategy.Config{}); err == nil {
		_ = w.Close()
		t.Error("it opens without")
	}
}
