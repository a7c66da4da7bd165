package server_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/demo/idp/idptest"
	"cloakroom/bff/proxy"
	"cloakroom/shared"
)

// wire is an API on bare sockets. It reads by the letter of RFC 9112, forgives
// nothing, keeps all that came, and answers with bytes.
type wire struct {
	addr string
	t    testing.TB

	mu     sync.Mutex
	got    []sent
	answer func(c *peer, r sent) // nil: echo
	dialed int
}

// sent is a request as it came over the wire.
type sent struct {
	conn    int // which connection, counted from 1
	line    string
	header  []string // lines
	framing string   // "none", "length", "chunked"
	body    string
	fault   string // why it cannot be read in one way alone; "" when it can
}

// peer is one end of a connection.
type peer struct {
	net.Conn
	in *bufio.Reader
}

func (p *peer) say(text string) { _, _ = io.WriteString(p, text) }

// half closes the sending half.
func (p *peer) half() { _ = p.Conn.(*net.TCPConn).CloseWrite() }

func newWire(t testing.TB) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &wire{addr: l.Addr().String(), t: t}
	var serving sync.WaitGroup
	var conns sync.Map
	t.Cleanup(func() {
		_ = l.Close()
		conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
			u.mu.Lock()
			u.dialed++
			number := u.dialed
			u.mu.Unlock()
			serving.Go(func() {
				defer conns.Delete(conn)
				defer conn.Close()
				u.serve(&peer{conn, bufio.NewReaderSize(conn, 64<<10)}, number)
			})
		}
	})
	return u
}

func (u *wire) serve(c *peer, number int) {
	for {
		if _, err := c.in.Peek(1); err != nil {
			return
		}
		u.mu.Lock()
		answer := u.answer
		u.mu.Unlock()
		if answer == nil {
			answer = echo
		}
		r := readHead(c.in)
		r.conn = number
		if r.fault == "" && !slices.ContainsFunc(r.header, func(line string) bool { return strings.EqualFold(line, "Expect: 100-continue") }) {
			readBody(c.in, &r)
		}
		u.mu.Lock()
		u.got = append(u.got, r)
		u.mu.Unlock()
		if r.fault != "" {
			return
		}
		answer(c, r)
	}
}

// echo answers with what was asked for, and whose it was.
func echo(c *peer, r sent) {
	text := "asked for " + r.target()
	if strings.HasPrefix(r.line, "HEAD ") {
		c.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(text)))
		return
	}
	c.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text))
}

func (u *wire) answers(f func(c *peer, r sent)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = f
}

// take returns what came since the last call.
func (u *wire) take() []sent {
	u.mu.Lock()
	defer u.mu.Unlock()
	got := u.got
	u.got = nil
	return got
}

func (r sent) target() string {
	if parts := strings.Split(r.line, " "); len(parts) == 3 {
		return parts[1]
	}
	return "?"
}

// values returns every value of a header.
func (r sent) values(name string) []string {
	var found []string
	for _, line := range r.header {
		if n, value, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			found = append(found, strings.Trim(value, " \t"))
		}
	}
	return found
}

func (r sent) String() string {
	method, _, _ := strings.Cut(r.line, " ")
	text := method + " " + r.target() + " " + r.framing
	if r.body != "" {
		text += ":" + short(r.body)
	}
	if r.fault != "" {
		text += " BROKEN(" + r.fault + ")"
	}
	return text
}

func silentLog() *log.Logger { return log.New(io.Discard, "", 0) }

// short is text that fits a row of a table.
func short(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%.20s..%d", text, len(text))
	}
	return strings.ReplaceAll(text, "\r\n", "~")
}

const cutOff = "it ends in the middle"

func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("()<>@,;:\\\"/[]?={}", rune(c))
}

// readLine reads one line that ends in CRLF and has no other control in it.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return line, errors.New(cutOff)
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return line, errors.New("a line ends in a bare LF")
	}
	for _, c := range []byte(text) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return text, fmt.Errorf("a line has the byte %#x", c)
		}
	}
	return text, nil
}

