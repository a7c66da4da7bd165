package spa_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/spa"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

func dev(t *testing.T, h http.HandlerFunc) (*spa.SPA, *httptest.Server) {
	t.Helper()
	upstream := httptest.NewServer(h)
	t.Cleanup(upstream.Close)
	s, err := spa.New(spa.Config{DevServer: upstream.URL})
	if err != nil {
		t.Fatal(err)
	}
	return s, upstream
}

func TestTheDevServerIsOnLoopbackOrNowhere(t *testing.T) {
	for address, taken := range map[string]bool{
		"http://localhost:5173": true, "http://127.0.0.1:5173": true, "http://[::1]:5173": true, "http://web.localhost:5173": true,
		"http://example.com": false, "http://10.0.0.1:80": false, "http://localhost.example.com": false, "http://169.254.169.254": false,
		"https://localhost": false, "http://u:p@localhost": false, "http://localhost/sub": false, "localhost:5173": false, "file:///etc": false,
	} {
		if _, err := spa.New(spa.Config{DevServer: address}); (err == nil) != taken {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestTheDevServerNeverSeesTheTicket(t *testing.T) {
	var seen http.Header
	var host string
	s, upstream := dev(t, func(w http.ResponseWriter, r *http.Request) {
		seen, host = r.Header.Clone(), r.Host
		http.SetCookie(w, &http.Cookie{Name: shared.CookieName, Value: "planted"})
	})
	w := get(t, s, "/src/main.ts?t=1", "Cookie", "theme=dark; "+shared.CookieName+"=ticket", "Authorization", "Bearer x")
	if strings.Contains(seen.Get("Cookie"), "ticket") || seen.Get("Cookie") != "theme=dark" || seen.Get("Authorization") != "" {
		t.Errorf("it saw %v", seen)
	}
	if host != strings.TrimPrefix(upstream.URL, "http://") {
		t.Errorf("it was called %s", host)
	}
	if w.Header().Get("Set-Cookie") != "" {
		t.Error("it sets cookies for the application's origin")
	}
}

func TestHotReloadGetsThrough(t *testing.T) {
	s, _ := dev(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"vite-hmr"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		_ = conn.Write(r.Context(), websocket.MessageText, []byte("update"))
		_, _, _ = conn.Read(r.Context())
	})
	front := httptest.NewServer(s)
	defer front.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, front.URL+"/", &websocket.DialOptions{Subprotocols: []string{"vite-hmr"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, message, err := conn.Read(ctx); err != nil || string(message) != "update" || conn.Subprotocol() != "vite-hmr" {
		t.Errorf("%q over %q, %v", message, conn.Subprotocol(), err)
	}
}

func TestADevServerThatIsNotStartedIsSaidSo(t *testing.T) {
	s, upstream := dev(t, func(http.ResponseWriter, *http.Request) {})
	upstream.Close()
	w := get(t, s, "/", "Sec-Fetch-Mode", "cors")
	var details problem.Details
	if err := json.Unmarshal(w.Body.Bytes(), &details); err != nil || w.Code != 502 || !strings.Contains(details.Detail, "started") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAGivenTransportIsUsed(t *testing.T) {
	refused := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })
	s, err := spa.New(spa.Config{DevServer: "http://localhost:1", Transport: refused})
	if err != nil {
		t.Fatal(err)
	}
	if w := get(t, s, "/"); w.Code != 502 {
		t.Errorf("the given transport is not used: %d", w.Code)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
