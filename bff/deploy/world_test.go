package deploy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

	"cloakroom/bff/demo/idp"
	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// patience bounds every wait; none is expected to take long.
const patience = 30 * time.Second

// balancer is a program that stands in front, and its file of this folder.
type balancer struct {
	name, file string
	run        func(t servers.T, file string, env []string, ready string) *servers.Process
	// learns: with BALANCE=session it remembers where a session was made. The
	// others spread sessions by a hash of the cookie.
	learns bool
	// looks: it asks /readyz.
	looks bool
}

func balancers() []balancer {
	return []balancer{
		{"haproxy", "haproxy/haproxy.cfg", servers.HAProxy, true, true},
		{"nginx", "nginx/cloakroom.conf.template", servers.Nginx, false, false},
		{"caddy", "caddy/Caddyfile", servers.Caddy, false, true},
	}
}

// each runs a test for every balancer.
func each(t *testing.T, f func(t *testing.T, b balancer)) {
	for _, b := range balancers() {
		t.Run(b.name, func(t *testing.T) { f(t, b) })
	}
}

// site is where a balancer stands: its public side, and the two loopback
// addresses behind it, which share their ports as two machines would.
type site struct {
	origin      string // https://localhost:port
	addr        string // the balancer's
	certificate servers.Certificate
	roots       *x509.CertPool
	hosts       [2]string
	port, admin int
	httpPort    int
}

// client is the address that visitors come from; the balancer comes from
// 127.0.0.1.
var client = net.IPv4(127, 9, 9, 9)

func newSite(t *testing.T) *site {
	t.Helper()
	port := servers.FreePort(t)
	s := &site{
		origin: fmt.Sprintf("https://localhost:%d", port), addr: servers.Address(port), roots: x509.NewCertPool(),
		port: servers.FreePort(t), admin: servers.FreePort(t), httpPort: servers.FreePort(t),
	}
	for i := range s.hosts {
		s.hosts[i] = fmt.Sprintf("127.%d.%d.%d", 10+rand.IntN(200), rand.IntN(256), 2+i)
	}
	s.certificate = servers.NewCertificate(t, t.TempDir())
	key, err := os.ReadFile(s.certificate.Key)
	if err == nil { // where HAProxy looks for it
		err = os.WriteFile(s.certificate.Cert+".key", key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(s.certificate.CA)
	if err != nil || !s.roots.AppendCertsFromPEM(ca) {
		t.Fatalf("the authority's certificate: %v", err)
	}
	return s
}

// env is balancer.env with the values of this site.
func (s *site) env(t *testing.T, balance string) []string {
	t.Helper()
	here := map[string]string{
		"PUBLIC_HOST": "localhost", "LISTEN_ADDRESS": "127.0.0.1", "HTTP_PORT": fmt.Sprint(s.httpPort), "HTTPS_PORT": portOf(s.addr),
		"TLS_CERT": s.certificate.Cert, "TLS_KEY": s.certificate.Key,
		"INSTANCE_A": s.hosts[0], "INSTANCE_B": s.hosts[1], "INSTANCE_PORT": fmt.Sprint(s.port), "INSTANCE_ADMIN_PORT": fmt.Sprint(s.admin),
		"BALANCE": balance,
	}
	text, err := os.ReadFile("balancer.env")
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(string(text)) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		value, known := here[name]
		if !known {
			t.Fatalf("balancer.env has %s, of which this test knows nothing", name)
		}
		env = append(env, name+"="+value)
		delete(here, name)
	}
	if len(here) > 0 {
		t.Fatalf("balancer.env does not have %v", here)
	}
	return env
}

// start runs a balancer of the site.
func (s *site) start(t *testing.T, b balancer, balance string) *servers.Process {
	t.Helper()
	file, err := filepath.Abs(b.file)
	if err != nil {
		t.Fatal(err)
	}
	return b.run(t, file, s.env(t, balance), s.addr)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// world is a site with two instances of Cloakroom, a provider and an API.
type world struct {
	*site
	api       *api
	issuer    string
	instances [2]*servers.Process
	balancer  *servers.Process
}

// api answers with the name of the instance that asks, which is in the path it
// is configured with, and what it was sent.
type api struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	last   *http.Request
}

func newAPI(t *testing.T) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		a.last = r
		answer := a.answer
		a.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		instance, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		_, _ = io.WriteString(w, instance)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) answers(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = h
}

func (a *api) heard() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

