package api

import (
	"cmp"
	"mime"
)

// request and answer are what a call needs of HTTP. They, and not net/http's,
// are used because its client links TLS, HTTP/2 and a proxy's worth of code
// that a browser brings along: 4 MB of Wasm, measured. fetch, one per
// platform, carries the one to the other.
type request struct {
	method, url string
	header      map[string]string
	body        []byte
	most        int  // bytes of the answer that are read; 0: maxAnswer
	kept        bool // the browser may answer with a copy it has
}

func (r request) limit() int { return cmp.Or(r.most, maxAnswer) }

// answer is a response read to its end, or to one byte more than the limit. Its status is
// 0 when the browser hides a redirect.
type answer struct {
	status      int
	contentType string
	retryAfter  string
	body        []byte
}

func (a answer) isType(want string) bool {
	got, _, err := mime.ParseMediaType(a.contentType)
	return err == nil && got == want
}
