package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/login"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// another is the same deployment in another browser.
func (v *visitor) another() *visitor {
	v.Helper()
	other, client := *v, *v.http
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.Fatal(err)
	}
	client.Jar = jar
	other.http = &client
	return &other
}

func (v *visitor) devices() (list []shared.Device) {
	v.Helper()
	a := v.get(shared.PathSessions)
	if err := json.Unmarshal(a.body, &list); err != nil || a.StatusCode != 200 || a.Header.Get("Cache-Control") != "no-store" {
		v.Fatalf("sessions: %d %s", a.StatusCode, a.body)
	}
	return list
}

func (v *visitor) mustBe(status int) {
	v.Helper()
	if a := v.get(shared.PathUser + "?slide=false"); a.StatusCode != status {
		v.Errorf("user: %d, want %d", a.StatusCode, status)
	}
}

func TestMySessions(t *testing.T) {
	v := newVisitor(t)
	if a := v.get(shared.PathSessions); a.code() != problem.SessionRequired {
		t.Errorf("nobody: %d %s", a.StatusCode, a.body)
	}
	v.signIn()
	v.passed += time.Minute
	phone := v.another()
	phone.signIn()
	bob := v.another()
	bob.provider.subject = "bob"
	bob.signIn()

	list := v.devices()
	if len(list) != 2 || list[0].Current || !list[1].Current || list[0].Handle == list[1].Handle {
		t.Fatalf("sessions: %+v", list)
	}
	if list[0].UserAgent != "Go-http-client/1.1" || list[0].Address != "203.0.113.0/24" || list[0].Expires <= list[0].Created {
		t.Errorf("the device: %+v", list[0])
	}
	if others := bob.devices(); len(others) != 1 || !others[0].Current {
		t.Errorf("bob sees %+v", others)
	}
	body := string(v.get(shared.PathSessions).body)
	if strings.Contains(body, v.sessionCookie()) || strings.Contains(body, phone.sessionCookie()) {
		t.Error("the list holds a ticket")
	}
}

func TestEndingASession(t *testing.T) {
	for _, c := range []struct {
		name   string
		handle func(mine, phones shared.Device) string
		want   int
		left   [3]int // what this browser, the phone and the tablet are answered afterwards
	}{
		{"another one", func(_, phone shared.Device) string { return phone.Handle }, 204, [3]int{200, 401, 200}},
		{"all others", func(_, _ shared.Device) string { return shared.HandleOthers }, 204, [3]int{200, 401, 401}},
		{"this one", func(mine, _ shared.Device) string { return mine.Handle }, 204, [3]int{401, 200, 200}},
		{"none that there is", func(_, _ shared.Device) string { return "AAAAAAAAAAAAAAAAAAAAAA" }, 404, [3]int{200, 200, 200}},
		{"by the fingerprint", func(mine, _ shared.Device) string { return "x" + mine.Handle }, 404, [3]int{200, 200, 200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVisitor(t)
			phone, tablet := v.another(), v.another()
			for _, browser := range []*visitor{tablet, phone, v} {
				browser.T = t
				browser.signIn()
				v.passed += time.Second
			}
			list := v.devices()
			a := v.do(http.MethodDelete, shared.PathSessions+"/"+c.handle(list[0], list[1]), "")
			if a.StatusCode != c.want {
				t.Errorf("%d %s, want %d", a.StatusCode, a.body, c.want)
			}
			for i, browser := range []*visitor{v, phone, tablet} {
				browser.mustBe(c.left[i])
			}
			if gone := v.sessionCookie() == ""; gone != (c.left[0] == 401) {
				t.Errorf("the cookie: %q", v.sessionCookie())
			}
			if cleared := a.Header.Get("Clear-Site-Data") != ""; cleared != (c.left[0] == 401) {
				t.Errorf("Clear-Site-Data: %q", a.Header.Get("Clear-Site-Data"))
			}
		})
	}
}

// Who signs out and closes the page at once is signed out.
func TestASignOutDoesNotWaitForItsBrowser(t *testing.T) {
	for name, ask := range map[string]func(v *visitor) (method, path string){
		"by the link": func(v *visitor) (string, string) { return http.MethodGet, shared.PathLogout + "?sid=sid-1" },
		"in the list": func(v *visitor) (string, string) {
			return http.MethodDelete, shared.PathSessions + "/" + v.devices()[1].Handle
		},
		"of all others": func(*visitor) (string, string) {
			return http.MethodDelete, shared.PathSessions + "/" + shared.HandleOthers
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t)
			v.signIn()
			v.passed += time.Second
			v.another().signIn()
			method, path := ask(v)
			ctx, hangUp := context.WithCancel(t.Context())
			v.store.ending = hangUp
			r := httptest.NewRequest(method, path, nil).WithContext(ctx)
			r.AddCookie(&http.Cookie{Name: shared.CookieName, Value: v.sessionCookie()})
			v.handler.ServeHTTP(httptest.NewRecorder(), r)
			v.store.ending = nil
			if ctx.Err() == nil {
				t.Fatal("nothing was ended")
			}
			if name != "of all others" {
				v.mustBe(http.StatusUnauthorized)
			} else if list := v.devices(); len(list) != 1 {
				t.Errorf("%d sessions are left", len(list))
			}
		})
	}
}

// The provider is waited for once, however many tokens there are.
func TestTokensAreRevokedTogether(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	var begun atomic.Int32
	both := make(chan struct{})
	v.provider.revoking = func(ctx context.Context) {
		if begun.Add(1) == 2 {
			close(both)
		}
		select {
		case <-both:
		case <-ctx.Done():
			t.Error("one token was waited for before the next")
		}
	}
	v.get(shared.PathLogout + "?sid=sid-1")
	if n := len(v.provider.revoked); n != 2 {
		t.Errorf("%d were revoked", n)
	}
}

