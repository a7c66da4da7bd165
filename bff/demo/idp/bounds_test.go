package idp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// get asks the provider without a network in between.
func (p *party) get(rawURL string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	p.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, rawURL, nil))
	return recorder
}

func TestAFloodOfRequestsPushesOutTheOldestOnly(t *testing.T) {
	p := newParty(t)
	location := func() string {
		response := p.get(p.authURL(nil))
		p.clock.Advance(time.Millisecond)
		if response.Code != http.StatusFound {
			t.Fatalf("status %d", response.Code)
		}
		return p.Issuer() + response.Header().Get("Location")
	}
	oldest := location()
	for range 5000 {
		location()
	}
	newest := location()
	if got := p.get(oldest).Code; got != http.StatusBadRequest {
		t.Errorf("more than the bound is kept: the oldest request got %d", got)
	}
	if got := p.get(newest).Code; got != http.StatusOK {
		t.Errorf("the newest request got %d", got)
	}
}

func TestARequestExpires(t *testing.T) {
	p := newParty(t)
	location := p.Issuer() + p.get(p.authURL(nil)).Header().Get("Location")
	p.clock.Advance(10 * time.Minute)
	if got := p.get(location).Code; got != http.StatusBadRequest {
		t.Errorf("status %d", got)
	}
}

func TestASessionExpires(t *testing.T) {
	p := newParty(t)
	p.signIn("alice", "wonderland", nil)
	p.clock.Advance(8*time.Hour - time.Second)
	if page := p.visit(p.authURL(nil)); page.Callback == "" {
		t.Error("too early")
	}
	p.clock.Advance(time.Second)
	if page := p.visit(p.authURL(nil)); !page.Has("password") {
		t.Error("never")
	}
}

func TestTheSessionIDAloneIsNoCookie(t *testing.T) {
	p := newParty(t)
	p.alice()
	sid := p.Families()[0].SID // every ID token tells it
	for _, guess := range []string{sid, sid + ".", sid + "." + sid + sid} {
		request := httptest.NewRequest(http.MethodGet, p.Issuer()+p.get(p.authURL(url.Values{"prompt": {"none"}})).Header().Get("Location"), nil)
		request.AddCookie(&http.Cookie{Name: "cloakroom_idp_session", Value: guess})
		recorder := httptest.NewRecorder()
		p.ServeHTTP(recorder, request)
		if got := answer(t, recorder.Header().Get("Location")).Get("error"); got != "login_required" {
			t.Errorf("%q: error %q", guess, got)
		}
	}
}

func TestALargeBodyIsNotRead(t *testing.T) {
	p := newParty(t)
	form := codeForm(p.signIn("alice", "wonderland", nil).Get("code"))
	form.Set("padding", strings.Repeat("x", 100<<10))
	if got := p.post("/oauth/token", form); got.Status != http.StatusBadRequest {
		t.Errorf("status %d", got.Status)
	}
	form.Del("padding")
	if got := p.post("/oauth/token", form); got.Status != http.StatusOK {
		t.Errorf("without the padding: status %d", got.Status)
	}
}

func TestPagesHoldNothingInline(t *testing.T) {
	p := newParty(t)
	location := p.Issuer() + p.get(p.authURL(nil)).Header().Get("Location")
	body := p.get(location).Body.String()
	for _, forbidden := range []string{"<style", "<script", " style=", "javascript:", " onclick"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page holds %q", forbidden)
		}
	}
	css := p.get(p.Issuer() + "/idp.css")
	if css.Code != http.StatusOK || !strings.HasPrefix(css.Header().Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: %d %s", css.Code, css.Header().Get("Content-Type"))
	}
}

func FuzzForms(f *testing.F) {
	f.Add("/interaction/login", "request=x&form_token=y&username=alice&password=wonderland")
	f.Add("/interaction/consent", "request=x&form_token=y&decision=allow")
	f.Add("/sign-out", "request=%zz&request=")
	f.Add("/oauth/token", "grant_type=refresh_token&refresh_token=AAAA&client_id=app")
	f.Add("/authorize", "client_id=app&redirect_uri=http://localhost:8080/bff/callback&max_age=-1&prompt=none")
	f.Add("/end_session", "id_token_hint=a.b.c&state=%00")
	f.Add("/revoke", "token=%ff")
	p := newPartyFor(f)
	f.Fuzz(func(t *testing.T, path, body string) {
		target, err := url.Parse(path)
		if err != nil || !strings.HasPrefix(path, "/") || target.Host != "" {
			return
		}
		request := httptest.NewRequest(http.MethodPost, "http://idp.localhost/", strings.NewReader(body))
		request.URL.Path, request.URL.RawQuery = target.Path, target.RawQuery
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		recorder := httptest.NewRecorder()
		p.ServeHTTP(recorder, request)
		if strings.Contains(strings.Join(recorder.Header().Values("Set-Cookie"), " "), "cloakroom_idp_session=") {
			t.Error("a form nobody was shown signed somebody in")
		}
		if recorder.Code >= http.StatusInternalServerError {
			t.Errorf("status %d: %s", recorder.Code, recorder.Body)
		}
	})
}
