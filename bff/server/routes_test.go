package server_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/guard"
	"cloakroom/bff/server"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

const origin = "https://app.example.com"

// offline is a server nobody runs: its routes answer, its provider is nowhere.
func offline(t testing.TB) (*server.Server, *upstream) {
	t.Helper()
	u := newUpstream(t)
	s, err := server.New(configure(t, origin, "127.0.0.1:0", "127.0.0.1:1", "https://idp.example.com", u, ""), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, u
}

var everyMethod = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace, http.MethodConnect, "PROPFIND", "get",
}

// concrete is a path that a route's pattern matches and no other's does.
func concrete(pattern string) string {
	pattern = strings.ReplaceAll(pattern, "{handle}", "a-handle")
	if pattern != "/" && strings.HasSuffix(pattern, "/") {
		return pattern + "below"
	}
	return pattern
}

// request is a table's way to write a request: header lines "Name: value".
func request(method, path string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.Host = strings.TrimPrefix(origin, "https://")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func serve(t testing.TB, s *server.Server, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	got := answer{w.Result(), w.Body.String()}
	mustBeClosed(t, r, got)
	return got
}

// mustBeClosed holds for every answer there is: no other origin may read,
// frame or sniff it.
func mustBeClosed(t testing.TB, r *http.Request, got answer) {
	t.Helper()
	for name := range got.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s %s: the answer has %s: no origin is ever let in (BBA-32)", r.Method, r.URL, name)
		}
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL, name, got.Header.Get(name), want)
		}
	}
	if !strings.Contains(got.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%s %s: the answer may be framed", r.Method, r.URL)
	}
	// A condition or range of a public file that does not hold is no refusal.
	about := []int{http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable}
	if got.StatusCode >= 400 && !slices.Contains(about, got.StatusCode) && got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: the refusal may be cached", r.Method, r.URL)
	}
}

func TestEveryRouteDeclaresHowItIsReached(t *testing.T) {
	s, _ := offline(t)
	want := map[string]guard.Kind{
		shared.PathLogin: guard.Navigation, shared.PathLogout: guard.Navigation,
		shared.PathCallback: guard.Return, shared.PathSignedOut: guard.Return,
		shared.PathUser: guard.Call, shared.PathInspect: guard.Call, shared.BFFPrefix: guard.Call, "/api/": guard.Call, "/mail/": guard.Call, "/open/": guard.Call,
		shared.PathSessions: guard.Call, shared.PathSessions + "/{handle}": guard.Call, shared.PathBackchannel: guard.Peer,
		shared.PathEvents:  guard.Call,
		shared.PathPageCSS: guard.Page, "/": guard.Page,
	}
	for _, route := range s.Routes() {
		if route.Guard != want[route.Pattern] {
			t.Errorf("%s is %v, want %v: a route added on purpose is added here too", route.Pattern, route.Guard, want[route.Pattern])
		}
		if slices.Contains(route.Methods, http.MethodOptions) || slices.Contains(route.Methods, http.MethodTrace) {
			t.Errorf("%s lists %v", route.Pattern, route.Methods)
		}
		delete(want, route.Pattern)
	}
	for pattern := range want {
		t.Errorf("%s is gone", pattern)
	}
}

