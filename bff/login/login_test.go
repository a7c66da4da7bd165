package login_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"cloakroom/bff/events"
	"cloakroom/bff/login"
	"cloakroom/bff/respond"
	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

const providerURL = "https://idp.example"

// provider says yes to everything, unless told otherwise.
type provider struct {
	states  int
	fail    error
	mu      sync.Mutex // revoked
	revoked []string
	hints   []string
	noEnd   bool
	asked   login.AuthRequest  // by the last sign-in
	pending login.Pending      // of the last callback
	subject string             // "" is alice
	logout  *login.LogoutToken // what any logout token says; nil: it is refused
	during  func()             // while the code is redeemed

	revoking func(context.Context) // before a token is revoked
}

func (p *provider) VerifyLogoutToken(_ context.Context, raw string) (login.LogoutToken, error) {
	if p.logout == nil || raw != "the-logout-token" {
		return login.LogoutToken{}, problem.New(problem.LogoutTokenInvalid, nil)
	}
	return *p.logout, p.fail
}

func (p *provider) Begin(_ context.Context, request login.AuthRequest) (string, login.Pending, error) {
	if p.fail != nil {
		return "", login.Pending{}, p.fail
	}
	p.states++
	state := strings.Repeat("s", p.states)
	p.asked = request
	return providerURL + "/authorize?" + url.Values{"state": {state}, "prompt": {request.Prompt}}.Encode(), login.Pending{
		State: state, Nonce: "n", Verifier: "v",
		Silent: request.Prompt == "none", MaxAge: request.MaxAge, ACRValues: request.ACRValues,
	}, nil
}

func (p *provider) Redeem(_ context.Context, pending login.Pending, query url.Values) (session.Session, error) {
	p.pending = pending
	if p.fail != nil {
		return session.Session{}, p.fail
	}
	if query.Get("state") != pending.State {
		return session.Session{}, problem.New(problem.LoginStateInvalid, nil)
	}
	if p.during != nil {
		p.during()
	}
	return session.Session{
		Issuer: providerURL, Subject: cmp.Or(p.subject, "alice"), SID: "sid-1", Claims: []byte(`[{"type":"sub","value":"alice"}]`),
		Tokens: session.Tokens{
			Access: secret.New("the-access-token"), Refresh: secret.New("the-refresh-token"), ID: secret.New("the-id-token"),
			AccessExpires: time.Now().Add(time.Minute),
		},
		Grants: []session.Grant{{Resource: "https://billing.example", Access: secret.New("the-billing-token")}},
	}, nil
}

