package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
)

func TestARedirectURIThatIsNotRegisteredIsNeverUsed(t *testing.T) {
	p := newParty(t)
	for name, uri := range map[string]string{
		"a suffix":               callback + "x",
		"a trailing slash":       callback + "/",
		"a query":                callback + "?x=1",
		"a fragment":             callback + "#x",
		"upper case":             "http://localhost:8080/BFF/callback",
		"an upper-case host":     "http://LOCALHOST:8080/bff/callback",
		"another port":           "http://localhost:8081/bff/callback",
		"another host":           "http://attacker.example/bff/callback",
		"https instead":          "https://localhost:8080/bff/callback",
		"user info":              "http://x@localhost:8080/bff/callback",
		"dot segments":           "http://localhost:8080/bff/../bff/callback",
		"an escaped path":        "http://localhost:8080/bff%2fcallback",
		"another client's":       "https://other.example/cb",
		"none":                   "",
		"the loopback by number": "http://127.0.0.1:8080/bff/callback",
	} {
		page := p.visit(p.authURL(url.Values{"redirect_uri": {uri}}))
		if page.Callback != "" || page.Status < 400 || page.Header.Get("Location") != "" {
			t.Errorf("%s: status %d, sent to %q", name, page.Status, page.Callback)
		}
	}
	page := p.visit(p.authURL(url.Values{"client_id": {"nobody"}}))
	if page.Callback != "" || page.Status != http.StatusBadRequest {
		t.Errorf("an unknown client: status %d, sent to %q", page.Status, page.Callback)
	}
	page = p.visit(p.authURL(nil) + "&state=again")
	if page.Callback != "" || page.Status != http.StatusBadRequest {
		t.Errorf("a parameter sent twice: status %d, sent to %q", page.Status, page.Callback)
	}
}

func TestTheClientIsToldWhatIsWrongWithItsRequest(t *testing.T) {
	p := newParty(t)
	for _, row := range []struct {
		name   string
		change url.Values
		code   string
	}{
		{"no PKCE", url.Values{"code_challenge": {""}, "code_challenge_method": {""}}, "invalid_request"},
		{"PKCE plain", url.Values{"code_challenge": {verifier}, "code_challenge_method": {"plain"}}, "invalid_request"},
		{"PKCE plain by default", url.Values{"code_challenge_method": {""}}, "invalid_request"},
		{"a challenge that is no SHA-256", url.Values{"code_challenge": {"short"}}, "invalid_request"},
		{"no openid", url.Values{"scope": {"profile"}}, "invalid_scope"},
		{"form_post", url.Values{"response_mode": {"form_post"}}, "invalid_request"},
		{"a request object", url.Values{"request": {"x.y.z"}}, "request_not_supported"},
		{"a request by reference", url.Values{"request_uri": {"https://attacker.example/r"}}, "request_uri_not_supported"},
		{"a foreign resource", url.Values{"resource": {"https://api.example"}}, "invalid_target"},
		{"prompt none with another", url.Values{"prompt": {"none login"}}, "invalid_request"},
		{"prompt none and nobody there", url.Values{"prompt": {"none"}}, "login_required"},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := p.visit(p.authURL(row.change))
			got, err := url.Parse(page.Callback)
			if err != nil || page.Callback == "" {
				t.Fatalf("not sent back: %d %s", page.Status, page.Text)
			}
			q := got.Query()
			if q.Get("error") != row.code || q.Get("state") != "state-1" || q.Get("iss") != p.Issuer() || q.Has("code") {
				t.Errorf("got %v, want error %s", q, row.code)
			}
		})
	}
}

func TestTheImplicitAndHybridFlowsDoNotExist(t *testing.T) {
	p := newParty(t)
	p.signIn("alice", "wonderland", nil)
	for _, kind := range []string{"token", "id_token", "id_token token", "code id_token", "none", ""} {
		page := p.visit(p.authURL(url.Values{"response_type": {kind}}))
		if page.Action != "" || strings.Contains(page.Callback, "code=") || strings.Contains(page.Callback, "token=") {
			t.Errorf("response_type %q: %d %q", kind, page.Status, page.Callback)
		}
	}
	if n := len(p.seen(idp.KindCode)); n != 1 {
		t.Errorf("%d codes were issued", n)
	}
}