// A row is a way to ask that only another origin, or nobody, would use.
var foreign = map[guard.Kind][]struct {
	name    string
	headers []string
	code    problem.Code
}{
	guard.Call: {
		{"without any header", nil, problem.CSRFHeaderMissing},
		{"with an empty header", []string{"X-CSRF: "}, problem.CSRFHeaderMissing},
		{"with another value", []string{"X-CSRF: 0"}, problem.CSRFHeaderMissing},
		{"with the header twice", []string{"X-CSRF: 1", "X-CSRF: 1"}, problem.CSRFHeaderMissing},
		{"with the values in one line", []string{"X-CSRF: 1, 1"}, problem.CSRFHeaderMissing},
		{"with the header under a name CGI would read alike", []string{"X_CSRF: 1"}, problem.CSRFHeaderMissing},
		{"from our own origin without the header", []string{"Sec-Fetch-Site: same-origin", "Origin: " + origin}, problem.CSRFHeaderMissing},
		{"as an event stream without metadata", []string{"Accept: text/event-stream"}, problem.CSRFHeaderMissing},
		{"from another origin", []string{"X-CSRF: 1", "Origin: https://evil.example"}, problem.CrossOrigin},
		{"from no origin", []string{"X-CSRF: 1", "Origin: null"}, problem.CrossOrigin},
		{"from a sibling", []string{"X-CSRF: 1", "Origin: https://sib.app.example.com"}, problem.CrossOrigin},
		{"from an origin that begins like ours", []string{"X-CSRF: 1", "Origin: " + origin + ".evil.example"}, problem.CrossOrigin},
		{"from our host over plain http", []string{"X-CSRF: 1", "Origin: http://app.example.com"}, problem.CrossOrigin},
		{"from two origins", []string{"X-CSRF: 1", "Origin: " + origin, "Origin: https://evil.example"}, problem.CrossOrigin},
		{"cross-site", []string{"X-CSRF: 1", "Sec-Fetch-Site: cross-site"}, problem.CrossOrigin},
		{"same-site", []string{"X-CSRF: 1", "Sec-Fetch-Site: same-site"}, problem.CrossOrigin},
		{"from the address bar", []string{"X-CSRF: 1", "Sec-Fetch-Site: none"}, problem.CrossOrigin},
		{"cross-site with our origin forged", []string{"X-CSRF: 1", "Sec-Fetch-Site: cross-site", "Origin: " + origin}, problem.CrossOrigin},
	},
	guard.Navigation: {
		{"from another site", visiting("Sec-Fetch-Site: cross-site"), problem.LoginCrossSite},
		{"from a sibling", visiting("Sec-Fetch-Site: same-site"), problem.LoginCrossSite},
		{"with another origin", visiting("Sec-Fetch-Site: same-origin", "Origin: https://evil.example"), problem.LoginCrossSite},
		{"with incomplete metadata", visiting(), problem.NavigationRequired},
	},
	guard.Page: {},
	guard.Peer: {
		{"from a page of another site", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, problem.CrossOrigin},
		{"from a page of ours", []string{"X-CSRF: 1", "Sec-Fetch-Site: same-origin", "Origin: " + origin}, problem.CrossOrigin},
		{"from an old browser", []string{"Origin: https://evil.example"}, problem.CrossOrigin},
		{"from no origin", []string{"Origin: null"}, problem.CrossOrigin},
		{"from a visit", visiting("Sec-Fetch-Site: none"), problem.CrossOrigin},
	},
}

// visits are what neither a navigation nor a provider's redirect looks like.
var visits = []struct {
	name    string
	headers []string
}{
	{"in a frame", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}},
	{"as an object", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: object"}},
	{"as an image", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}},
	{"by fetch", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
	{"ahead of time", visiting("Sec-Fetch-Site: same-origin", "Sec-Purpose: prefetch")},
	{"ahead of time and rendered", visiting("Sec-Fetch-Site: same-origin", "Sec-Purpose: prefetch;prerender")},
	{"as a service worker", visiting("Sec-Fetch-Site: same-origin", "Service-Worker: script")},
}

func visiting(more ...string) []string {
	return append([]string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, more...)
}

func TestNoRouteAnswersAnotherOrigin(t *testing.T) {
	s, u := offline(t)
	for _, route := range s.Routes() {
		rows, known := foreign[route.Guard]
		if !known && route.Guard != guard.Return {
			t.Errorf("%s: no rows for %v", route.Pattern, route.Guard)
		}
		for _, row := range rows {
			t.Run(route.Pattern+" "+row.name, func(t *testing.T) {
				methods := everyMethod
				if route.Guard == guard.Navigation {
					methods = []string{http.MethodGet}
				}
				for _, method := range methods {
					got := serve(t, s, request(method, concrete(route.Pattern), row.headers...))
					want, status := row.code, http.StatusForbidden
					switch method {
					case http.MethodOptions, http.MethodTrace:
						want = problem.CrossOrigin
					case http.MethodConnect:
						want, status = problem.PathAmbiguous, http.StatusBadRequest
					}
					if code := codeOf(got); got.StatusCode != status || code != want && method != http.MethodHead {
						t.Errorf("%s: %d %s, want %d %s", method, got.StatusCode, code, status, want)
					}
				}
			})
		}
	}
	if reached := u.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
}