func TestNobodyEndsAnothersSession(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	handle := v.devices()[0].Handle
	bob := v.another()
	bob.provider.subject = "bob"
	bob.signIn()
	if a := bob.do(http.MethodDelete, shared.PathSessions+"/"+handle, ""); a.code() != problem.SessionUnknown {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := bob.do(http.MethodDelete, shared.PathSessions+"/"+shared.HandleOthers, ""); a.StatusCode != 204 {
		t.Errorf("others: %d %s", a.StatusCode, a.body)
	}
	v.mustBe(200)
}

const logoutForm = "logout_token=the-logout-token"

func said(sid, subject string, now time.Time) *login.LogoutToken {
	return &login.LogoutToken{Issuer: providerURL, SID: sid, Subject: subject, ID: "jti-1", IssuedAt: now, Expires: now.Add(2 * time.Minute)}
}

func TestBackchannel(t *testing.T) {
	for _, c := range []struct {
		name  string
		token *login.LogoutToken
		want  int
		left  [2]int // alice here, bob
	}{
		{"the session of its sid", said("sid-1", "", time.Now()), 200, [2]int{401, 401}}, // this provider gives both the same
		{"a sid and its subject", said("sid-1", "alice", time.Now()), 200, [2]int{401, 401}},
		{"all of the subject", said("", "alice", time.Now()), 200, [2]int{401, 200}},
		{"a sid nobody has", said("sid-2", "alice", time.Now()), 200, [2]int{200, 200}},
		{"a token that is refused", nil, 400, [2]int{200, 200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVisitor(t)
			v.signIn()
			bob := v.another()
			bob.provider.subject = "bob"
			bob.signIn()
			v.provider.logout = c.token
			server := v.another() // of the provider: no cookie of anybody's
			a := server.do(http.MethodPost, shared.PathBackchannel, logoutForm)
			if a.StatusCode != c.want || a.Header.Get("Cache-Control") != "no-store" || len(a.Cookies()) != 0 {
				t.Errorf("%d %v %s, want %d", a.StatusCode, a.Header, a.body, c.want)
			}
			v.mustBe(c.left[0])
			bob.mustBe(c.left[1])
		})
	}
}

func TestALogoutTokenWorksOnce(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	v.provider.logout = said("", "alice", time.Now())
	if a := v.do(http.MethodPost, shared.PathBackchannel, logoutForm); a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	v.signIn()
	if a := v.do(http.MethodPost, shared.PathBackchannel, logoutForm); a.code() != problem.LogoutTokenReplayed || a.StatusCode != 400 {
		t.Errorf("a replay: %d %s", a.StatusCode, a.body)
	}
	v.mustBe(200)
	v.provider.logout.ID = "jti-2"
	if a := v.do(http.MethodPost, shared.PathBackchannel, logoutForm); a.StatusCode != 200 {
		t.Errorf("another token: %d %s", a.StatusCode, a.body)
	}
	v.mustBe(401)
}

func TestALogoutTokenThatMetAStoreThatIsDownMayComeAgain(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	v.provider.logout = said("", "alice", time.Now())
	v.store.down = errors.New("connection refused")
	if a := v.do(http.MethodPost, shared.PathBackchannel, logoutForm); a.code() != problem.StoreUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	v.store.down = nil
	if a := v.do(http.MethodPost, shared.PathBackchannel, logoutForm); a.StatusCode != 200 {
		t.Errorf("when the store is back: %d %s", a.StatusCode, a.body)
	}
	v.mustBe(401)
}

// The provider ends its session while we redeem the code that it gave for it.
func TestALogoutDuringASignInWins(t *testing.T) {
	v := newVisitor(t)
	server := v.another()
	v.provider.during = func() {
		v.provider.logout = said("sid-1", "alice", time.Now())
		if a := server.do(http.MethodPost, shared.PathBackchannel, logoutForm); a.StatusCode != 200 {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	}
	if a := v.get(shared.PathCallback + "?code=c&state=" + v.begin("")); a.code() != problem.SessionEnded {
		t.Errorf("callback: %d %s", a.StatusCode, a.body)
	}
	v.mustBe(401)
	if len(v.provider.revoked) == 0 {
		t.Error("the tokens of nobody were not revoked")
	}
}

func TestWhatIsNoLogoutToken(t *testing.T) {
	v := newVisitor(t)
	v.provider.logout = said("", "alice", time.Now())
	for _, c := range []struct {
		name, path, body string
		want             problem.Code
	}{
		{"none", shared.PathBackchannel, "x=y", problem.LogoutTokenInvalid},
		{"one in the query", shared.PathBackchannel + "?" + logoutForm, "x=y", problem.LogoutTokenInvalid},
		{"two", shared.PathBackchannel, logoutForm + "&" + logoutForm, problem.ParameterDuplicated},
		{"a form that is none", shared.PathBackchannel, "%zz", problem.BadRequest},
		{"a body without end", shared.PathBackchannel, "logout_token=" + strings.Repeat("a", 70<<10), problem.RequestTooLarge},
		{"no form", shared.PathBackchannel, "", problem.BadRequest},
	} {
		if a := v.do(http.MethodPost, c.path, c.body); a.code() != c.want || a.StatusCode != problem.Kinds[c.want].Status {
			t.Errorf("%s: %d %s, want %s", c.name, a.StatusCode, a.body, c.want)
		}
	}
}
