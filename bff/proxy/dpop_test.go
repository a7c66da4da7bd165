package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"cloakroom/bff/proxy"
	"cloakroom/bff/rp"
	"cloakroom/bff/secret"
	"cloakroom/shared/problem"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// bound is a TokenSource whose token is bound to a key. Its proofs can be read.
type bound struct {
	tokens
	fail error
}

func (b bound) Token(http.ResponseWriter, *http.Request, proxy.Want) (proxy.Grant, error) {
	return proxy.Grant{Access: secret.New(token), Key: secret.New("the key"), Session: [32]byte{1}}, nil
}

const proofMark = "proof-that-must-not-be-logged-or-shown"

func (b bound) Proof(g proxy.Grant, method string, target *url.URL, nonce string) (secret.String, error) {
	if g.Key.Reveal() != "the key" || g.Access.Reveal() != token {
		return secret.String{}, errors.New("another grant")
	}
	if nonce == "" {
		nonce = "none"
	}
	return secret.New(strings.Join([]string{proofMark, method, url.QueryEscape(target.String()), nonce}, " ")), b.fail
}

// resource is an upstream that wants proofs with its nonce of the moment, as
// RFC 9449 §9 has it.
type resource struct {
	mu    sync.Mutex
	nonce string   // that it wants; empty: none
	next  string   // that it gives with a good answer
	calls []string // "authorization | proof | body"
}

func (u *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	proof, _ := url.QueryUnescape(r.Header.Get("DPoP"))
	text := string(body)
	if len(text) > 20 {
		text = fmt.Sprint(len(text), " bytes")
	}
	u.calls = append(u.calls, fmt.Sprintf("%s | %s | %s", r.Header.Get("Authorization"), strings.ReplaceAll(proof, "http://"+r.Host, ""), text))
	if u.nonce != "" && !strings.HasSuffix(proof, " "+u.nonce) {
		w.Header().Set("DPoP-Nonce", u.nonce)
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="a nonce, please"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "not like this")
		return
	}
	if u.next != "" {
		w.Header().Set("DPoP-Nonce", u.next)
		u.nonce, u.next = u.next, ""
	}
	_, _ = io.WriteString(w, "fine")
}

func (u *resource) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	calls := u.calls
	u.calls = nil
	return calls
}

// call is what the upstream sees of one.
func call(method, path, nonce, body string) string {
	return fmt.Sprintf("DPoP %s | %s %s /v1%s %s | %s", token, proofMark, method, path, nonce, body)
}

func TestABoundTokenComesWithAProof(t *testing.T) {
	u := &resource{}
	s := newStage(t, u, with(bound{}))
	res, body := s.send(t, "GET", "/api/orders?page=2", http.Header{"Dpop": {"the client's"}, "Authorization": {"DPoP the client's"}}, nil)
	if res.StatusCode != 200 || body != "fine" {
		t.Errorf("got %s %s", res.Status, body)
	}
	// The address in it has no query (RFC 9449 §4.2).
	if diff := cmp.Diff([]string{call("GET", "/orders", "none", "")}, u.take()); diff != "" {
		t.Errorf("the upstream (-want +got):\n%s", diff)
	}
}

