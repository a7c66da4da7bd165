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

// appendHead appends the head of r to b. Framing and Host are ours. It fails for
// what would not be one request, whoever wrote its parts.
func appendHead(b []byte, r *http.Request) ([]byte, error) {
	if !httpguts.ValidHeaderFieldName(r.Method) {
		return b, errMethod
	}
	host, target := r.Host, r.URL.RequestURI()
	if host == "" {
		host = r.URL.Host
	}
	if r.URL.Host == "" || !isPlain(r.URL.Host) || !isPlain(host) || !isPlain(target) {
		return b, errTarget
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return b, errHeader
		}
		for _, value := range values {
			if !isValue(value) {
				return b, errHeader
			}
			if ours(name) || value == "" && len(values) == 1 && name == "User-Agent" { // as net/http's transport has it
				continue
			}
			b = append(b, "\r\n"...)
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
		}
	}
	switch {
	case hasBody(r) && r.ContentLength > 0:
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
	case hasBody(r):
		b = append(b, "\r\nTransfer-Encoding: chunked"...)
	case r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = append(b, "\r\nContent-Length: 0"...) // RFC 9110 §8.6
	}
	if r.Close {
		b = append(b, "\r\nConnection: close"...)
	}
	return append(b, "\r\n\r\n"...), nil
}

// ours are the headers that follow from the rest of a request.
func ours(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
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

// isPlain has neither spaces nor controls.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