func TestAnErrorNobodyCanBeSentBackWithIsAPage(t *testing.T) {
	p := newParty(t)
	page := p.visit(p.authURL(url.Values{"redirect_uri": {"http://attacker.example/"}}))
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Text, "This did not work") {
		t.Errorf("%s: %s", page.Header.Get("Content-Type"), page.Text)
	}
}

func TestPrompts(t *testing.T) {
	p := newParty(t)
	p.signIn("alice", "wonderland", nil)

	page := p.visit(p.authURL(nil))
	if page.Callback == "" {
		t.Errorf("signed in and consented, and still asked: %s", page.Text)
	}
	page = p.visit(p.authURL(url.Values{"prompt": {"none"}}))
	if answer(t, page.Callback).Get("code") == "" {
		t.Errorf("prompt=none with a session: %q", page.Callback)
	}
	if page = p.visit(p.authURL(url.Values{"prompt": {"login"}})); !page.Has("password") {
		t.Errorf("prompt=login asked for nothing: %s%s", page.Callback, page.Text)
	}
	if page = p.visit(p.authURL(url.Values{"prompt": {"consent"}})); !page.Has("decision") {
		t.Errorf("prompt=consent asked for nothing: %s%s", page.Callback, page.Text)
	}

	p.clock.Advance(time.Minute)
	if page = p.visit(p.authURL(url.Values{"max_age": {"30"}})); !page.Has("password") {
		t.Errorf("max_age=30 after a minute asked for nothing: %s%s", page.Callback, page.Text)
	}
	page = p.visit(p.authURL(url.Values{"max_age": {"30"}, "prompt": {"none"}}))
	if got := answer(t, page.Callback).Get("error"); got != "login_required" {
		t.Errorf("max_age=30 and prompt=none: error %q", got)
	}
	if page = p.visit(p.authURL(url.Values{"max_age": {"90"}})); page.Callback == "" {
		t.Errorf("max_age=90 after a minute asked again: %s", page.Text)
	}

	// Signing in anew satisfies the request and moves auth_time, not the session.
	before := p.clock.Now()
	sid := func(code string) (any, any) {
		_, claims := p.mustVerify(p.post("/oauth/token", codeForm(code)).ID)
		return claims["sid"], claims["auth_time"]
	}
	oldSID, _ := sid(answer(t, p.visit(p.authURL(nil)).Callback).Get("code"))
	newSID, authTime := sid(p.signIn("alice", "wonderland", url.Values{"prompt": {"login"}}).Get("code"))
	if oldSID != newSID || authTime != float64(before.Unix()) {
		t.Errorf("sid %v then %v, auth_time %v, want %d", oldSID, newSID, authTime, before.Unix())
	}
}

func TestPromptNoneWithoutConsent(t *testing.T) {
	p := newParty(t)
	p.signIn("alice", "wonderland", url.Values{"scope": {"openid"}})
	page := p.visit(p.authURL(url.Values{"prompt": {"none"}}))
	if got := answer(t, page.Callback).Get("error"); got != "consent_required" {
		t.Errorf("error %q", got)
	}
}

func TestAHintForSomebodyElseAsksForThem(t *testing.T) {
	p := newParty(t)
	hint := p.alice().ID
	p.browser = newBrowser(t)
	p.tokensFor("bob", "builder")
	page := p.visit(p.authURL(url.Values{"id_token_hint": {hint}, "prompt": {"none"}}))
	if got := answer(t, page.Callback).Get("error"); got != "login_required" {
		t.Errorf("error %q", got)
	}
	page = p.visit(p.authURL(url.Values{"id_token_hint": {hint}}))
	page = page.Submit(t, url.Values{"username": {"bob"}, "password": {"builder"}})
	if page.Alert == "" {
		t.Errorf("bob could answer for alice: %s", page.Callback)
	}
}

func TestSayingNo(t *testing.T) {
	p := newParty(t)
	page := p.visit(p.authURL(nil)).Submit(t, url.Values{"username": {"alice"}, "password": {"wonderland"}})
	if !page.Has("decision") {
		t.Fatalf("no consent page: %s", page.Text)
	}
	for _, words := range []string{"The App", "See your e-mail address", "See your orders", "Alice Liddell"} {
		if !strings.Contains(page.Text, words) {
			t.Errorf("the consent page does not say %q: %s", words, page.Text)
		}
	}
	page = page.Submit(t, url.Values{"decision": {"deny"}})
	got := answer(t, page.Callback)
	if got.Get("error") != "access_denied" || got.Get("state") != "state-1" || got.Get("iss") != p.Issuer() {
		t.Errorf("callback %v", got)
	}
	if page = p.visit(p.authURL(nil)); !page.Has("decision") {
		t.Errorf("a no was taken for a yes: %s", page.Callback)
	}
}

