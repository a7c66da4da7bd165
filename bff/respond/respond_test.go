package respond_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/respond"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// errCause is what no caller may see.
var errCause = errors.New("dial 10.1.2.3: refused by vault-7")

// ask has a handler fail with err and returns the answer and the log.
func ask(method string, header map[string]string, err error) (*httptest.ResponseRecorder, string) {
	var log bytes.Buffer
	p := &respond.Responder{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	r := httptest.NewRequest(method, "/bff/user", nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("ETag", `"of the answer that did not come"`)
		return err
	}).ServeHTTP(w, r)
	return w, log.String()
}

var (
	visit  = map[string]string{"Sec-Fetch-Mode": "navigate"}
	script = map[string]string{"Sec-Fetch-Mode": "cors", shared.HeaderCSRF: shared.ValueCSRF}
)

func TestEveryCodeIsAnsweredToScriptsAndToPeople(t *testing.T) {
	for code, kind := range problem.Kinds {
		t.Run(string(code), func(t *testing.T) {
			w, log := ask(http.MethodGet, script, problem.New(code, errCause))
			var got problem.Details
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Header().Get("Content-Type") != problem.ContentType {
				t.Fatalf("%s: %v", w.Header().Get("Content-Type"), err)
			}
			want := problem.Of(code)
			if want.ID = got.ID; kind.Status == http.StatusUnauthorized {
				want.LoginURL = shared.PathLogin // an API call gets a 401 with a way on, never a redirect
			}
			if got != want || w.Code != kind.Status || len(got.ID) != 16 {
				t.Errorf("status %d, got %+v, want %+v", w.Code, got, want)
			}
			if !strings.Contains(log, got.ID) || !strings.Contains(log, errCause.Error()) || strings.Count(log, "\n") != 1 {
				t.Errorf("the errCause is not logged once, under the ID that the caller has: %s", log)
			}
			wantCommon(t, w)

			w, _ = ask(http.MethodGet, visit, problem.New(code, errCause))
			body := w.Body.String()
			if w.Code != kind.Status || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(body, string(code)) {
				t.Errorf("the page: %d %s %s", w.Code, w.Header().Get("Content-Type"), body)
			}
			if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("the page's policy is %q", policy)
			}
			ofProvider := kind.Status == http.StatusBadGateway && code != problem.UpstreamUnavailable && code != problem.InstanceFailed
			if ofProvider && (!strings.Contains(body, "Nothing was changed.") || !strings.Contains(body, `href="`+shared.PathLogin+`"`)) {
				t.Errorf("the page does not say how to go on: %s", body)
			}
			wantCommon(t, w)
		})
	}
}

// TestEveryPageOfASignInSaysHowToGoOn: these are what a person can meet on the
// way in or out. A title alone leaves them standing there.
func TestEveryPageOfASignInSaysHowToGoOn(t *testing.T) {
	for _, code := range []problem.Code{
		problem.ParameterDuplicated, problem.ParameterInvalid, problem.ReturnURLInvalid,
		problem.LogoutMismatch, problem.StoreUnavailable, problem.SessionTooLarge,
		problem.LoginCrossSite, problem.LoginStateInvalid, problem.LoginExpired, problem.LoginDenied, problem.LoginTooWeak, problem.LoginNotSilent,
		problem.ProviderUnavailable, problem.ProviderTimeout, problem.UserInfoInvalid, problem.ShuttingDown,
	} {
		w, _ := ask(http.MethodGet, visit, problem.New(code, nil))
		if body := w.Body.String(); strings.Count(body, "<p>") != 1 {
			t.Errorf("%s: %s", code, body)
		}
	}
}

// wantCommon checks what holds for every answer.
func wantCommon(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	h := w.Header()
	if strings.Contains(w.Body.String(), "vault") || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("the caller sees the errCause: %s", w.Body)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("ETag") != "" {
		t.Errorf("headers %v", h)
	}
	patience := map[int]string{http.StatusServiceUnavailable: "2", http.StatusTooManyRequests: "1"}[w.Code]
	if h.Get("Retry-After") != patience {
		t.Errorf("%d with Retry-After %q, want %q", w.Code, h.Get("Retry-After"), patience)
	}
}

