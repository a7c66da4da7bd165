package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared"
	"cloakroom/shared/problem"
	"cloakroom/wasm/api"
)

// answering returns a client of a server that gives one answer to everything,
// and the last request it saw.
func answering(t *testing.T, status int, contentType, body string, header http.Header) (*api.Client, *http.Request) {
	t.Helper()
	seen := new(http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = *r.Clone(context.Background())
		for key, values := range header {
			w.Header()[key] = values
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return api.New(server.URL), seen
}

func problemBody(t *testing.T, code problem.Code, loginURL string) string {
	t.Helper()
	details := problem.Of(code)
	details.LoginURL = loginURL
	body, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAFailedCallTellsWhatMendsIt(t *testing.T) {
	const problemJSON = problem.ContentType
	sentinels := map[string]error{
		"signed out": api.ErrSignedOut, "unavailable": api.ErrUnavailable,
		"offline": api.ErrOffline, "unexpected": api.ErrUnexpected,
	}
	for _, row := range []struct {
		name, contentType, body string
		status                  int
		header                  http.Header
		is                      []string
		code                    problem.Code
		loginURL                string
		retry                   time.Duration
	}{
		{name: "401 with a login address is signed out", status: 401, contentType: problemJSON,
			body: problemBody(t, problem.SessionRequired, shared.PathLogin), is: []string{"signed out"}, code: problem.SessionRequired, loginURL: shared.PathLogin},
		{name: "401 with a page as body is still signed out", status: 401, contentType: "text/html", body: "<h1>no</h1>", is: []string{"signed out"}},
		{name: "a login address of another origin is dropped", status: 401, contentType: problemJSON,
			body: problemBody(t, problem.SessionEnded, "https://evil.example/bff/login"), is: []string{"signed out"}, code: problem.SessionEnded},
		{name: "503 is unavailable and says when to come back", status: 503, contentType: problemJSON, header: http.Header{"Retry-After": {"2"}},
			body: problemBody(t, problem.StoreUnavailable, ""), is: []string{"unavailable"}, code: problem.StoreUnavailable, retry: 2 * time.Second},
		{name: "a load balancer's 502 page is unavailable", status: 502, contentType: "text/html", body: "<html>bad gateway", is: []string{"unavailable"}},
		{name: "504 is unavailable", status: 504, contentType: problemJSON, body: problemBody(t, problem.UpstreamTimeout, ""), is: []string{"unavailable"}, code: problem.UpstreamTimeout},
		{name: "the body cannot claim another status", status: 503, contentType: problemJSON, body: `{"status":401,"code":"session_required"}`, is: []string{"unavailable"}, code: problem.SessionRequired},
		{name: "a problem document cut short still tells by its status", status: 503, contentType: problemJSON, body: `{"code":"store_`, is: []string{"unavailable"}},
		{name: "403 is none of the sentinels", status: 403, contentType: problemJSON, body: problemBody(t, problem.CSRFHeaderMissing, ""), code: problem.CSRFHeaderMissing},
		{name: "an absurd Retry-After is ignored", status: 503, contentType: "text/plain", header: http.Header{"Retry-After": {"99999999"}}, is: []string{"unavailable"}},
		{name: "a success of the wrong type is unexpected", status: 200, contentType: "text/html", body: "<!doctype html>", is: []string{"unexpected", "unavailable"}},
		{name: "a success without a type is unexpected", status: 200, contentType: "", body: `[]`, is: []string{"unexpected", "unavailable"}},
		{name: "malformed JSON is unexpected", status: 200, contentType: "application/json", body: `[{"type":`, is: []string{"unexpected", "unavailable"}},
		{name: "JSON of another shape is unexpected", status: 200, contentType: "application/json", body: `{"sub":"alice"}`, is: []string{"unexpected", "unavailable"}},
		{name: "an endless answer is cut off", status: 200, contentType: "application/json", body: `["` + strings.Repeat("x", 2<<20) + `"]`, is: []string{"unexpected", "unavailable"}},
		{name: "an endless error is cut off", status: 500, contentType: problemJSON, body: strings.Repeat("x", 2<<20), is: []string{"unexpected"}},
		{name: "a redirect is not followed", status: 302, contentType: "text/html", header: http.Header{"Location": {"https://evil.example/"}}, is: []string{"unexpected", "unavailable"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, _ := answering(t, row.status, row.contentType, row.body, row.header)
			_, err := client.User(t.Context(), true)
			var failed *api.Error
			if !errors.As(err, &failed) {
				t.Fatalf("error is %T (%v), not *api.Error", err, err)
			}
			want := map[string]bool{}
			for _, name := range row.is {
				want[name] = true
			}
			for name, sentinel := range sentinels {
				if got := errors.Is(err, sentinel); got != want[name] {
					t.Errorf("is %s: got %v, want %v", name, got, want[name])
				}
			}
			if failed.Code != row.code || failed.LoginURL != row.loginURL || failed.RetryAfter() != row.retry {
				t.Errorf("got code %q login %q retry %v, want %q %q %v",
					failed.Code, failed.LoginURL, failed.RetryAfter(), row.code, row.loginURL, row.retry)
			}
			if failed.Problem().Status < 400 {
				t.Errorf("a failure carries status %d", failed.Problem().Status)
			}
		})
	}
}

func TestNoAnswerAtAllIsOffline(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	_, err := api.New(base).Orders(t.Context(), 0, 20)
	if !errors.Is(err, api.ErrOffline) || errors.Is(err, api.ErrUnavailable) {
		t.Errorf("got %v, want offline only", err)
	}
}

func TestEveryCallCarriesTheCSRFHeader(t *testing.T) {
	for _, row := range []struct {
		name, method, target, answer string
		call                         func(*api.Client) error
	}{
		{"who is there, counting as use", "GET", "/bff/user", `[]`,
			func(c *api.Client) error { _, err := c.User(t.Context(), true); return err }},
		{"who is there, not counting as use", "GET", "/bff/user?slide=false", `[]`,
			func(c *api.Client) error { _, err := c.User(t.Context(), false); return err }},
		{"what is held", "GET", "/bff/inspect", `{}`,
			func(c *api.Client) error { _, err := c.Inspect(t.Context()); return err }},
		{"staying, which counts as use", "GET", "/bff/user", `[]`,
			func(c *api.Client) error { _, err := c.Stay(t.Context()); return err }},
		{"my sessions", "GET", "/bff/sessions", `[]`,
			func(c *api.Client) error { _, err := c.Sessions(t.Context()); return err }},
		{"one of them ended, its handle escaped", "DELETE", "/bff/sessions/..%2Fuser", ``,
			func(c *api.Client) error { return c.EndSession(t.Context(), "../user") }},
		{"all others ended", "DELETE", "/bff/sessions/others", ``,
			func(c *api.Client) error { return c.EndOtherSessions(t.Context()) }},
		{"a page of orders", "GET", "/api/orders?limit=20&offset=40", `{}`,
			func(c *api.Client) error { _, err := c.Orders(t.Context(), 40, 20); return err }},
		{"a new order", "POST", "/api/orders", `{"id":"1"}`,
			func(c *api.Client) error {
				_, err := c.AddOrder(t.Context(), shared.NewOrder{Item: "scarf", Quantity: 1})
				return err
			}},
		{"an order withdrawn, its ID escaped", "DELETE", "/api/orders/..%2F..%2Fbff", ``,
			func(c *api.Client) error { return c.DeleteOrder(t.Context(), "../../bff") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, seen := answering(t, 200, "application/json", row.answer, nil)
			if err := row.call(client); err != nil {
				t.Fatal(err)
			}
			if seen.Method != row.method || seen.RequestURI != row.target {
				t.Errorf("sent %s %s, want %s %s", seen.Method, seen.RequestURI, row.method, row.target)
			}
			if seen.Header.Get(shared.HeaderCSRF) != shared.ValueCSRF {
				t.Error("the CSRF header is missing (BBA-31)")
			}
			if row.method == "POST" && seen.Header.Get("Content-Type") != "application/json" {
				t.Error("the order was not sent as JSON")
			}
		})
	}
}

func TestUserIsReadFromClaims(t *testing.T) {
	for _, row := range []struct {
		name, body string
		want       shared.User
	}{
		{"everything said", `[{"type":"sub","value":"alice"},{"type":"name","value":"Alice Liddell"},
			{"type":"bff:logout_url","value":"/bff/logout?sid=1"},{"type":"bff:session_expires_in","value":1799},
			{"type":"bff:session_state","value":"s.1"}]`,
			shared.User{Name: "Alice Liddell", Subject: "alice", LogoutURL: "/bff/logout?sid=1", ExpiresIn: 1799 * time.Second, State: "s.1",
				Claims: []shared.Claim{{Type: "sub", Value: "alice"}, {Type: "name", Value: "Alice Liddell"}}}},
		{"no name falls back to the subject", `[{"type":"sub","value":"bob"},{"type":"name","value":" "}]`,
			shared.User{Name: "bob", Subject: "bob", Claims: []shared.Claim{{Type: "sub", Value: "bob"}, {Type: "name", Value: " "}}}},
		{"a script as logout address is refused", `[{"type":"bff:logout_url","value":"javascript:alert(1)"}]`, shared.User{}},
		{"another host as logout address is refused", `[{"type":"bff:logout_url","value":"//evil.example/"}]`, shared.User{}},
		{"a backslash as logout address is refused", `[{"type":"bff:logout_url","value":"/\\evil.example/"}]`, shared.User{}},
		{"seconds in quotes are read", `[{"type":"bff:session_expires_in","value":"60"}]`, shared.User{ExpiresIn: time.Minute}},
		{"a negative rest is none", `[{"type":"bff:session_expires_in","value":-5}]`, shared.User{}},
		{"an absurd rest is bounded", `[{"type":"bff:session_expires_in","value":1e300}]`, shared.User{ExpiresIn: 365 * 24 * time.Hour}},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, _ := answering(t, 200, "application/json; charset=utf-8", row.body, nil)
			got, err := client.User(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSessionsAreReadAsTheServerSaysThem(t *testing.T) {
	client, _ := answering(t, 200, "application/json", `[{"handle":"h1","current":true,"created":1,"last_seen":2,"expires":3,"user_agent":"Mozilla/5.0","address":"203.0.113.0/24"},{"handle":"h2"}]`, nil)
	got, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []shared.Device{{Handle: "h1", Current: true, Created: 1, LastSeen: 2, Expires: 3, UserAgent: "Mozilla/5.0", Address: "203.0.113.0/24"}, {Handle: "h2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	client, _ = answering(t, 404, problem.ContentType, problemBody(t, problem.SessionUnknown, ""), nil)
	var failed *api.Error
	if err := client.EndSession(t.Context(), "h9"); !errors.As(err, &failed) || failed.Code != problem.SessionUnknown {
		t.Errorf("a session that is gone: %v", err)
	}
}

func TestLoginURLEscapesTheWayBack(t *testing.T) {
	if got, want := api.LoginURL("/orders?page=3&x=é"), "/bff/login?returnUrl=%2Forders%3Fpage%3D3%26x%3D%C3%A9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