// readHead reads a request up to its body.
func readHead(in *bufio.Reader) (r sent) {
	line, err := readLine(in)
	r.line = line
	if err != nil {
		r.fault = "request line: " + err.Error()
		return r
	}
	if parts := strings.Split(line, " "); len(parts) != 3 || parts[2] != "HTTP/1.1" || strings.Trim(parts[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || !strings.HasPrefix(parts[1], "/") {
		r.fault = "request line"
		return r
	}
	r.framing = "none"
	hosts, framings := 0, 0
	for {
		line, err := readLine(in)
		if err != nil {
			r.fault = "header: " + err.Error()
			return r
		}
		if line == "" {
			break
		}
		r.header = append(r.header, line)
		name, value, ok := strings.Cut(line, ":")
		for _, c := range []byte(name) {
			ok = ok && isTokenByte(c)
		}
		if !ok || name == "" {
			r.fault = "header line " + strconv.Quote(line)
			return r
		}
		switch value = strings.Trim(value, " \t"); strings.ToLower(name) {
		case "host":
			hosts++
		case "content-length":
			framings++
			r.framing = "length"
			if _, err := strconv.ParseUint(value, 10, 63); err != nil || strings.HasPrefix(value, "+") {
				r.fault = "length " + value
				return r
			}
		case "transfer-encoding":
			framings++
			r.framing = "chunked"
			if value != "chunked" {
				r.fault = "coding " + value
				return r
			}
		}
	}
	if hosts != 1 || framings > 1 {
		r.fault = fmt.Sprintf("%d hosts, %d framings", hosts, framings)
	}
	return r
}

// readBody reads what readHead has left.
func readBody(in *bufio.Reader, r *sent) {
	switch r.framing {
	case "length":
		n, _ := strconv.Atoi(r.values("Content-Length")[0])
		body := make([]byte, n)
		got, err := io.ReadFull(in, body)
		r.body = string(body[:got])
		if err != nil {
			r.fault = "body: " + cutOff
		}
	case "chunked":
		for {
			line, err := readLine(in)
			if err != nil {
				r.fault = "chunk: " + err.Error()
				return
			}
			n, err := strconv.ParseUint(line, 16, 31)
			if err != nil {
				r.fault = "chunk size " + strconv.Quote(line)
				return
			}
			if n == 0 {
				break
			}
			chunk := make([]byte, n)
			got, err := io.ReadFull(in, chunk)
			r.body += string(chunk[:got])
			if err != nil {
				r.fault = "chunk: " + cutOff
				return
			}
			if line, err := readLine(in); err != nil || line != "" {
				r.fault = "chunk: no end"
				return
			}
		}
		for {
			line, err := readLine(in)
			if err != nil {
				r.fault = "trailer: " + err.Error()
				return
			}
			if line == "" {
				return
			}
			r.header = append(r.header, "TRAILER "+line)
		}
	}
}

// face is a proxy as its clients see it, with an upstream of its own.
type face struct {
	name string
	addr string
	host string // for the Host line
	good string // header lines of a call of alice's that may pass
	bobs string // the same for bob
	api  *wire
	ours bool

	alice, bob string // their names in the tokens that the API sees
	stage      *stage
	tickets    []string
}

// openFaces opens the served stack, with alice and bob signed in, and the
// standard library's proxy for the same cases.
func openFaces(t testing.TB, extra string) []*face {
	t.Helper()
	return []*face{openOurs(t, extra), openBare(t)}
}

func openOurs(t testing.TB, extra string) *face {
	t.Helper()
	api := newWire(t)
	s := openBefore(t, &upstream{Server: &httptest.Server{URL: "http://" + api.addr}}, "http", extra)
	f := &face{name: "cloakroom", addr: s.addr, host: strings.TrimPrefix(s.origin, "http://"), api: api, ours: true, stage: s}
	for _, user := range []struct {
		name, password string
		good, subject  *string
	}{{"alice", password, &f.good, &f.alice}, {"bob", "builder", &f.bobs, &f.bob}} {
		v := newVisitor(t, s.origin)
		if got := v.visit(t, idptest.SignIn(t, v.Client, v.origin+shared.PathLogin, user.name, user.password)); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("sign-in: %d", got.StatusCode)
		}
		f.tickets = append(f.tickets, v.ticket(t))
		*user.good = strings.Join(asCall(v.ticket(t)), "\r\n") + "\r\n"
		if got := f.talk(t, f.fill("GET /api/first HTTP/1.1\r\n{host}"+*user.good+"Connection: close\r\n\r\n")); got != "200 asked for /v1/first" {
			t.Fatalf("the first call: %s", got)
		}
		*user.subject = subject(api.take()[0].values("Authorization")[0])
	}
	if f.alice == "" || f.alice == f.bob {
		t.Fatalf("the tokens are of %q and of %q", f.alice, f.bob)
	}
	return f
}

// subject is whose access token an Authorization carries; "" when it carries none
// that a provider gave.
func subject(authorization string) string {
	parts := strings.Split(strings.TrimPrefix(authorization, "Bearer "), ".")
	if len(parts) != 3 {
		return ""
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Sub string }
	_ = json.Unmarshal(payload, &claims)
	return claims.Sub
}

// openBare runs ReverseProxy on http.Transport, mapped as our routes are.
func openBare(t testing.TB) *face {
	t.Helper()
	api := newWire(t)
	transport := proxy.NewTransport(nil)
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			path := "/v1" + strings.TrimPrefix(r.Out.URL.Path, "/api")
			r.SetURL(&url.URL{Scheme: "http", Host: api.addr})
			r.Out.URL.Path, r.Out.URL.RawPath = path, ""
			r.SetXForwarded()
		},
		Transport: transport, FlushInterval: -1, ErrorLog: silentLog(),
	})
	front.Config.ErrorLog = silentLog()
	front.Start()
	t.Cleanup(func() { front.CloseClientConnections(); front.Close(); transport.CloseIdleConnections() })
	return &face{name: "ReverseProxy", addr: front.Listener.Addr().String(), host: "app.localhost", good: "X-Who: alice\r\n", bobs: "X-Who: bob\r\n", api: api}
}