func TestWhatCarriesNoCodeIsAFaultOfOurs(t *testing.T) {
	w, log := ask(http.MethodGet, script, errCause)
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), string(problem.Internal)) || !strings.Contains(log, "ERROR") {
		t.Errorf("%d %s, log %s", w.Code, w.Body, log)
	}
	wantCommon(t, w)
}

func TestAHandlerThatSucceedsIsLeftAlone(t *testing.T) {
	if w, log := ask(http.MethodGet, script, nil); w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "" || log != "" {
		t.Errorf("%d %s %v %s", w.Code, w.Body, w.Header(), log)
	}
}

func TestHEADGetsNoBody(t *testing.T) {
	for name, header := range map[string]map[string]string{"a script": script, "a visit": visit} {
		w, _ := ask(http.MethodHead, header, problem.New(problem.StoreUnavailable, errCause))
		if w.Code != http.StatusServiceUnavailable || w.Body.Len() != 0 || w.Header().Get("Retry-After") == "" || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}

func TestWhoGetsAPage(t *testing.T) {
	for _, row := range []struct {
		name   string
		header map[string]string
		page   bool
	}{
		{"a page load", visit, true},
		{"a fetch that would like HTML", map[string]string{"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, false},
		{"a page load of a browser without Fetch Metadata", map[string]string{"Accept": "application/xml;q=0.9, text/html;q=0.8"}, true},
		{"a script there", map[string]string{"Accept": "text/html", shared.HeaderCSRF: shared.ValueCSRF}, false},
		{"a program that takes anything", map[string]string{"Accept": "*/*"}, false},
		{"a program that says nothing", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, _ := ask(http.MethodGet, row.header, problem.New(problem.NotFound, nil))
			if page := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); page != row.page {
				t.Errorf("a page: %v, want %v", page, row.page)
			}
		})
	}
}

func TestDetailsAreSentences(t *testing.T) {
	for _, row := range []struct{ name, detail, want string }{
		{"none", "", ""},
		{"written as an error", "it must be a path", "It must be a path."},
		{"a sentence already", "At most 3.", "At most 3."},
		{"a question", "Is it started?", "Is it started?"},
		{"not of ASCII", "été", "Été."},
		{"markup", "<b>no</b>", "<b>no</b>."},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := problem.New(problem.ReturnURLInvalid, errCause).WithDetail(row.detail)
			w, _ := ask(http.MethodGet, script, err)
			var got problem.Details
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Detail != row.want {
				t.Errorf("detail %q (%v), want %q", got.Detail, err, row.want)
			}
			w, _ = ask(http.MethodGet, visit, err)
			escaped := strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(row.want)
			if row.want != "" && !strings.Contains(w.Body.String(), "<p>"+escaped+"</p>") {
				t.Errorf("the page says %s", w.Body)
			}
		})
	}
}

func TestTheStyleSheetIsServed(t *testing.T) {
	w := httptest.NewRecorder()
	if err := respond.CSS(w, httptest.NewRequest(http.MethodGet, shared.PathPageCSS, nil)); err != nil {
		t.Fatal(err)
	}
	if w.Header().Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(w.Body.String(), "h1") {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
}

// TestACallerWhoLeftIsNoFailure: whatever failed when they left is nobody's
// fault, and anyone can leave as often as they like.
func TestACallerWhoLeftIsNoFailure(t *testing.T) {
	var log bytes.Buffer
	p := &respond.Responder{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	r := httptest.NewRequest(http.MethodGet, "/api/orders", nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		ctx  context.Context
		want string
	}{{t.Context(), `"level":"ERROR"`}, {gone, `"level":"DEBUG"`}} {
		log.Reset()
		p.Error(httptest.NewRecorder(), r.WithContext(c.ctx), context.Canceled)
		if !strings.Contains(log.String(), c.want) {
			t.Errorf("want %s: %s", c.want, log.String())
		}
	}
}
