package observe_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloakroom/bff/observe"
	"cloakroom/bff/secret"
)

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"

func TestNoTokenReachesTheLog(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := observe.NewLogger(&out, slog.LevelDebug, format)
		log.Info("with "+jwt, "token", jwt, "err", fmt.Errorf("verify %q: no", jwt),
			"header", "Authorization: Bearer opaque-token-0123456789", "basic", "Basic Y2xpZW50OnNlY3JldA==",
			"url", "https://app.example/bff/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkj",
			"form", "grant_type=refresh_token&refresh_token=8xLOxBtZp8&client_secret=gX1fBat3bV",
			"secret", secret.New("opaque-token-0123456789"), slog.Group("g", "inner", jwt))
		log.With("bound", jwt).WithGroup("group").Warn("w", "t", jwt)
		for _, leak := range []string{
			jwt, "eyJzdWIi", "opaque-token", "Y2xpZW50", "SplxlOBe", "af0ifjsldkj", "8xLOxBtZp8", "gX1fBat3bV",
		} {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%s log shows %q:\n%s", format, leak, out.String())
			}
		}
		if !strings.Contains(out.String(), "grant_type=refresh_token") {
			t.Errorf("%s log blots out too much:\n%s", format, out.String())
		}
	}
}

func TestTheAccessLogNamesTheRouteAndNotTheQuery(t *testing.T) {
	var out bytes.Buffer
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bff/callback", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("12345"))
	})
	handler := observe.Access{
		Log: observe.NewLogger(&out, slog.LevelInfo, "json"), Session: func(*http.Request) string { return "abcd1234" },
	}.Handler(mux)
	r := httptest.NewRequest("GET", "/bff/callback?code=secret-code&other=private", nil)
	r.Header.Set("Cookie", "a=cookie-value")
	handler.ServeHTTP(httptest.NewRecorder(), r)

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"msg": "request", "method": "GET", "route": "GET /bff/callback", "path": "/bff/callback",
		"status": 418.0, "bytes": 5.0, "session": "abcd1234", "client": "192.0.2.1",
	} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	for _, leak := range []string{"secret-code", "private", "cookie-value"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the log shows %q", leak)
		}
	}
}

func TestTheAccessLogDoesNotStandInTheWay(t *testing.T) {
	server := httptest.NewServer(observe.Access{}.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Errorf("full duplex: %v", err)
		}
		if err := control.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		if r.URL.Path == "/hijack" {
			conn, _, err := control.Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			_ = conn.Close()
		}
	})))
	defer server.Close()
	for _, path := range []string{"/", "/hijack"} {
		if resp, err := http.Get(server.URL + path); err == nil {
			_ = resp.Body.Close()
		}
	}
}

func TestAnAbortedAnswerIsLoggedAsOne(t *testing.T) {
	var out bytes.Buffer
	handler := observe.Access{Log: observe.NewLogger(&out, slog.LevelInfo, "json")}.Handler(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the panic must go on to net/http")
			}
		}()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	if !strings.Contains(out.String(), `"aborted":true`) {
		t.Errorf("log: %s", out.String())
	}
}

func TestReadiness(t *testing.T) {
	missing := func() error { return errors.New("dial tcp: refused") }
	fine := func() error { return nil }
	for _, c := range []struct {
		name     string
		required func() error
		optional func() error
		drain    bool
		status   int
		state    string
	}{
		{"everything there", fine, fine, false, 200, "ready"},
		{"an optional part missing", fine, missing, false, 200, "degraded"},
		{"a required part missing", missing, fine, false, 503, "unready"},
		{"both missing", missing, missing, false, 503, "unready"},
		{"draining", fine, fine, true, 503, "draining"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := observe.NewHealth(observe.Check{Name: "store", Required: true, Ready: c.required}, observe.Check{Name: "provider", Ready: c.optional})
			if c.drain {
				h.Drain()
			}
			w := httptest.NewRecorder()
			h.Ready(w, httptest.NewRequest("GET", "/readyz", nil))
			var got struct {
				Status string
				Checks []struct {
					Name, Missing string
					OK            bool
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || got.Status != c.state || len(got.Checks) != 2 || got.Checks[0].Name != "store" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if w := httptest.NewRecorder(); true {
				if h.Live(w, nil); w.Code != 200 {
					t.Error("not live")
				}
			}
		})
	}
}

func TestMetricsAreCounted(t *testing.T) {
	m := observe.NewMetrics("test")
	m.Store(func() observe.StoreStats { return observe.StoreStats{Sessions: 3, Bytes: 4500, Evicted: 2} })
	m.Login("signed_in")
	m.Refresh("renewed")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /x/", func(http.ResponseWriter, *http.Request) {})
	handler := observe.Access{Metrics: m}.Handler(mux)
	for _, path := range []string{"/x/1", "/x/2", "/other/1", "/other/2"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`cloakroom_http_requests_total{route="GET /x/",status="200"} 2`,
		`cloakroom_http_requests_total{route="none",status="404"} 2`,
		`cloakroom_sessions 3`, `cloakroom_sessions_bytes 4500`, `cloakroom_sessions_evicted_total 2`,
		`cloakroom_logins_total{outcome="signed_in"} 1`, `cloakroom_refreshes_total{outcome="renewed"} 1`,
		`cloakroom_build_info{version="test"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no line %s", want)
		}
	}
}