// codeOf reads the problem wherever it stands.
func codeOf(got answer) problem.Code {
	if code := got.pageCode(); code != "" {
		return code
	}
	return got.code()
}

func TestNoVisitThatIsNoneSignsAnybodyInOrOut(t *testing.T) {
	s, _ := offline(t)
	for _, route := range s.Routes() {
		if route.Guard != guard.Navigation && route.Guard != guard.Return {
			continue
		}
		for _, row := range visits {
			t.Run(route.Pattern+" "+row.name, func(t *testing.T) {
				got := serve(t, s, request(http.MethodGet, route.Pattern+"?state=x&code=y&sid=z", row.headers...))
				if code := codeOf(got); got.StatusCode != http.StatusForbidden || code != problem.NavigationRequired {
					t.Errorf("%d %s, want 403 %s", got.StatusCode, code, problem.NavigationRequired)
				}
				if len(got.Cookies()) > 0 {
					t.Errorf("a cookie was set: %v", got.Cookies())
				}
			})
		}
	}
}

// wellMeant are the headers that our own page's request of that kind has.
func wellMeant(kind guard.Kind) []string {
	if kind == guard.Peer {
		return nil
	}
	if kind == guard.Call {
		return []string{"X-CSRF: 1", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}
	}
	return visiting("Sec-Fetch-Site: same-origin")
}

func TestMethodsThatARouteDoesNotListAreRefused(t *testing.T) {
	s, u := offline(t)
	for _, route := range s.Routes() {
		for _, method := range everyMethod {
			if slices.Contains(route.Methods, method) || method == http.MethodConnect ||
				route.Guard == guard.Call && (method == http.MethodOptions || method == http.MethodTrace || route.Methods == nil) {
				continue // allowed, or refused by another rule, which has its own test
			}
			got := serve(t, s, request(method, concrete(route.Pattern), wellMeant(route.Guard)...))
			if got.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d, want 405", method, route.Pattern, got.StatusCode)
			}
			if allow := got.Header.Get("Allow"); allow != strings.Join(route.Methods, ", ") {
				t.Errorf("%s %s: Allow is %q, want %v (RFC 9110 §15.5.6)", method, route.Pattern, allow, route.Methods)
			}
		}
	}
	if reached := u.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
}

// Deny by default (BBA-16, BBA-18): what no route lists goes nowhere, however
// near it comes to one.
func TestWhatIsNotListedIsNotProxied(t *testing.T) {
	s, u := offline(t)
	for _, path := range []string{
		"/apix/orders", "/ap/orders", "/API/orders", "/Api/orders", "/v1/orders", "/v2/x", "/orders", "/openx", "/bff/api/orders",
		"/bff/orders", "/web/api/orders", "/api.internal/orders", "/127.0.0.1/v1/orders", "/http:/127.0.0.1/v1/orders", "/x/api/orders",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			got := serve(t, s, request(method, path, wellMeant(guard.Call)...))
			if !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed}, got.StatusCode) {
				t.Errorf("%s %s: %d", method, path, got.StatusCode)
			}
		}
	}
	if reached := u.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
	serve(t, s, request(http.MethodGet, "/open/x", wellMeant(guard.Call)...))
	if reached := u.take(); !slices.Equal(reached, []string{"GET /v2/x"}) {
		t.Errorf("what is listed reached the upstream as %v: the test proves nothing", reached)
	}
}

