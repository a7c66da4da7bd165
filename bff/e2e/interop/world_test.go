package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/e2e/stage"
	"cloakroom/bff/server"
	"cloakroom/shared"
)

// The registration of the application at the provider. A client secret is any
// printable text (RFC 6749 §A.2), and who forgets to percent-encode it for
// HTTP Basic is found out by this one (§2.3.1).
const (
	clientID     = "app"
	clientSecret = "to be %2B+/=:& encoded"
	user         = "carol"
)

// options of a world: what is put over the defaults of each party.
type options struct {
	client   map[string]any // the registration
	provider map[string]any // what provider.mjs is told
	config   map[string]any // the section "provider" of our own configuration
	embedded bool           // our own application is served, else a bare page
	listens  bool           // the registration names where to tell of sign-outs
}

// world is one application, one provider and one API, all running.
type world struct {
	Origin, IDPOrigin string
	provider          *provider
	api               *resource
	browser           *stage.Browser
	client            *http.Client // reaches both origins, follows no redirect
	log               lockedBuffer

	mu      sync.Mutex
	calls   []call
	issued  []stage.Issued
	expires time.Time
}

// open starts a world that runs until the test ends.
func open(t *testing.T, o options) *world {
	t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(front.Addr().String())
	w := &world{Origin: "http://localhost:" + port, IDPOrigin: "http://idp.localhost:" + port}
	w.client = &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, front.Addr().String())
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       stage.Patience,
	}
	if o.listens {
		o.client = over(map[string]any{"backchannel_logout_uri": w.Origin + shared.PathBackchannel}, o.client)
	}
	w.provider = startProvider(t, over(map[string]any{
		"issuer": w.IDPOrigin,
		"clients": []map[string]any{
			over(map[string]any{
				"client_id": clientID, "client_secret": clientSecret, "grant_types": []string{"authorization_code", "refresh_token"},
				"redirect_uris": []string{w.Origin + shared.PathCallback}, "post_logout_redirect_uris": []string{w.Origin + shared.PathSignedOut},
			}, o.client),
			{"client_id": apiID, "client_secret": apiSecret, "grant_types": []string{}, "response_types": []string{}, "redirect_uris": []string{}},
		},
	}, o.provider))
	w.api = startAPI(t, w)
	spa := map[string]any{"dir": barePage(t)}
	if o.embedded {
		spa = nil
	}
	app := w.application(t, spa, over(map[string]any{
		"issuer": w.IDPOrigin, "client_id": clientID, "client_secret": clientSecret,
		"scopes": []string{"openid", "profile", "email", "offline_access"},
	}, o.config))
	w.serve(t, front, app)

	stage.Until(t, stage.Patience, "the provider to be found", func() bool {
		resp, err := w.client.Get(w.Origin + shared.PathLogin)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusSeeOther
	})
	w.browser = (&stage.Stage{Origin: w.Origin, IDPOrigin: w.IDPOrigin}).Browser(t)
	// The provider's pages want a font from the internet, which is not there,
	// and have no icon.
	w.browser.ForgiveText("ERR_NAME_NOT_RESOLVED")
	w.browser.ForgiveText(w.IDPOrigin + "/favicon.ico")
	return w
}

// over is a with what b says otherwise; a nil takes a key away.
func over(a, b map[string]any) map[string]any {
	a = maps.Clone(a)
	for key, value := range b {
		if a[key] = value; value == nil {
			delete(a, key)
		}
	}
	return a
}

