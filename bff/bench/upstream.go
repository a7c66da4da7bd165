package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// bodySize is that of every answer, in bytes.
const bodySize = 1024

// upstream is the API behind every front. It answers who shows an access token
// that it knows with a KiB of JSON, in which that token is named by its hash; so
// whoever reads the answer can tell which token arrived. Whoever shows another
// one, or none, gets 401.
type upstream struct {
	listener net.Listener
	known    sync.Map // access token -> *[]byte, the whole answer
	calls    atomic.Int64
	refused  atomic.Int64
}

func openUpstream() (*upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go u.serve(conn)
		}
	}()
	return u, nil
}

func (u *upstream) addr() string { return u.listener.Addr().String() }

// expect makes a token known, and returns the body that it is answered with.
func (u *upstream) expect(token string) (body []byte) {
	sum := sha256.Sum256([]byte(token))
	return u.expectAs(token, hex.EncodeToString(sum[:16]))
}

// expectAs gives the token another name than its hash.
func (u *upstream) expectAs(token, name string) (body []byte) {
	body = fmt.Appendf(nil, `{"token":"%s","orders":"`, name)
	body = append(body, strings.Repeat("x", bodySize-len(body)-2)...)
	body = append(body, `"}`...)
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	u.known.Store(token, &answer)
	return body
}

var refusal = []byte("HTTP/1.1 401 Unauthorized\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n")

// Where fronts put the access token: oauth2-proxy has a header of its own.
var (
	bearerPrefix  = []byte("bearer ")
	tokenHeaders  = [][]byte{[]byte("authorization"), []byte("x-forwarded-access-token")}
	longestHeader = 16 << 10
)

// serve answers requests without bodies, which is all that is sent.
func (u *upstream) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, longestHeader)
	answer := refusal
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 2 {
			if token, ok := tokenIn(line); ok {
				if known, ok := u.known.Load(string(token)); ok {
					answer = *known.(*[]byte)
				}
			}
			continue
		}
		u.calls.Add(1)
		if &answer[0] == &refusal[0] {
			u.refused.Add(1)
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
		answer = refusal
	}
}

// tokenIn reads an access token from a header line.
func tokenIn(line []byte) ([]byte, bool) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return nil, false
	}
	for _, header := range tokenHeaders {
		if len(name) == len(header) && bytes.EqualFold(name, header) {
			value = bytes.TrimSpace(value)
			if len(value) > len(bearerPrefix) && bytes.EqualFold(value[:len(bearerPrefix)], bearerPrefix) {
				value = value[len(bearerPrefix):]
			}
			return value, true
		}
	}
	return nil, false
}