// fill puts in what differs between the faces: {host}, {good}, and whole
// requests: {get}, {post} and {head} without their end, {smuggled} and {end} with it.
func (f *face) fill(text string) string {
	host := "Host: " + f.host + "\r\n"
	return strings.NewReplacer(
		"{get}", "GET /api/orders HTTP/1.1\r\n"+host+f.good,
		"{head}", "HEAD /api/orders HTTP/1.1\r\n"+host+f.good,
		"{post}", "POST /api/orders HTTP/1.1\r\n"+host+f.good,
		"{smuggled}", "GET /api/smuggled HTTP/1.1\r\n"+host+f.good+"\r\n",
		"{end}", f.end(f.good), "{host}", host, "{good}", f.good,
		"{big}", strings.Repeat("a", 40<<10), "{8k}", strings.Repeat("a", 8<<10),
	).Replace(text)
}

// end is a request after which the connection closes.
func (f *face) end(good string) string {
	return "GET /api/end HTTP/1.1\r\nHost: " + f.host + "\r\n" + good + "Connection: close\r\n\r\n"
}

func (f *face) dial(t testing.TB) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &peer{conn, bufio.NewReader(conn)}
}

// talk sends text as it is and says what came back, until the server closes.
// Whoever is answered once asks for the end, so that what was left unread of
// text would show.
func (f *face) talk(t testing.TB, text string) string {
	t.Helper()
	c := f.dial(t)
	defer c.Close()
	go func() { _, _ = io.WriteString(c, text) }()
	method, _, _ := strings.Cut(text, " ")
	var heard []string
	for last := false; ; {
		one, more := hear(t, c, method)
		if one != "" {
			heard = append(heard, one)
		}
		if !more {
			return counted(heard)
		}
		if strings.HasPrefix(one, "1") {
			continue
		}
		if method = "GET"; !last {
			last = true
			c.say(f.end(f.good))
		}
	}
}