// barePage is the folder of an SPA that does nothing by itself.
func barePage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index.html": `<!doctype html><html lang="en"><title>Bare</title><link rel="icon" href="/icon.svg"><h1>Bare</h1></html>`,
		"icon.svg":   `<svg xmlns="http://www.w3.org/2000/svg"/>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// application is the server as a deployment configures it, at work.
func (w *world) application(t *testing.T, spa, provider map[string]any) *server.Server {
	t.Helper()
	text, err := json.Marshal(map[string]any{ // JSON is YAML
		"public_url": w.Origin, "provider": provider, "spa": spa,
		"api": []map[string]any{{"path": "/api/", "upstream": w.api.URL + "/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("interop", text, nil)
	if err != nil {
		t.Fatalf("the configuration: %v", err)
	}
	// At debug level and without the redaction of bff/observe, as it is searched.
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	app, err := server.New(c, server.Options{Log: log, Version: "interop"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Work(ctx) }()
	t.Cleanup(func() {
		if err := app.Drain(context.Background()); err != nil {
			t.Errorf("the application did not drain: %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the application's work: %v", err)
		}
		if t.Failed() {
			t.Logf("the application's log:\n%s\nthe provider's:\n%s", w.log.String(), w.provider.log.String())
		}
	})
	return app
}

// serve answers for both origins on one port, as the demo does.
func (w *world) serve(t *testing.T, front net.Listener, app *server.Server) {
	t.Helper()
	idp, idpHost := w.passOn(), strings.TrimPrefix(w.IDPOrigin, "http://")
	s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Host == idpHost {
			idp.ServeHTTP(rw, r)
			return
		}
		app.Handler().ServeHTTP(rw, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(front) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
}

// call is one request to the provider, by the browser, the application or the
// API, and its answer as far as it is JSON.
type call struct {
	Method, Path string
	Query, Form  url.Values
	Header       http.Header
	Status       int
	Answer       map[string]any
}

// passOn brings requests to the provider, unchanged, and writes them down.
func (w *world) passOn() http.Handler {
	target := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", w.provider.port)}
	type key struct{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(resp *http.Response) error {
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return err
			}
			resp.Body = io.NopCloser(bytes.NewReader(body))
			one := resp.Request.Context().Value(key{}).(*call)
			one.Status = resp.StatusCode
			_ = json.Unmarshal(body, &one.Answer) // a page is not JSON
			w.note(*one)
			return nil
		},
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(rw, "cut short", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		one := &call{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone()}
		one.Form, _ = url.ParseQuery(string(body)) // a body that is no form is not looked at
		proxy.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), key{}, one)))
	})
}

func (w *world) note(one call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, one)
	if one.Path != pathToken {
		return
	}
	if seconds, ok := one.Answer["expires_in"].(float64); ok {
		w.expires = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	for _, kind := range []string{shared.TokenAccess, shared.TokenRefresh, shared.TokenID} {
		if token, ok := one.Answer[kind].(string); ok {
			w.issued = append(w.issued, stage.Issued{Kind: kind, Value: token, At: time.Now()})
		}
	}
}

// Paths of the provider, as its discovery document has them.
const (
	pathAuthorize  = "/auth"
	pathPush       = "/request"
	pathToken      = "/token"
	pathIntrospect = "/token/introspection"
	pathEndSession = "/session/end"
)

// asked lists the requests to a path of the provider so far.
func (w *world) asked(path string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []call
	for _, one := range w.calls {
		if one.Path == path {
			list = append(list, one)
		}
	}
	return list
}

// authorization is what the last sign-in asked the provider for, in the
// browser's address or pushed before (RFC 9126).
func (w *world) authorization(t *testing.T) url.Values {
	t.Helper()
	asked := w.asked(pathAuthorize)
	if len(asked) == 0 {
		t.Fatal("nobody asked the provider for anything")
	}
	query := asked[len(asked)-1].Query
	for _, pushed := range w.asked(pathPush) {
		if uri, ok := pushed.Answer["request_uri"]; ok && uri == query.Get("request_uri") {
			return pushed.Form
		}
	}
	return query
}

// renewals lists the requests for new tokens so far.
func (w *world) renewals() []call {
	var list []call
	for _, one := range w.asked(pathToken) {
		if one.Form.Get("grant_type") == "refresh_token" {
			list = append(list, one)
		}
	}
	return list
}

// tokens lists the tokens of a kind that the provider gave out so far.
func (w *world) tokens(kind string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, one := range w.issued {
		if one.Kind == kind {
			list = append(list, one.Value)
		}
	}
	return list
}

// last is the token of a kind that was given out last.
func (w *world) last(t *testing.T, kind string) string {
	t.Helper()
	list := w.tokens(kind)
	if len(list) == 0 {
		t.Fatalf("the provider gave out no %s", kind)
	}
	return list[len(list)-1]
}

// Lives of an access token, in seconds: one that a test can call the API with
// before it expires, and one that it has to wait for as short as may be.
const (
	longLived  = 20
	shortLived = 4
)

// expiry is when the access token that was given out last expires, or a
// moment later.
func (w *world) expiry() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expires
}

// outlive waits until a token that expires then has expired.
func outlive(t *testing.T, expiry time.Time) {
	t.Helper()
	stage.Until(t, 2*stage.Patience, "the access token to expire", func() bool { return time.Now().After(expiry) })
}

// post sends a form to the provider as a client with a secret.
func (w *world) post(path, id, secret string, form url.Values) (status int, answer map[string]any, err error) {
	r, err := http.NewRequest(http.MethodPost, w.IDPOrigin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	resp, err := w.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer, err
}

// introspect asks the provider, as the API, what a token is worth (RFC 7662).
func (w *world) introspect(token string) (map[string]any, error) {
	status, facts, err := w.post(pathIntrospect, apiID, apiSecret, url.Values{"token": {token}})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("introspection: HTTP %d", status)
	}
	return facts, err
}

// alive reports whether the provider still honours a token.
func (w *world) alive(t *testing.T, token string) bool {
	t.Helper()
	facts, err := w.introspect(token)
	if err != nil {
		t.Fatal(err)
	}
	return facts["active"] == true
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