func TestANonceIsLearnedAndUsed(t *testing.T) {
	u := &resource{nonce: "n1"}
	s := newStage(t, u, with(bound{}))
	for _, step := range []struct {
		name, method, body string
		next               string
		want               []string
	}{
		{"the first call is sent twice", "GET", "", "", []string{call("GET", "/x", "none", ""), call("GET", "/x", "n1", "")}},
		{"the second has it", "GET", "", "", []string{call("GET", "/x", "n1", "")}},
		{"a good answer may bring the next", "POST", "hello", "n2", []string{call("POST", "/x", "n1", "hello")}},
		{"which is used", "DELETE", "", "", []string{call("DELETE", "/x", "n2", "")}},
	} {
		u.mu.Lock()
		u.next = step.next
		u.mu.Unlock()
		var body io.Reader
		if step.body != "" {
			body = strings.NewReader(step.body)
		}
		res, text := s.send(t, step.method, "/api/x", nil, body)
		if res.StatusCode != 200 || text != "fine" || res.Header.Get("DPoP-Nonce") != "" {
			t.Errorf("%s: got %s %v %s", step.name, res.Status, res.Header, text)
		}
		if diff := cmp.Diff(step.want, u.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

func TestWhatIsSentTwice(t *testing.T) {
	const most = 64 << 10
	for _, c := range []struct {
		name   string
		body   io.Reader
		size   int
		status int
	}{
		{"a body that is kept", strings.NewReader(strings.Repeat("x", most)), most, 200},
		{"one byte more is not kept", strings.NewReader(strings.Repeat("x", most+1)), most + 1, 401},
		{"nor is what has no length", io.MultiReader(strings.NewReader(strings.Repeat("x", 100))), 100, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &resource{nonce: "n1"}
			s := newStage(t, u, with(bound{}))
			res, _ := s.send(t, "POST", "/api/x", nil, c.body)
			if res.StatusCode != c.status || res.Header.Get("DPoP-Nonce") != "" {
				t.Errorf("got %s %v", res.Status, res.Header)
			}
			body := fmt.Sprint(c.size, " bytes")
			want := []string{call("POST", "/x", "none", body)}
			if c.status == 200 {
				want = append(want, call("POST", "/x", "n1", body))
			}
			if diff := cmp.Diff(want, u.take()); diff != "" {
				t.Errorf("the upstream (-want +got):\n%s", diff)
			}
			// Whoever tries again is let in.
			if res, _ := s.send(t, "POST", "/api/x", nil, strings.NewReader("again")); res.StatusCode != 200 {
				t.Errorf("the next call: %s", res.Status)
			}
		})
	}
}

// An upstream that is never content is asked twice, and not for ever.
func TestANonceIsTriedOnce(t *testing.T) {
	n := 0
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   int // calls
	}{
		"another nonce every time": {func(w http.ResponseWriter) {
			n++
			w.Header().Set("DPoP-Nonce", fmt.Sprint("n", n))
			w.Header().Set("WWW-Authenticate", `Bearer, DPoP algs="ES256", error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, 2},
		"no nonce at all": {func(w http.ResponseWriter) {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, 1},
		"a nonce that is none": {func(w http.ResponseWriter) {
			w.Header().Set("DPoP-Nonce", `a "b"`)
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, 1},
		"another complaint": {func(w http.ResponseWriter) {
			w.Header().Set("DPoP-Nonce", "n1")
			w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, 1},
		"another status": {func(w http.ResponseWriter) {
			w.Header().Set("DPoP-Nonce", "n1")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusForbidden)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				c.answer(w)
			}), with(bound{}))
			res, _ := s.send(t, "GET", "/api/x", nil, nil)
			if calls != c.want || res.StatusCode < 400 {
				t.Errorf("%d calls, answered with %s; want %d", calls, res.Status, c.want)
			}
		})
	}
}

// proving is a TokenSource with a real key, whose proofs are the relying party's.
type proving struct {
	tokens
	key secret.String
}

func (p proving) Token(http.ResponseWriter, *http.Request, proxy.Want) (proxy.Grant, error) {
	return proxy.Grant{Access: secret.New(token), Key: p.key, Session: [32]byte{1}}, nil
}

func (p proving) Proof(g proxy.Grant, method string, target *url.URL, nonce string) (secret.String, error) {
	return rp.Proof(g.Key, method, target, g.Access, nonce)
}

// TestAResourceServerBelievesTheProof checks it as RFC 9449 §4.3 and §7.1 want,
// for an address that has something to encode.
func TestAResourceServerBelievesTheProof(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		jws, err := jose.ParseSignedCompact(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Errorf("the proof %q: %v", r.Header.Get("DPoP"), err)
			return
		}
		payload, err := jws.Verify(&private.PublicKey)
		if err != nil {
			t.Error(err)
			return
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Error(err)
		}
		if seen[claims["jti"]] {
			t.Error("the proof came before")
		}
		seen[claims["jti"]] = true
		delete(claims, "jti")
		delete(claims, "iat")
		sum := sha256.Sum256([]byte(token))
		want := map[string]any{"htm": r.Method, "htu": "http://" + r.Host + r.URL.EscapedPath(), "ath": base64.RawURLEncoding.EncodeToString(sum[:])}
		if len(seen) > 1 {
			want["nonce"] = "n1"
		}
		if diff := cmp.Diff(want, claims); diff != "" || r.Header.Get("Authorization") != "DPoP "+token {
			t.Errorf("with %q (-want +got):\n%s", r.Header.Get("Authorization"), diff)
		}
		if claims["nonce"] == nil {
			w.Header().Set("DPoP-Nonce", "n1")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}), with(proving{key: secret.New(base64.RawURLEncoding.EncodeToString(raw))}))
	for n := range 2 {
		if res, body := s.send(t, "PUT", "/api/caf%C3%A9/a%20b?q=1", nil, strings.NewReader("hello")); res.StatusCode != 200 {
			t.Errorf("%s %s", res.Status, body)
		}
		if want := 2 + n; len(seen) != want {
			t.Errorf("%d proofs, want %d", len(seen), want)
		}
	}
}

func TestWithoutAProofNothingIsSent(t *testing.T) {
	s := newStage(t, unreachable(t), with(bound{fail: errors.New("no such key")}))
	res, body := s.send(t, "GET", "/api/x", nil, nil)
	wantProblem(t, res, body, problem.Internal)
}

func TestAProofIsNotQuoted(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		write(t, conn, "HTTP/1.1 200 OK\r\n"+r.Header.Get("DPoP")+"\r\n\r\n")
	}), with(bound{}))
	res, body := s.send(t, "GET", "/api/x", nil, nil)
	wantProblem(t, res, body, problem.UpstreamUnavailable)
	if log := s.log.String(); strings.Contains(log+body, proofMark) || !strings.Contains(log, "[redacted]") {
		t.Errorf("the answer is %s, the log %s", body, log)
	}
}