const instanceConfig = `
public_url: %[1]s
listen: %[2]s:%[3]d
admin_listen: %[2]s:%[4]d
trusted_proxies: [127.0.0.1/32]
provider: {issuer: "%[5]s", client_id: app, client_secret: not-a-secret-of-anybody}
api:
  - {path: /api/, upstream: "%[6]s/%[7]s/"}
spa: {dir: "%[8]s"}
`

const ring = "keys: [{id: k-1, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]"

// names of the two instances.
var names = [2]string{"a", "b"}

// open runs a world behind b. section is added to the instances' config.
func open(t *testing.T, b balancer, balance, section string, users ...idp.User) *world {
	t.Helper()
	w := &world{site: newSite(t), api: newAPI(t)}
	w.issuer = idptest.Start(t, idp.Config{
		Clients: []idp.Client{{
			ID: "app", Secret: secret.New("not-a-secret-of-anybody"),
			RedirectURIs: []string{w.origin + shared.PathCallback}, PostLogoutRedirectURIs: []string{w.origin + shared.PathSignedOut},
		}},
		AccessTokenLifetime: time.Hour, Users: users,
	}).Issuer()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!doctype html><title>the application</title>"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := servers.Build(t, "", "./bff", "cloakroom-deployed")
	for i, host := range w.hosts {
		text := fmt.Sprintf(instanceConfig, w.origin, host, w.port, w.admin, w.issuer, w.api.URL, names[i], dir) + section
		file := filepath.Join(t.TempDir(), "cloakroom.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.instances[i] = servers.Launch(t, servers.Command{
			Program: program, Args: []string{"serve", "--config", file}, Dir: dir, Ready: w.ready(i),
		})
	}
	for _, i := range w.instances {
		i.WaitReady()
	}
	w.balancer = w.start(t, b, balance)
	return w
}

// ready asks an instance whether it has everything, the provider too.
func (w *world) ready(i int) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/readyz", w.hosts[i], w.admin), nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err == nil && !bytes.Contains(body, []byte(`"ready"`)) {
			err = errors.New(string(body))
		}
		return err
	}
}

// visitor is a browser as far as these tests need one.
type visitor struct {
	*http.Client
	origin string
}

// newVisitor speaks HTTP/2 if the balancer does, or 1.1 if it must.
func newVisitor(t *testing.T, s *site, one bool) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: !one,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if portOf(addr) != portOf(s.addr) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: client}}).DialContext(ctx, "tcp4", s.addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{origin: s.origin, Client: &http.Client{
		Jar: jar, Transport: visits{transport}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// visits adds the Sec-Fetch-Site of a visit that nobody's page began.
type visits struct{ http.RoundTripper }

func (v visits) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Site") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	return v.RoundTripper.RoundTrip(r)
}

// signIn signs alice in and returns how the callback was answered.
func (v *visitor) signIn(t *testing.T) answer {
	t.Helper()
	callback := idptest.SignIn(t, v.Client, v.origin+shared.PathLogin, "alice", "wonderland")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return v.do(t, r)
}

func (v *visitor) mustSignIn(t *testing.T) {
	t.Helper()
	if got := v.signIn(t); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("the sign-in ended with %d: %s", got.StatusCode, got.body)
	}
}

// answer is a response read to its end.
type answer struct {
	*http.Response
	body string
}

func (v *visitor) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	got, err := v.try(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (v *visitor) try(r *http.Request) (answer, error) {
	response, err := v.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response, string(body)}, err
}

// call is a request as a script of the application makes it.
func (v *visitor) call(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.origin+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(shared.HeaderCSRF, shared.ValueCSRF)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	return r
}

// served says which instance served a call to the API; empty if none would.
func (v *visitor) served(t *testing.T) string {
	t.Helper()
	got := v.do(t, v.call(t, http.MethodGet, "/api/who", nil))
	switch got.StatusCode {
	case http.StatusOK:
		return got.body
	case http.StatusUnauthorized:
		return ""
	}
	t.Fatalf("GET /api/who: %d %s", got.StatusCode, got.body)
	return ""
}

// keeping is the same browser, but that no answer changes its cookies any more.
func (v *visitor) keeping(t *testing.T) *visitor {
	t.Helper()
	u, err := url.Parse(v.origin)
	if err != nil {
		t.Fatal(err)
	}
	same := *v.Client
	same.Jar = kept(v.Jar.Cookies(u))
	return &visitor{&same, v.origin}
}

type kept []*http.Cookie

func (k kept) Cookies(*url.URL) []*http.Cookie   { return k }
func (kept) SetCookies(*url.URL, []*http.Cookie) {}
