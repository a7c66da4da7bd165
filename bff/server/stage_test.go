package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/config"
	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/secret"
	"cloakroom/bff/server"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// patience bounds every wait of these tests; none is expected to take long.
const patience = 20 * time.Second

// logBook keeps every line of a log, unredacted: what must not be logged must
// not even reach the redaction.
type logBook struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // closed and replaced at every line
}

func newLogBook() *logBook { return &logBook{wrote: make(chan struct{})} }

func (b *logBook) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b *logBook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.wrote)
	b.wrote = make(chan struct{})
	return b.text.Write(line)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await returns once the log contains text.
func (b *logBook) await(t testing.TB, text string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		b.mu.Lock()
		found, wrote := strings.Contains(b.text.String(), text), b.wrote
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-wrote:
		case <-timeout:
			t.Fatalf("the log never said %q:\n%s", text, b)
		}
	}
}

// issued remembers every token and code that a provider gave out.
type issued struct {
	mu     sync.Mutex
	tokens []string
}

func (i *issued) add(_, token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tokens = append(i.tokens, token)
}

// in returns how many tokens were issued, and one that text contains.
func (i *issued) in(text string) (n int, leaked string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, token := range i.tokens {
		if strings.Contains(text, token) {
			leaked = token
		}
	}
	return len(i.tokens), leaked
}

// upstream is an API that counts what reaches it, and answers what a test says.
type upstream struct {
	*httptest.Server
	mu      sync.Mutex
	reached []string // "METHOD path?query"
	answer  http.HandlerFunc
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.reached = append(u.reached, r.Method+" "+r.RequestURI)
		answer := u.answer
		u.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) answers(h http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = h
}

// take returns what reached the upstream since the last call.
func (u *upstream) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	reached := u.reached
	u.reached = nil
	return reached
}

// stage is a server in front of a provider and an upstream of its own.
type stage struct {
	*server.Server
	origin, addr, admin string
	log                 *logBook
	idp                 *idp.Provider
	upstream            *upstream
	issued              *issued
	options             server.Options // but for Log and Version
	stop                func()         // begins to drain
	stopped             chan error     // how Run ended, once
}

const password = "wonderland"

// stageConfig is a deployment in small: a route that needs a session, one that
// wants a token of its own, one that needs no session, and an SPA of one page.
const stageConfig = `
public_url: %[1]s
listen: %[2]s
admin_listen: %[3]s
provider: {issuer: "%[4]s", client_id: app, client_secret: not-a-secret-of-anybody}
api:
  - {path: /api/, upstream: "%[5]s/v1/"}
  - {path: /mail/, upstream: "%[5]s/v3/", scopes: [email]}
  - {path: /open/, upstream: "%[5]s/v2/", auth: none, methods: [GET, POST]}
spa: {dir: "%[6]s"}
`

