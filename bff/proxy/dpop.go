package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"cloakroom/shared/problem"
)

// replayable is the length in bytes up to which a request's body is kept, so
// that the request can be sent again with the nonce its upstream wants.
const replayable = 64 << 10

// send sends the request. With a token that is bound to a key it proves to have
// the key (RFC 9449 §7.1), and once more if the upstream answers that it wants
// a nonce of its own in the proof (§9). A body that is too long to be kept, or
// of unknown length, is not sent twice: the caller gets that answer, and the
// nonce is there for the next request.
func (x *exchange) send(out *http.Request) (*http.Response, error) {
	if x.grant.Key.Empty() {
		return x.proxy.transport.RoundTrip(out)
	}
	body, whole, err := keepBody(out)
	if err != nil {
		return nil, err
	}
	for last := !whole; ; last = true {
		used := x.nonce.get()
		if err := x.prove(out, used); err != nil {
			return nil, err
		}
		res, err := x.proxy.transport.RoundTrip(out)
		if err != nil {
			return nil, err
		}
		x.nonce.learn(res.Header)
		if last || !wantsNonce(res) || x.nonce.get() == used {
			return res, nil
		}
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // a short one leaves the connection usable
		_ = res.Body.Close()
		out = out.Clone(out.Context())
		if body != nil {
			out.Body = io.NopCloser(bytes.NewReader(body))
		}
	}
}

// keepBody reads the body of out and puts a copy in its place, if it is short.
// whole is false when out can be sent only once.
func keepBody(out *http.Request) (body []byte, whole bool, err error) {
	if out.Body == nil || out.Body == http.NoBody {
		return nil, true, nil
	}
	// To wait for the end of one of unknown length could be to wait for ever:
	// it may be half of a conversation.
	if out.ContentLength <= 0 || out.ContentLength > replayable {
		return nil, false, nil
	}
	body = make([]byte, out.ContentLength)
	if _, err := io.ReadFull(out.Body, body); err != nil {
		return nil, false, fmt.Errorf("proxy: read the request: %w", err)
	}
	_ = out.Body.Close()
	out.Body = io.NopCloser(bytes.NewReader(body))
	return body, true, nil
}

// prove adds the proof for out. The address in it has no query (RFC 9449 §4.2).
func (x *exchange) prove(out *http.Request, nonce string) error {
	target := &url.URL{Scheme: out.URL.Scheme, Host: out.URL.Host, Path: out.URL.Path}
	proof, err := x.proxy.tokens.Proof(x.grant, out.Method, target, nonce)
	if err != nil {
		return problem.New(problem.Internal, fmt.Errorf("proxy: prove: %w", err))
	}
	x.proof = proof
	out.Header["Dpop"] = []string{proof.Reveal()}
	return nil
}

// wantsNonce recognises the challenge of RFC 9449 §9.
func wantsNonce(res *http.Response) bool {
	if res.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, line := range res.Header["Www-Authenticate"] {
		if strings.Contains(strings.ToLower(line), "dpop ") && strings.Contains(line, "use_dpop_nonce") {
			return true
		}
	}
	return false
}

// nonce is the one an upstream gave last. It is the upstream's and not a
// session's, so all calls share it (RFC 9449 §8.2).
type nonce struct{ value atomic.Pointer[string] }

func (n *nonce) get() string {
	if value := n.value.Load(); value != nil {
		return *value
	}
	return ""
}

// learn keeps the nonce of an answer, whatever its status.
func (n *nonce) learn(h http.Header) {
	values := h["Dpop-Nonce"]
	if len(values) == 1 && isNonce(values[0]) && values[0] != n.get() {
		value := values[0]
		n.value.Store(&value)
	}
}

// isNonce checks the syntax (RFC 9449 §8.1), and a length that fits a header.
func isNonce(s string) bool {
	if s == "" || len(s) > 1<<10 {
		return false
	}
	for _, c := range []byte(s) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
