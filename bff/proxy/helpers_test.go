package proxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"

	"cloakroom/bff/proxy"
	"cloakroom/bff/respond"
	"cloakroom/bff/secret"
	"cloakroom/bff/upstream"
	"cloakroom/shared/problem"
)

const token = "eyJhbGciOiJub25lIn0.c2VjcmV0LXNlY3JldC1zZWNyZXQ.c2lnbmF0dXJl"

// tokens is a TokenSource: a token, or an error. Its sessions never end.
type tokens struct {
	token string
	err   error
}

func (s tokens) Token(w http.ResponseWriter, _ *http.Request, _ proxy.Want) (proxy.Grant, error) {
	if s.err != nil {
		return proxy.Grant{}, s.err
	}
	http.SetCookie(w, &http.Cookie{Name: "ours", Value: "slid"})
	return proxy.Grant{Access: secret.New(s.token), Session: [32]byte{1}}, nil
}

func (tokens) OnEnd(proxy.Grant, func()) (stop func()) { return func() {} }

func (tokens) Proof(proxy.Grant, string, *url.URL, string) (secret.String, error) {
	return secret.String{}, errors.New("a bearer token has no key to prove")
}

// strictPath is a CheckPath for tests, stricter than it needs to be.
func strictPath(u *url.URL) (string, error) {
	clean := path.Clean(u.Path)
	if u.Host != "" || u.Scheme != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		(u.Path != clean && u.Path != clean+"/") || strings.ContainsAny(u.Path, `\;`) ||
		strings.Contains(u.Path, "%") || strings.Contains(strings.ToLower(u.RawPath), "%2") || strings.ContainsRune(u.Path, 0) {
		return "", problem.New(problem.PathAmbiguous, nil)
	}
	return u.Path, nil
}

// logged is a log that can be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// stage is a proxy in front of an upstream, both real servers.
type stage struct {
	front *httptest.Server
	log   *logged // of the proxy and of the server it runs in
}

// setup changes the one route and the config of a stage.
type setup func(*proxy.Route, *proxy.Config)

func newStage(t testing.TB, upstream http.Handler, change ...setup) *stage {
	t.Helper()
	back := httptest.NewServer(upstream)
	t.Cleanup(back.Close)
	return newStageFor(t, back.URL+"/v1/", change...)
}

func newStageFor(t testing.TB, target string, change ...setup) *stage {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	route := proxy.Route{Path: "/api/", Upstream: u, Methods: []string{"GET", "HEAD", "POST", "PUT", "DELETE"}}
	s := &stage{log: &logged{}}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	transport, err := upstream.New(upstream.Config{Others: proxy.NewTransport(nil)}) // as bff/server does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	config := proxy.Config{
		Tokens: tokens{token: token}, CheckPath: strictPath, Origin: "https://app.example.com",
		Transport: transport, Respond: &respond.Responder{Log: logger}, Log: logger,
	}
	for _, c := range change {
		c(&route, &config)
	}
	config.Routes = append(config.Routes, route)
	p, err := proxy.New(config)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, m := range p.Mounts() {
		mux.Handle(m.Route.Path, m.Handler)
	}
	s.front = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff") // as bff/guard does
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}))
	s.front.Config.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelError)
	s.front.Start()
	t.Cleanup(s.front.Close)
	// Whatever happened, the token is in no log.
	t.Cleanup(func() {
		s.front.Close()
		if strings.Contains(s.log.String(), token) {
			t.Errorf("the log has the token: %s", s.log)
		}
	})
	return s
}

// send makes a request through the front and returns the answer, read.
func (s *stage) send(t testing.TB, method, target string, header http.Header, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.front.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	client := &http.Client{Transport: s.front.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// dial opens a raw connection to the front.
func (s *stage) dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

func write(t testing.TB, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// wantProblem checks a problem document's code without decoding the rest.
func wantProblem(t testing.TB, res *http.Response, body string, code problem.Code) {
	t.Helper()
	if want := problem.Kinds[code].Status; res.StatusCode != want || !strings.Contains(body, `"code":"`+string(code)+`"`) || res.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("got %d %s %s, want %d with %s", res.StatusCode, res.Header.Get("Content-Type"), body, want, code)
	}
}

var errStoreDown = problem.New(problem.StoreUnavailable, errors.New("no route to host"))
