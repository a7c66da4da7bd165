package strategy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/dpop"
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

// BBA-64: what is bound to a key that stays in the browser is of no use
// elsewhere, but who begins a sign-in of their own binds it to theirs.
func TestDPoPStopsWhoHasATokenAndNotWhoHasACode(t *testing.T) {
	w, client := open(t)
	s, _ := lab.FindStrategy("dpop")
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B
	key := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	// ask sends a request with a proof of key, unless that is nil.
	ask := func(key *ecdsa.PrivateKey, method, address, scheme, token string, form url.Values) (int, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if token != "" {
			r.Header.Set("Authorization", scheme+" "+token)
		}
		if key != nil {
			if err := dpop.Prove(r.Header, key, method, address, token, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body map[string]any
		_ = json.NewDecoder(resp.Body).Decode(&body)
		return resp.StatusCode, body
	}
	redeem := func(key *ecdsa.PrivateKey) (int, map[string]any) {
		callback, err := url.Parse(idptest.SignIn(t, client, w.Issuer()+"/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {w.ClientID(s.ID)}, "redirect_uri": {w.RedirectURI(s)}, "scope": {w.Scope()},
			"state": {"x"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
		}.Encode(), strategy.Victim.Name, strategy.Victim.Password))
		if err != nil {
			t.Fatal(err)
		}
		return ask(key, http.MethodPost, w.Issuer()+"/oauth/token", "", "", url.Values{
			"grant_type": {"authorization_code"}, "client_id": {w.ClientID(s.ID)}, "redirect_uri": {w.RedirectURI(s)},
			"code": {callback.Query().Get("code")}, "code_verifier": {verifier},
		})
	}
	victims, thiefs := key(), key()
	status, tokens := redeem(victims)
	access, _ := tokens["access_token"].(string)
	refresh, _ := tokens["refresh_token"].(string)
	if status != http.StatusOK || access == "" || refresh == "" {
		t.Fatalf("%d %v", status, tokens)
	}
	orders, _ := w.Orders(s)
	renewal := url.Values{"grant_type": {"refresh_token"}, "client_id": {w.ClientID(s.ID)}, "refresh_token": {refresh}}
	for _, row := range []struct {
		name   string
		key    *ecdsa.PrivateKey
		scheme string
		want   int
	}{
		{"the victim's browser", victims, "DPoP", http.StatusOK},
		{"a thief, with the token alone", nil, "Bearer", http.StatusUnauthorized},
		{"a thief, with a key of their own", thiefs, "DPoP", http.StatusUnauthorized},
	} {
		if status, _ := ask(row.key, http.MethodGet, orders, row.scheme, access, nil); status != row.want {
			t.Errorf("%s: the API answers %d", row.name, status)
		}
	}
	for name, key := range map[string]*ecdsa.PrivateKey{"alone": nil, "with a key of their own": thiefs} {
		if status, body := ask(key, http.MethodPost, w.Issuer()+"/oauth/token", "", "", renewal); status == http.StatusOK {
			t.Errorf("a thief renews, %s: %v", name, body)
		}
	}
	if status, _ := redeem(nil); status == http.StatusOK {
		t.Error("the client gets tokens without a proof")
	}
	_, own := redeem(thiefs)
	mine, _ := own["access_token"].(string)
	if status, _ := ask(thiefs, http.MethodGet, orders, "DPoP", mine, nil); status != http.StatusOK {
		t.Errorf("with a sign-in of the thief's own: %d", status)
	}
}

func TestTheImplicitGrantIsOfOneApplicationAlone(t *testing.T) { // BBA-57
	w, client := open(t)
	for _, s := range w.Strategies() {
		if !s.Public {
			continue
		}
		page := idptest.Visit(t, client, w.Issuer()+"/authorize?"+url.Values{
			"response_type": {"token"}, "client_id": {w.ClientID(s.ID)}, "redirect_uri": {w.RedirectURI(s)}, "scope": {"openid orders"}, "state": {"x"},
		}.Encode())
		if asked := page.Has("password"); asked != (s.ID == "implicit") {
			t.Errorf("%s: the provider goes on: %t; %s", s.ID, asked, page.Callback)
		}
	}
}

// BBA-55: the scripts speak to workers of their own, by channels that nobody
// else has an end of, and hear no message of another window.
func TestNoPageOfTheLabSpeaksToAnotherWindow(t *testing.T) {
	speaks := regexp.MustCompile(`\w+\.postMessage\(|(?:on|")message\b|BroadcastChannel|window\.opener`)
	allowed := map[string][]string{
		"/ask.js":    {"onmessage", "worker.postMessage(", "port.postMessage(", "port.postMessage("},
		"/worker.js": {"onmessage"}, "/sw.js": {`"message`},
	}
	w, client := open(t)
	found := map[string]bool{}
	for _, s := range w.Strategies() {
		for _, file := range []string{"/app.js", "/session.js", "/oauth.js", "/ask.js", "/store.js", "/keep.js", "/worker.js", "/sw.js"} {
			status, script := get(t, client, w.Origin(s.ID)+file)
			if status == http.StatusNotFound {
				continue
			}
			found[file] = true
			if got := speaks.FindAllString(script, -1); !slices.Equal(got, allowed[file]) {
				t.Errorf("%s: %s has %q", s.ID, file, got)
			}
		}
	}
	if len(found) != 8 {
		t.Errorf("only %v were read", found)
	}
}