// configure reads the config of a stage whose public address is origin.
func configure(t testing.TB, origin, addr, admin, issuer string, u *upstream, extra string, environ ...string) *config.Config {
	t.Helper()
	text := configText(t, origin, addr, admin, issuer, u, extra)
	c, err := config.Parse("stage", []byte(text), environ)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

func configText(t testing.TB, origin, addr, admin, issuer string, u *upstream, extra string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!doctype html><title>the application</title>"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(stageConfig, origin, addr, admin, issuer, u.URL, dir) + extra
}

// open runs a stage until the test ends. extra is appended to its config, and
// environ counts for more.
func open(t testing.TB, scheme, extra string, environ ...string) *stage {
	t.Helper()
	return openBefore(t, newUpstream(t), scheme, extra, environ...)
}

// openBefore runs a stage before an upstream of the test's own.
func openBefore(t testing.TB, u *upstream, scheme, extra string, environ ...string) *stage {
	t.Helper()
	s := &stage{log: newLogBook(), upstream: u, issued: &issued{}, stopped: make(chan error, 1)}
	for range 5 { // a free port may be taken again before Run has it
		s.addr, s.admin = freeAddress(t), freeAddress(t)
		_, port, _ := net.SplitHostPort(s.addr)
		s.origin = scheme + "://app.localhost:" + port
		s.idp = idptest.Start(t, idp.Config{
			Clients: []idp.Client{{
				ID: "app", Secret: secret.New("not-a-secret-of-anybody"),
				RedirectURIs: []string{s.origin + shared.PathCallback}, PostLogoutRedirectURIs: []string{s.origin + shared.PathSignedOut},
			}},
			OnIssue: s.issued.add,
		})
		if s.run(t, configure(t, s.origin, s.addr, s.admin, s.idp.Issuer(), s.upstream, extra, environ...)) {
			s.log.await(t, "provider discovered")
			return s
		}
	}
	t.Fatal("no free port")
	return nil
}

// run starts the server and reports whether it got its ports.
func (s *stage) run(t testing.TB, c *config.Config) bool {
	t.Helper()
	options := s.options
	options.Log, options.Version = s.log.logger(), "test"
	made, err := server.New(c, options)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = made
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- made.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		if _, taken := errors.AsType[*server.ListenError](err); taken {
			return false
		}
		t.Fatalf("run: %v", err)
	}
	ended := make(chan struct{})
	go func() { s.stopped <- <-done; close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return true
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// visitor is a browser as far as these tests need one: it keeps cookies, finds
// every *.localhost on this machine, and follows no redirect.
type visitor struct {
	*http.Client
	origin string
}

func newVisitor(t testing.TB, origin string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{origin: origin, Client: &http.Client{
		Jar: trustworthy{jar}, Transport: completeMetadata{transport}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// trustworthy gives Secure cookies to plain http on localhost, as browsers do
// (Secure Contexts §3.1).
type trustworthy struct{ http.CookieJar }

func (j trustworthy) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(asHTTPS(u)) }
func (j trustworthy) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(asHTTPS(u), cookies)
}

func asHTTPS(u *url.URL) *url.URL {
	secure := *u
	secure.Scheme = "https"
	return &secure
}

// completeMetadata adds the Sec-Fetch-Site of a visit that nobody's page began.
type completeMetadata struct{ http.RoundTripper }

func (c completeMetadata) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Site") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	return c.RoundTripper.RoundTrip(r)
}

// answer is a response read to its end.
type answer struct {
	*http.Response
	body string
}

// code is the problem a call was answered with; empty without one.
func (a answer) code() problem.Code {
	var details problem.Details
	if a.Header.Get("Content-Type") != problem.ContentType || json.Unmarshal([]byte(a.body), &details) != nil {
		return ""
	}
	return details.Code
}

// pageCode is the problem an error page names.
func (a answer) pageCode() problem.Code {
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return ""
	}
	for code := range problem.Kinds {
		if strings.Contains(a.body, "· "+string(code)+"</p>") {
			return code
		}
	}
	return ""
}

func (v *visitor) do(t testing.TB, r *http.Request) answer {
	t.Helper()
	response, err := v.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return read(t, response)
}

func read(t testing.TB, response *http.Response) answer {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return answer{response, string(body)}
}

// call does what a script of the application does.
func (v *visitor) call(t testing.TB, method, path string) answer {
	t.Helper()
	return v.do(t, callOf(t, method, v.origin, path))
}

func callOf(t testing.TB, method, origin, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	return r
}

// visit goes to an address as a person does.
func (v *visitor) visit(t testing.TB, address string) answer {
	t.Helper()
	return v.do(t, visitOf(t, address))
}

func visitOf(t testing.TB, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Site", "none")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}

// begin goes as far as the provider's last redirect and returns it.
func (v *visitor) begin(t testing.TB) (callback string) {
	t.Helper()
	return idptest.SignIn(t, v.Client, v.origin+shared.PathLogin, "alice", password)
}

func (v *visitor) signIn(t testing.TB) {
	t.Helper()
	if got := v.visit(t, v.begin(t)); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign-in ended with %d: %s", got.StatusCode, got.body)
	}
	v.mustBe(t, http.StatusOK)
}

// mustBe fails unless GET /bff/user answers status.
func (v *visitor) mustBe(t testing.TB, status int) {
	t.Helper()
	if got := v.call(t, http.MethodGet, shared.PathUser); got.StatusCode != status {
		t.Errorf("GET %s: %d, want %d: %s", shared.PathUser, got.StatusCode, status, got.body)
	}
}

// ticket is the session cookie the visitor holds; empty without one.
func (v *visitor) ticket(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(v.origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range v.Jar.Cookies(u) {
		if cookie.Name == shared.CookieName {
			return cookie.Value
		}
	}
	return ""
}

// rawAnswer is what a server sent for bytes that no HTTP client would send.
type rawAnswer struct {
	status int // 0: the connection was closed without an answer
	answer
}

// raw sends text as it is and reads every answer until the server closes. The
// last request in text must ask for that.
func raw(t testing.TB, addr, text string) []rawAnswer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(conn, text) }() // the server may answer, and close, before it has read all
	var got []rawAnswer
	reader := bufio.NewReader(conn)
	for range 10 {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Fatalf("the server neither answered nor closed after %d answers", len(got))
			}
			return got
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		got = append(got, rawAnswer{response.StatusCode, answer{response, string(body)}})
	}
	t.Fatal("the server does not stop answering")
	return nil
}