func (p *provider) Revoke(ctx context.Context, t session.Tokens) error {
	if p.revoking != nil {
		p.revoking(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = append(p.revoked, t.Refresh.Reveal()+" "+t.Access.Reveal())
	return p.fail
}

func (p *provider) EndSessionURL(idToken secret.String, state string) (string, bool) {
	p.hints = append(p.hints, idToken.Reveal())
	return providerURL + "/end?" + url.Values{"state": {state}}.Encode(), !p.noEnd
}

// visitor is a browser before the endpoints.
type visitor struct {
	*testing.T
	provider *provider
	store    *stoppableStore
	hub      *events.Hub
	handler  http.Handler
	http     *http.Client
	base     string
	passed   time.Duration
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	v := &visitor{T: t, provider: &provider{}}
	now := func() time.Time { return time.Now().Add(v.passed) }
	kept, err := memory.New(memory.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	v.store = &stoppableStore{Store: kept, Finder: kept}
	keys := session.EphemeralKeyRing()
	sessions, err := session.New(v.store, session.Config{
		Keys: keys, Now: now, Ended: func(id session.ID) { v.hub.Ended(id) }, Lifetimes: session.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	v.hub, err = events.New(events.Config{Store: v.store, Idle: 30 * time.Minute, Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := login.New(login.Config{
		Desk:     session.Desk{Browser: session.Cookie{Name: shared.CookieName}, Sessions: sessions},
		Cookie:   session.Cookie{Name: shared.CookieName},
		Provider: v.provider, Logouts: v.provider, Keys: keys, Events: v.hub, StoreName: "memory", Now: now,
		Address: func(*http.Request) netip.Addr { return netip.MustParseAddr("203.0.113.77") },
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer respond.Responder
	mux := http.NewServeMux()
	for path, handler := range map[string]respond.Func{
		shared.PathLogin: endpoints.Login, shared.PathCallback: endpoints.Callback, shared.PathUser: endpoints.User,
		shared.PathInspect: endpoints.Inspect, shared.PathEvents: endpoints.Events, shared.PathLogout: endpoints.Logout, shared.PathSignedOut: endpoints.SignedOut,
	} {
		mux.Handle("GET "+path, answer.Handler(handler))
	}
	mux.Handle("GET "+shared.PathSessions, answer.Handler(endpoints.Sessions))
	mux.Handle("DELETE "+shared.PathSessions+"/{handle}", answer.Handler(endpoints.EndSession))
	mux.Handle("POST "+shared.PathBackchannel, answer.Handler(endpoints.Backchannel))
	v.handler = mux
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(v.hub.Drain) // or the streams would hold the server up
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.hub.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	v.base = server.URL
	v.http = server.Client()
	v.http.Jar, err = cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return v
}

type stoppableStore struct {
	session.Store
	session.Finder
	down   error
	ending func() // before a record is deleted
}

func (s *stoppableStore) Delete(ctx context.Context, id session.ID) error {
	if s.ending != nil {
		s.ending()
	}
	return s.Store.Delete(ctx, id)
}

func (s *stoppableStore) Get(ctx context.Context, id session.ID) (session.Record, error) {
	if s.down != nil {
		return session.Record{}, s.down
	}
	return s.Store.Get(ctx, id)
}

func (s *stoppableStore) Create(ctx context.Context, r session.Record) (session.Version, error) {
	if s.down != nil {
		return 0, s.down
	}
	return s.Store.Create(ctx, r)
}

// answer is a response, read.
type answer struct {
	*http.Response
	body []byte
}

func (v *visitor) get(path string) answer { v.Helper(); return v.do(http.MethodGet, path, "") }

// do sends body as a form, if there is one.
func (v *visitor) do(method, path, body string) answer {
	v.Helper()
	r, err := http.NewRequest(method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	return answer{resp, text}
}

func (a answer) code() problem.Code {
	var d problem.Details
	_ = json.Unmarshal(a.body, &d)
	return d.Code
}

func (a answer) location() string { return a.Header.Get("Location") }

// begin starts a sign-in and returns its state.
func (v *visitor) begin(query string) string {
	v.Helper()
	a := v.get(shared.PathLogin + query)
	u, err := url.Parse(a.location())
	if a.StatusCode != http.StatusSeeOther || err != nil || u.Host != "idp.example" {
		v.Fatalf("login: %d to %q: %s", a.StatusCode, a.location(), a.body)
	}
	return u.Query().Get("state")
}

func (v *visitor) signIn() {
	v.Helper()
	if a := v.get(shared.PathCallback + "?code=c&state=" + v.begin("")); a.StatusCode != http.StatusSeeOther {
		v.Fatalf("callback: %d %s", a.StatusCode, a.body)
	}
}

// cookies are the names in the jar.
func (v *visitor) cookies(prefix string) (found []*http.Cookie) {
	u, _ := url.Parse(v.base)
	for _, cookie := range v.http.Jar.Cookies(u) {
		if strings.HasPrefix(cookie.Name, prefix) {
			found = append(found, cookie)
		}
	}
	return found
}

func (v *visitor) sessionCookie() string {
	for _, cookie := range v.cookies(shared.CookieName) {
		if cookie.Name == shared.CookieName {
			return cookie.Value
		}
	}
	return ""
}

func TestSignInLookAroundSignOut(t *testing.T) {
	v := newVisitor(t)
	a := v.get(shared.PathCallback + "?code=c&state=" + v.begin("?returnUrl=/orders%3Fpage=2"))
	if a.StatusCode != http.StatusSeeOther || a.location() != "/orders?page=2" {
		t.Errorf("callback: %d to %q", a.StatusCode, a.location())
	}
	if pending := v.cookies(shared.CookieName + "-login-"); len(pending) != 0 {
		t.Errorf("transaction cookies are left: %v", pending)
	}

	a = v.get(shared.PathUser)
	var claims []shared.Claim
	if err := json.Unmarshal(a.body, &claims); err != nil || a.StatusCode != 200 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("user: %d %s", a.StatusCode, a.body)
	}
	got := map[string]any{}
	for _, claim := range claims {
		got[claim.Type] = claim.Value
	}
	if got["sub"] != "alice" || got[shared.ClaimLogoutURL] != "/bff/logout?sid=sid-1" || len(got[shared.ClaimSessionState].(string)) != 8 {
		t.Errorf("claims: %v", got)
	}
	if left := got[shared.ClaimSessionExpiresIn].(float64); left < 1795 || left > 1800 {
		t.Errorf("the session expires in %v s", left)
	}

	a = v.get(shared.PathInspect)
	var holdings shared.Holdings
	if err := json.Unmarshal(a.body, &holdings); err != nil || holdings.Session.Store != "memory" {
		t.Errorf("inspect: %d %s", a.StatusCode, a.body)
	}
	var tokens []string
	for _, held := range holdings.Tokens {
		tokens = append(tokens, held.Kind+" "+held.Resource)
	}
	if diff := gocmp.Diff([]string{"access_token ", "access_token https://billing.example", "refresh_token ", "id_token "}, tokens); diff != "" {
		t.Errorf("tokens that are held (-want +got):\n%s", diff)
	}
	if strings.Contains(string(a.body), "the-") {
		t.Errorf("inspect shows a token: %s", a.body)
	}

	old := v.sessionCookie()
	a = v.get("/bff/logout?sid=sid-1&returnUrl=/bye")
	end, _ := url.Parse(a.location())
	if a.StatusCode != http.StatusSeeOther || end.Host != "idp.example" {
		t.Fatalf("logout: %d to %q", a.StatusCode, a.location())
	}
	if left := v.cookies(shared.CookieName); len(left) != 0 {
		t.Errorf("cookies are left: %v", left)
	}
	slices.Sort(v.provider.revoked)
	if diff := gocmp.Diff([]string{" the-billing-token", "the-refresh-token the-access-token"}, v.provider.revoked); diff != "" || v.provider.hints[0] != "the-id-token" {
		t.Errorf("hinted %v, revoked (-want +got):\n%s", v.provider.hints, diff)
	}
	if got := a.Header.Get("Clear-Site-Data"); got != `"cache", "storage"` {
		t.Errorf("Clear-Site-Data: %q", got)
	}
	if a := v.get(shared.PathSignedOut + "?state=" + url.QueryEscape(end.Query().Get("state"))); a.location() != "/bye" {
		t.Errorf("signed out to %q", a.location())
	}
	r, _ := http.NewRequest("GET", v.base+shared.PathUser, nil)
	r.Header.Set("Cookie", shared.CookieName+"="+old)
	if resp, err := v.http.Do(r); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old cookie: %v, %v", resp, err)
	}
}

func TestASignInAlwaysMakesANewSessionAndRetiresTheOld(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	first := v.sessionCookie()
	v.signIn()
	if second := v.sessionCookie(); second == first || second == "" {
		t.Fatal("the session ID is the same as before")
	}
	replay := func() int {
		r, _ := http.NewRequest("GET", v.base+shared.PathUser, nil)
		r.Header.Set("Cookie", shared.CookieName+"="+first)
		resp, err := v.http.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := replay(); status != 200 {
		t.Errorf("within the grace the old session answers %d", status)
	}
	v.passed = 31 * time.Second
	if status := replay(); status != 401 {
		t.Errorf("after the grace the old session answers %d", status)
	}
}

func TestTabsSignInSideBySide(t *testing.T) {
	v := newVisitor(t)
	states := []string{v.begin("?returnUrl=/a"), v.begin("?returnUrl=/b"), v.begin("?returnUrl=/c")}
	for i, want := range []string{"/a", "/b", "/c"} {
		if a := v.get(shared.PathCallback + "?code=c&state=" + states[i]); a.location() != want {
			t.Errorf("tab %d: %d to %q", i, a.StatusCode, a.location())
		}
	}
}

func TestTransactionsDoNotPileUp(t *testing.T) {
	v := newVisitor(t)
	var last string
	for range 30 {
		last = v.begin("")
		v.passed += 2 * time.Second
		if n := len(v.cookies(shared.CookieName + "-login-")); n > 6 {
			t.Fatalf("%d transaction cookies", n)
		}
	}
	if a := v.get(shared.PathCallback + "?code=c&state=" + last); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the newest was forgotten: %s", a.body)
	}
}

// A browser that restores its tabs begins a sign-in in each, before any of them
// has seen a cookie of the others.
func TestTransactionsThatBeganTogetherDoNotPileUp(t *testing.T) {
	v := newVisitor(t)
	u, err := url.Parse(v.base)
	if err != nil {
		t.Fatal(err)
	}
	var begun []*http.Cookie
	for range 20 {
		v.begin("")
		begun = append(begun, v.cookies(shared.CookieName+"-login-")...)
		if v.http.Jar, err = cookiejar.New(nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, cookie := range begun {
		cookie.Path, cookie.Secure = "/", true
	}
	v.http.Jar.SetCookies(u, begun)
	last := v.begin("")
	if n := len(v.cookies(shared.CookieName + "-login-")); n != 6 {
		t.Errorf("%d transaction cookies", n)
	}
	if a := v.get(shared.PathCallback + "?code=c&state=" + last); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the newest was forgotten: %s", a.body)
	}
}

func TestCallbacksThatMustFail(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(v *visitor) answer
		want problem.Code
	}{
		{"without a state", func(v *visitor) answer { v.begin(""); return v.get("/bff/callback?code=c") }, problem.LoginStateInvalid},
		{"with a state nobody started", func(v *visitor) answer { v.begin(""); return v.get("/bff/callback?code=c&state=foreign") }, problem.LoginStateInvalid},
		{"with another browser's state", func(v *visitor) answer {
			state := v.begin("")
			v.http.Jar, _ = cookiejar.New(nil)
			return v.get("/bff/callback?code=c&state=" + state)
		}, problem.LoginStateInvalid},
		{"with a state that was used", func(v *visitor) answer {
			state := v.begin("")
			v.get("/bff/callback?code=c&state=" + state)
			return v.get("/bff/callback?code=c&state=" + state)
		}, problem.LoginStateInvalid},
		{"with two states", func(v *visitor) answer { return v.get("/bff/callback?code=c&state=x&state=" + v.begin("")) }, problem.ParameterDuplicated},
		{"with two codes", func(v *visitor) answer { return v.get("/bff/callback?code=c&code=d&state=" + v.begin("")) }, problem.ParameterDuplicated},
		{"too late", func(v *visitor) answer {
			state := v.begin("")
			v.passed = 11 * time.Minute
			return v.get("/bff/callback?code=c&state=" + state)
		}, problem.LoginExpired},
		{"with a transaction of another name", func(v *visitor) answer {
			a, b := v.begin(""), v.begin("")
			cookies := v.cookies(shared.CookieName + "-login-")
			u, _ := url.Parse(v.base)
			v.http.Jar.SetCookies(u, []*http.Cookie{{Name: cookies[1].Name, Value: cookies[0].Value, Path: "/", Secure: true}})
			v.http.Jar.SetCookies(u, []*http.Cookie{{Name: cookies[0].Name, Value: cookies[1].Value, Path: "/", Secure: true}})
			_ = a
			return v.get("/bff/callback?code=c&state=" + b)
		}, problem.LoginStateInvalid},
		{"that the provider spoils", func(v *visitor) answer {
			state := v.begin("")
			v.provider.fail = problem.New(problem.IDTokenNonce, errors.New("nonce"))
			return v.get("/bff/callback?code=c&state=" + state)
		}, problem.IDTokenNonce},
		{"while the store is down", func(v *visitor) answer {
			state := v.begin("")
			v.store.down = errors.New("connection refused")
			return v.get("/bff/callback?code=c&state=" + state)
		}, problem.StoreUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVisitor(t)
			a := c.call(v)
			if a.code() != c.want || a.StatusCode != problem.Kinds[c.want].Status {
				t.Errorf("%d %s, want %s", a.StatusCode, a.body, c.want)
			}
			// One that was used did sign in, the first time.
			if c.name != "with a state that was used" && v.sessionCookie() != "" {
				t.Error("a session was made")
			}
			if c.want == problem.StoreUnavailable && len(v.provider.revoked) == 0 {
				t.Error("the tokens nobody keeps were not revoked")
			}
		})
	}
}

func TestLoginRefusesWhatItMust(t *testing.T) {
	for query, want := range map[string]problem.Code{
		"?returnUrl=//evil.example":           problem.ReturnURLInvalid,
		"?returnUrl=https://evil.example":     problem.ReturnURLInvalid,
		"?returnUrl=/%5Cevil.example":         problem.ReturnURLInvalid,
		"?returnUrl=/bff/logout":              problem.ReturnURLInvalid,
		"?returnUrl=/a&returnUrl=/b":          problem.ParameterDuplicated,
		"?prompt=none&prompt=login":           problem.ParameterDuplicated,
		"?returnUrl=/%0d%0aSet-Cookie:%20a=b": problem.ParameterInvalid,
	} {
		v := newVisitor(t)
		if a := v.get(shared.PathLogin + query); a.code() != want || len(v.cookies(shared.CookieName)) != 0 {
			t.Errorf("%s: %d %s, want %s", query, a.StatusCode, a.body, want)
		}
	}
}

func TestTheLongestReturnURLFitsItsCookie(t *testing.T) {
	v := newVisitor(t)
	v.signIn() // so that the transaction carries an old ticket too
	long := "/" + strings.Repeat("a", 1023)
	if a := v.get(shared.PathCallback + "?code=c&state=" + v.begin("?returnUrl="+long+"&max_age=315360000&acr_values="+strings.Repeat("a", 256))); a.location() != long {
		t.Errorf("%d to %q", a.StatusCode, a.location())
	}
	if a := v.get(shared.PathLogin + "?returnUrl=" + long + "a"); a.code() != problem.ReturnURLInvalid {
		t.Errorf("one more: %d %s", a.StatusCode, a.body)
	}
}

func TestWhoIsThere(t *testing.T) {
	v := newVisitor(t)
	if a := v.get(shared.PathUser); a.code() != problem.SessionRequired || a.StatusCode != 401 {
		t.Errorf("nobody: %d %s", a.StatusCode, a.body)
	}
	var d problem.Details
	if _ = json.Unmarshal(v.get(shared.PathUser).body, &d); d.LoginURL != shared.PathLogin {
		t.Errorf("no way to sign in: %+v", d)
	}
	v.signIn()
	if a := v.get(shared.PathUser + "?slide=maybe"); a.code() != problem.ParameterInvalid {
		t.Errorf("slide=maybe: %d %s", a.StatusCode, a.body)
	}
	for range 3 { // watching does not keep the session alive
		v.passed += 9 * time.Minute
		if a := v.get(shared.PathUser + "?slide=false"); a.StatusCode != 200 {
			t.Fatalf("after %v: %s", v.passed, a.body)
		}
	}
	v.passed += 3 * time.Minute
	if a := v.get(shared.PathUser); a.code() != problem.SessionRequired {
		t.Errorf("after half an hour of watching: %d %s", a.StatusCode, a.body)
	}
	v.signIn()
	for range 3 { // but use does
		v.passed += 20 * time.Minute
		if a := v.get(shared.PathUser); a.StatusCode != 200 {
			t.Fatalf("in use, after %v: %s", v.passed, a.body)
		}
	}
}

func TestAStoreThatIsDownSignsNobodyOut(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	ticket := v.sessionCookie()
	v.store.down = errors.New("connection refused")
	for _, path := range []string{shared.PathUser, shared.PathInspect, "/bff/logout?sid=sid-1"} {
		if a := v.get(path); a.code() != problem.StoreUnavailable || a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	if v.sessionCookie() != ticket {
		t.Error("the cookie was taken away")
	}
	v.store.down = nil
	if a := v.get(shared.PathUser); a.StatusCode != 200 {
		t.Errorf("when the store is back: %s", a.body)
	}
}

func TestLogoutIsOnlyForTheSessionsOwnLink(t *testing.T) {
	for _, query := range []string{"", "?sid=", "?sid=other", "?sid=sid-1&sid=sid-1", "?sid=SID-1"} {
		v := newVisitor(t)
		v.signIn()
		if a := v.get(shared.PathLogout + query); a.StatusCode != 400 {
			t.Errorf("%q: %d", query, a.StatusCode)
		}
		if a := v.get(shared.PathUser); a.StatusCode != 200 {
			t.Errorf("%q signed the user out", query)
		}
	}
}

func TestLogoutWithoutHelpFromTheProvider(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	v.provider.fail, v.provider.noEnd = errors.New("down"), true
	if a := v.get("/bff/logout?sid=sid-1&returnUrl=/bye"); a.location() != "/bye" || len(v.cookies(shared.CookieName)) != 0 {
		t.Errorf("%d to %q", a.StatusCode, a.location())
	}
	if a := v.get("/bff/logout?returnUrl=/again"); a.location() != "/again" {
		t.Errorf("a second time: %d to %q", a.StatusCode, a.location())
	}
}

func TestSignedOutGoesNowhereElse(t *testing.T) {
	v := newVisitor(t)
	for _, state := range []string{"", "https://evil.example", "//evil.example", strings.Repeat("A", 5000)} {
		if a := v.get(shared.PathSignedOut + "?state=" + url.QueryEscape(state)); a.location() != "/" {
			t.Errorf("%q leads to %q", state, a.location())
		}
	}
}

func TestASilentSignInThatFailsComesBackAsItWas(t *testing.T) {
	for _, signedIn := range []bool{false, true} {
		v := newVisitor(t)
		if signedIn {
			v.signIn()
		}
		before := v.sessionCookie()
		state := v.begin("?returnUrl=/orders%3Fpage=2&prompt=none")
		v.provider.fail = problem.New(problem.LoginNotSilent, errors.New("login_required"))
		a := v.get(shared.PathCallback + "?error=login_required&state=" + state)
		if a.StatusCode != http.StatusSeeOther || a.location() != "/orders?page=2" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("signed in %v: %d to %q, %s", signedIn, a.StatusCode, a.location(), a.body)
		}
		if strings.Contains(string(a.body), string(problem.LoginNotSilent)) {
			t.Errorf("signed in %v: the way back carries an error: %s", signedIn, a.body)
		}
		if v.sessionCookie() != before || (before != "") != signedIn {
			t.Errorf("signed in %v: the session changed", signedIn)
		}
		if pending := v.cookies(shared.CookieName + "-login-"); len(pending) != 0 {
			t.Errorf("a transaction is left: %v", pending)
		}
		if a := v.get(shared.PathCallback + "?error=login_required&state=" + state); a.code() != problem.LoginStateInvalid {
			t.Errorf("a second time: %d to %q", a.StatusCode, a.location())
		}
		if !v.provider.pending.Silent {
			t.Error("the callback did not know that nobody was to be asked")
		}
	}
}

func TestAnyOtherFailureOfASilentSignInIsShown(t *testing.T) {
	v := newVisitor(t)
	state := v.begin("?prompt=none")
	v.provider.fail = problem.New(problem.LoginDenied, nil)
	if a := v.get(shared.PathCallback + "?error=access_denied&state=" + state); a.code() != problem.LoginDenied {
		t.Errorf("%d to %q", a.StatusCode, a.location())
	}
}

func TestWhatWasAskedForIsKnownAtTheCallback(t *testing.T) {
	v := newVisitor(t)
	state := v.begin("?prompt=login&max_age=0&acr_values=urn%3Agold+urn%3Asilver")
	if want := (login.AuthRequest{Prompt: "login", MaxAge: "0", ACRValues: "urn:gold urn:silver"}); v.provider.asked != want {
		t.Errorf("asked for %+v", v.provider.asked)
	}
	v.get(shared.PathCallback + "?code=c&state=" + state)
	if p := v.provider.pending; p.MaxAge != "0" || p.ACRValues != "urn:gold urn:silver" || p.Silent {
		t.Errorf("held to %+v", p)
	}
	for _, query := range []string{"?max_age=1&max_age=2", "?acr_values=a&acr_values=b"} {
		if a := v.get(shared.PathLogin + query); a.code() != problem.ParameterDuplicated {
			t.Errorf("%s: %d %s", query, a.StatusCode, a.body)
		}
	}
}
