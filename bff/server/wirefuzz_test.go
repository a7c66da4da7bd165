package server_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/guard"
)

// FuzzWire sends bytes of a client to the whole server, alice's cookie among
// them, and looks at what comes out at the API on the other side: only requests
// that the guard passes, each once and as it was, with alice's token and without
// a cookie of ours. Then bob calls, and gets his own answer.
func FuzzWire(f *testing.F) {
	for _, row := range requestRows {
		f.Add([]byte(row.send))
	}
	for _, seed := range []string{
		"{get}Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: {origin}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"{post}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello{smuggled}",
		"GET /open/x HTTP/1.1\r\n{host}X-CSRF: 1\r\n\r\n{get}\r\n",
		"GET /api/x?a=b;c=d&%zz HTTP/1.1\r\n{host}{good}Te: trailers\r\n\r\n",
		"{head}\r\n{get}\r\n{smuggled}",
		"DELETE /api/orders/1 HTTP/1.1\r\n{host}{good}If-Match: *\r\n\r\n",
		"GET /bff/user HTTP/1.1\r\n{host}{good}\r\n{get}\r\n",
		"POST /mail/x HTTP/1.1\r\n{host}{good}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	face := openOurs(f, "")
	gate, err := guard.New(guard.Config{Origin: face.stage.origin})
	if err != nil {
		f.Fatal(err)
	}
	passed := map[string]bool{} // by the guard, whenever: what is under way may arrive late
	n := 0
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		if n++; n%500 == 0 {
			face.stage.log.forget()
		}
		filled := strings.ReplaceAll(face.fill(string(text)), "{origin}", face.stage.origin)
		for _, one := range admitted(gate, filled) {
			passed[one] = true
		}
		c := face.dial(t)
		defer c.Close()
		go func() { _, _ = io.WriteString(c, filled) }()
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // whoever waits for more is left
		answers, _ := io.ReadAll(c.in)
		_ = c.Close()
		for _, r := range face.api.take() {
			face.mustBeClean(t, r)
			if strings.Contains(r.fault, cutOff) {
				continue
			}
			if r.fault != "" {
				t.Errorf("%q\nreached the API as %s", filled, r)
			}
			if !passed[essence(strings.SplitN(r.line, " ", 2)[0], r.target(), r.body)] && r.target() != "/v1/end" {
				t.Errorf("%q\nreached the API, and the guard did not pass it: %s", filled, r)
			}
			if !strings.HasPrefix(r.target(), "/v2/") && r.target() != "/v1/end" && subject(r.values("Authorization")[0]) != face.alice {
				t.Errorf("%q\nreached the API as somebody else's: %s", filled, r)
			}
		}
		if _, token := face.stage.issued.in(string(answers)); token != "" {
			t.Errorf("%q\nwas told a token", filled)
		}
		if bob := face.talk(t, face.end(face.bobs)); bob != "200 asked for /v1/end" {
			t.Errorf("%q\nthen bob got %s", filled, bob)
		}
	})
}

// forget empties the book.
func (b *logBook) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

// essence names a request by what it does.
func essence(method, target, body string) string { return method + " " + target + "\n" + body }

// admitted reads a connection as a server does, and returns the requests that
// the guard lets through to a route of the stage, as its API must see them.
func admitted(gate *guard.Guard, text string) (list []string) {
	routes := []struct {
		path, upstream string
		methods        []string
	}{
		{"/api/", "/v1/", []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}},
		{"/mail/", "/v3/", []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}},
		{"/open/", "/v2/", []string{"GET", "HEAD", "POST"}},
	}
	in := bufio.NewReader(strings.NewReader(text))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return list
		}
		body := new(bytes.Buffer)
		_, err = io.Copy(body, r.Body)
		path, pathErr := guard.CanonicalPath(r.URL)
		if err == nil && pathErr == nil && gate.CheckHost(r) == nil && gate.Check(guard.Call, r) == nil {
			for _, route := range routes {
				if rest, below := strings.CutPrefix(path, route.path); below && slices.Contains(route.methods, r.Method) {
					u := *r.URL
					u.Path, u.RawPath = route.upstream+rest, ""
					if strings.Contains(u.RawQuery, ";") || strings.Contains(u.RawQuery, "%") {
						u.RawQuery = u.Query().Encode() // one reading
						if plain := r.URL.RawQuery; !strings.Contains(plain, ";") && wellEscaped(plain) {
							u.RawQuery = plain
						}
					}
					list = append(list, essence(r.Method, u.RequestURI(), body.String()))
					if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
						list = append(list, essence(r.Method, u.RequestURI(), "")) // the API answers without it
					}
				}
			}
		}
		if err != nil || r.Close || len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			return list
		}
	}
}

// wellEscaped reports whether every percent sign begins an escape.
func wellEscaped(query string) bool {
	for i := 0; i < len(query); i++ {
		if query[i] == '%' {
			if i+2 >= len(query) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(query[i+1])) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(query[i+2])) {
				return false
			}
		}
	}
	return true
}