// counted joins texts, and counts those that come again and again.
func counted(texts []string) string {
	var joined []string
	for i, n := 0, 1; i < len(texts); i, n = i+n, 1 {
		for i+n < len(texts) && texts[i+n] == texts[i] {
			n++
		}
		joined = append(joined, texts[i])
		if n > 1 {
			joined[len(joined)-1] += " x" + strconv.Itoa(n)
		}
	}
	return strings.Join(joined, ", ")
}

// hear reads one answer: its status, its body and its trailer. more is false
// when nothing can follow.
func hear(t testing.TB, c *peer, method string) (text string, more bool) {
	t.Helper()
	if _, err := c.in.Peek(1); err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Error("the server neither answered nor closed")
			return "silence", false
		}
		return "", false
	}
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return "junk", false
	}
	text = strconv.Itoa(res.StatusCode)
	if res.StatusCode >= 100 && res.StatusCode < 200 {
		for _, name := range []string{"Link", "Set-Cookie"} {
			if value := res.Header.Get(name); value != "" {
				text += " " + name
			}
		}
		return text, res.StatusCode != http.StatusSwitchingProtocols
	}
	body, err := io.ReadAll(res.Body)
	if len(body) > 0 && !bytes.Contains(body, []byte(`"code":`)) && res.StatusCode < 400 {
		text += " " + short(string(body))
	}
	for name := range res.Trailer {
		if value := res.Trailer.Get(name); value != "" {
			text += " " + name + "=" + value
		}
	}
	if err != nil {
		return text + " CUT", false
	}
	return text, !res.Close
}

// reached says what the upstream got, and holds it to what must always be. What
// never became whole is no request: it may also come late, when the client has
// its answer.
func (f *face) reached(t testing.TB) string {
	t.Helper()
	var texts []string
	for _, r := range f.api.take() {
		if f.ours {
			f.mustBeClean(t, r)
		}
		if !strings.Contains(r.fault, cutOff) {
			texts = append(texts, r.String())
		}
	}
	return strings.Join(texts, ", ")
}

// mustBeClean holds a request that reached the API to what the guard lets pass
// and what the proxy adds.
func (f *face) mustBeClean(t testing.TB, r sent) {
	t.Helper()
	head := r.line + "\n" + strings.Join(r.header, "\n") // a body is what the client wrote there
	for _, ticket := range f.tickets {
		if strings.Contains(head, ticket) {
			t.Errorf("the API got a ticket: %s", r)
		}
	}
	if r.fault != "" && r.framing == "" {
		t.Errorf("the API got a request that cannot be read in one way: %s", r)
	}
	for _, name := range []string{"Cookie", "X-Csrf", "X-Real-Ip", "Forwarded", "Proxy-Authorization"} {
		if values := r.values(name); len(values) > 0 {
			t.Errorf("the API got %s: %q", name, values)
		}
	}
	if got := r.values("Upgrade"); len(got) > 0 && !slices.Equal(got, []string{"websocket"}) {
		t.Errorf("the API got an upgrade to %q", got)
	}
	// The route of /v2/ is the one without a session.
	if got := r.values("Authorization"); !strings.HasPrefix(r.target(), "/v2/") && (len(got) != 1 || subject(got[0]) != f.alice && subject(got[0]) != f.bob) ||
		strings.HasPrefix(r.target(), "/v2/") && len(got) > 0 {
		t.Errorf("%s: the API got %d tokens, or not the session's", r, len(got))
	}
	if got := r.values("X-Forwarded-For"); !slices.Equal(got, []string{"127.0.0.1"}) {
		t.Errorf("%s: the API got X-Forwarded-For %q", r, got)
	}
}