func TestTheLoginPage(t *testing.T) {
	p := newParty(t)
	page := p.visit(p.authURL(url.Values{"login_hint": {"bob"}}))
	for _, words := range []string{"alice", "wonderland", "bob", "builder", "The App"} {
		if !strings.Contains(page.Text, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if page.Fields.Get("username") != "bob" {
		t.Errorf("the login hint is not used: %v", page.Fields)
	}
	policy := page.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://localhost:8080"} {
		if !strings.Contains(policy, part) {
			t.Errorf("policy %q lacks %q", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	wrong := page.Submit(t, url.Values{"username": {"alice"}, "password": {"builder"}})
	if wrong.Alert == "" || wrong.Status != http.StatusUnprocessableEntity || wrong.Fields.Get("username") != "alice" {
		t.Errorf("a wrong password: %d %q %v", wrong.Status, wrong.Alert, wrong.Fields)
	}
	if wrong.Fields.Get("password") != "" {
		t.Error("the password came back in the page")
	}
	if right := wrong.Submit(t, url.Values{"password": {"wonderland"}}); !right.Has("decision") {
		t.Errorf("after a mistake, the right password: %s", right.Text)
	}
}

func TestAFormWorksOnlyWhereItWasShown(t *testing.T) {
	p := newParty(t)
	login := url.Values{"username": {"alice"}, "password": {"wonderland"}}
	merge := func(a url.Values, name, value string) url.Values {
		b := url.Values{name: {value}}
		for k, v := range a {
			b[k] = v
		}
		return b
	}

	page := p.visit(p.authURL(nil))
	if got := page.Submit(t, merge(login, "form_token", "0000")); got.Status != http.StatusForbidden {
		t.Errorf("a wrong form token: %d", got.Status)
	}
	other := p.visit(p.authURL(nil))
	if got := page.Submit(t, merge(login, "request", other.Fields.Get("request"))); got.Status != http.StatusForbidden {
		t.Errorf("a token of another request: %d", got.Status)
	}

	// A form the attacker fetched in a browser of their own, posted by the victim's.
	attacker := idptest.Visit(t, newBrowser(t), p.authURL(nil))
	form := merge(attacker.Fields, "username", "alice")
	form.Set("password", "wonderland")
	victim := p.visit(p.authURL(nil))
	if got := victim.Submit(t, form); got.Status != http.StatusForbidden {
		t.Errorf("a form of another browser: %d", got.Status)
	}
	if got := p.visit(attacker.URL.String()); got.Action != "" || got.Status != http.StatusBadRequest {
		t.Errorf("a request begun in another browser: %d %s", got.Status, got.Text)
	}

	// Even the right form, when the browser says that another site posts it.
	right := merge(victim.Fields, "username", "alice")
	right.Set("password", "wonderland")
	request, err := http.NewRequest(http.MethodPost, p.Issuer()+"/interaction/login", strings.NewReader(right.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := p.browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a cross-site post: %d", response.StatusCode)
	}
	if got := victim.Submit(t, login); !got.Has("decision") {
		t.Errorf("and the right form, posted by its own page: %d %s", got.Status, got.Text)
	}
}

func TestARequestIsAnsweredOnce(t *testing.T) {
	p := newParty(t)
	p.signIn("alice", "wonderland", nil)
	page := p.visit(p.authURL(url.Values{"prompt": {"consent"}}))
	again := page.URL.String()
	if page.Submit(t, url.Values{"decision": {"allow"}}).Callback == "" {
		t.Fatal("no code")
	}
	if got := p.visit(again); got.Callback != "" || got.Status != http.StatusBadRequest {
		t.Errorf("the back button got %d %s", got.Status, got.Callback)
	}
}

func TestNoPageOfAnotherOriginMayRead(t *testing.T) {
	p := newParty(t)
	for _, path := range []string{"/oauth/token", "/userinfo", "/keys", "/.well-known/openid-configuration"} {
		request, err := http.NewRequest(http.MethodGet, p.Issuer()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "https://attacker.example")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s allows %q", path, got)
		}
	}
}
