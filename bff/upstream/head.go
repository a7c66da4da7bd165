package upstream

import (
	"errors"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

var (
	errMethod = errors.New("upstream: the method is no token")
	errTarget = errors.New("upstream: the target has a byte that ends it")
	errHeader = errors.New("upstream: a header has a byte that ends it")
)

// checkRequest sees to it that what is written is one request, whoever wrote its
// parts.
func checkRequest(r *http.Request) error {
	if !httpguts.ValidHeaderFieldName(r.Method) {
		return errMethod
	}
	if r.URL.Host == "" || !isPlain(r.URL.Host) || !isPlain(r.Host) {
		return errTarget
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return errHeader
		}
		for _, value := range values {
			if !isValue(value) {
				return errHeader
			}
		}
	}
	return nil
}

// isValue is httpguts.ValidHeaderFieldValue, which takes the bytes one by one; a
// token has a thousand.
func isValue(v string) bool {
	const (
		each = 0x0101010101010101
		top  = 0x80 * each
		ends = ' ' * each
		del  = 0x7f * each
	)
	rest := v
	for ; len(rest) >= 8; rest = rest[8:] {
		eight := uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24 |
			uint64(rest[4])<<32 | uint64(rest[5])<<40 | uint64(rest[6])<<48 | uint64(rest[7])<<56
		// A top bit stays where a byte is below ' ', or is DEL.
		if (eight-ends)&^eight&top != 0 || ((eight^del)-each)&^(eight^del)&top != 0 {
			return httpguts.ValidHeaderFieldValue(rest)
		}
	}
	return httpguts.ValidHeaderFieldValue(rest)
}

// writeHead writes the head of r into the buffer. Framing and Host are ours.
func (c *conn) writeHead(r *http.Request) {
	w := c.out
	_, _ = w.WriteString(r.Method)
	_ = w.WriteByte(' ')
	c.writeTarget(r)
	_, _ = w.WriteString(" HTTP/1.1\r\nHost: ")
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	_, _ = w.WriteString(host)
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue
		case "User-Agent":
			if len(values) == 1 && values[0] == "" {
				continue // as net/http's transport has it
			}
		}
		for _, value := range values {
			_, _ = w.WriteString("\r\n")
			_, _ = w.WriteString(name)
			_, _ = w.WriteString(": ")
			_, _ = w.WriteString(value)
		}
	}
	switch {
	case hasBody(r) && r.ContentLength > 0:
		_, _ = w.WriteString("\r\nContent-Length: ")
		_, _ = w.Write(strconv.AppendInt(w.AvailableBuffer(), r.ContentLength, 10))
	case hasBody(r):
		_, _ = w.WriteString("\r\nTransfer-Encoding: chunked")
	case r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		_, _ = w.WriteString("\r\nContent-Length: 0") // RFC 9110 §8.6
	}
	if r.Close {
		_, _ = w.WriteString("\r\nConnection: close")
	}
	_, _ = w.WriteString("\r\n\r\n")
}

// writeTarget writes what RequestURI returns.
func (c *conn) writeTarget(r *http.Request) {
	target := r.URL.RequestURI()
	if !isPlain(target) {
		target = "/" // cannot be: RequestURI escapes
	}
	_, _ = c.out.WriteString(target)
}

// isPlain has neither spaces nor controls.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