// One application to an origin (BBA-66): a page that an upstream sends is no
// second one, for nothing in it runs, loads or asks.
func TestAPageOfAnUpstreamIsNoSecondApplication(t *testing.T) {
	s, u := offline(t)
	u.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "script-src *")
		_, _ = w.Write([]byte("<script>alert(1)</script>"))
	})
	got := serve(t, s, request(http.MethodGet, "/open/x", wellMeant(guard.Call)...))
	if got.StatusCode != http.StatusOK || !strings.Contains(got.body, "<script>") {
		t.Fatalf("%d %s: the test proves nothing", got.StatusCode, got.body)
	}
	policies := got.Header.Values("Content-Security-Policy")
	if len(policies) != 1 || !strings.Contains(policies[0], "default-src 'none'") || !strings.Contains(policies[0], "sandbox") || strings.Contains(policies[0], "-src *") {
		t.Errorf("its policies are %q", policies)
	}
	if got := serve(t, s, request(http.MethodGet, "/open/x", visiting("Sec-Fetch-Site: same-origin")...)); got.StatusCode != http.StatusForbidden {
		t.Errorf("and it can be visited: %d", got.StatusCode)
	}
}

func TestPreflightsAreNeverApproved(t *testing.T) {
	s, u := offline(t)
	for _, route := range s.Routes() {
		for _, from := range []string{origin, "https://evil.example", "https://sib.app.example.com", "null"} {
			r := request(http.MethodOptions, concrete(route.Pattern), "Origin: "+from, "Access-Control-Request-Method: POST",
				"Access-Control-Request-Headers: x-csrf,content-type", "Access-Control-Request-Private-Network: true")
			if got := serve(t, s, r); got.StatusCode != http.StatusForbidden && got.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("preflight of %s from %s: %d", route.Pattern, from, got.StatusCode)
			}
		}
	}
	if reached := u.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
}

func TestAnotherHostIsAnsweredNowhere(t *testing.T) {
	s, u := offline(t)
	hosts := []string{
		"", "evil.example", "app.example.com.", "app.example.com:8443", "app.example.com.evil.example", "sib.app.example.com",
		"127.0.0.1", "[::1]", "localhost", "app.example.com:", "app.example.com@evil.example", "app.example.com, evil.example",
	}
	for _, route := range s.Routes() {
		for _, host := range hosts {
			r := request(http.MethodGet, concrete(route.Pattern), append(wellMeant(route.Guard), "X-Forwarded-Host: app.example.com")...)
			r.Host = host
			got := serve(t, s, r)
			if code := codeOf(got); got.StatusCode != http.StatusMisdirectedRequest || code != problem.HostUnknown {
				t.Errorf("%s at host %q: %d %s, want 421 %s", route.Pattern, host, got.StatusCode, code, problem.HostUnknown)
			}
		}
	}
	if reached := u.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
}

// That the body stays away is net/http's doing.
func TestHeadAnswersAsGet(t *testing.T) {
	s, _ := offline(t)
	for _, route := range s.Routes() {
		if !slices.Contains(route.Methods, http.MethodHead) {
			continue
		}
		get := serve(t, s, request(http.MethodGet, concrete(route.Pattern), wellMeant(route.Guard)...))
		head := serve(t, s, request(http.MethodHead, concrete(route.Pattern), wellMeant(route.Guard)...))
		if head.StatusCode != get.StatusCode {
			t.Errorf("%s: HEAD %d, GET %d", route.Pattern, head.StatusCode, get.StatusCode)
		}
		if get.Header.Get("Content-Type") != head.Header.Get("Content-Type") {
			t.Errorf("%s: Content-Type %q by HEAD, %q by GET", route.Pattern, head.Header.Get("Content-Type"), get.Header.Get("Content-Type"))
		}
	}
}

func TestAWebSocketMustNameOurOrigin(t *testing.T) {
	s, u := offline(t)
	handshake := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, from := range [][]string{nil, {"Origin: https://evil.example"}, {"Origin: null"}, {"Origin: https://sib.app.example.com"}} {
		for _, path := range []string{"/api/below", "/open/below", "/bff/user"} {
			if got := serve(t, s, request(http.MethodGet, path, append(from, handshake...)...)); got.code() != problem.CrossOrigin {
				t.Errorf("%s from %v: %d %s", path, from, got.StatusCode, got.code())
			}
		}
	}
	if reached := u.take(); len(reached) > 0 {
		t.Errorf("the upstream was reached: %v", reached)
	}
}
