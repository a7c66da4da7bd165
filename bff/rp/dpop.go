package rp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/secret"
)

// errNoNonce is the provider's word for "with my nonce, please" (RFC 9449 §8).
const errNoNonce = "use_dpop_nonce"

// newProofKey makes the key that the tokens of one session are bound to: a
// P-256 scalar, 32 bytes in unpadded base64url.
func newProofKey() (secret.String, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return secret.String{}, errors.New("no key can be made")
	}
	raw, err := key.Bytes()
	if err != nil {
		return secret.String{}, errors.New("no key can be made")
	}
	return secret.New(base64.RawURLEncoding.EncodeToString(raw)), nil
}

func parseProofKey(key secret.String) (*ecdsa.PrivateKey, error) {
	raw, err := base64.RawURLEncoding.DecodeString(key.Reveal())
	if err != nil {
		return nil, errors.New("the proof key is not base64url")
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, errors.New("the proof key is not a P-256 key")
	}
	return private, nil
}

// Proof returns the value of a DPoP header (RFC 9449 §4.2): it shows, for one
// request of method to target, that its sender holds key, which is Tokens.Key.
// With access, the token the request carries, it is bound to that too. nonce is
// what the resource server gave for its last answer, or empty. The proof is
// good for one request and dated now.
func Proof(key secret.String, method string, target *url.URL, access secret.String, nonce string) (secret.String, error) {
	return newProof(key, method, target, access, nonce, time.Now())
}

func newProof(
	key secret.String, method string, target *url.URL, access secret.String, nonce string, now time.Time,
) (secret.String, error) {
	private, err := parseProofKey(key)
	if err != nil {
		return secret.String{}, err
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, options)
	if err != nil {
		return secret.String{}, errors.New("the proof key cannot sign")
	}
	claims := map[string]any{
		"htm": method, "htu": proofTarget(target), "iat": now.Unix(), "jti": rand.Text(),
	}
	if !access.Empty() {
		sum := sha256.Sum256([]byte(access.Reveal()))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	proof, err := sign(signer, claims)
	if err != nil {
		return secret.String{}, err
	}
	return secret.New(proof), nil
}

// proofTarget is the address without query and fragment, scheme and host in
// small letters (RFC 9449 §4.2, §4.3; RFC 3986 §6.2.2.1).
func proofTarget(target *url.URL) string {
	bare := url.URL{
		Scheme: strings.ToLower(target.Scheme), Host: strings.ToLower(target.Host), Path: target.Path, RawPath: target.RawPath,
	}
	return bare.String()
}

// nonceMemory keeps the latest nonce of each server for the next proof there. A
// provider may have several: its userinfo endpoint is a resource server, whose
// nonces have nothing to do with those of the token endpoint (RFC 9449 §9).
type nonceMemory struct {
	mu     sync.Mutex
	latest map[string]string // by origin
}

const (
	maxNonce        = 1024 // bytes
	maxNonceServers = 8    // more than any provider has endpoints
)

func (m *nonceMemory) load(server *url.URL) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest[originOf(server)]
}

func (m *nonceMemory) store(server *url.URL, header http.Header) {
	nonce, ok := nonceOf(header)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest == nil || len(m.latest) == maxNonceServers { // its endpoints keep moving
		m.latest = map[string]string{}
	}
	m.latest[originOf(server)] = nonce
}

func originOf(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

// nonceOf reads the nonce of an answer (RFC 9449 §8.1).
func nonceOf(header http.Header) (string, bool) {
	nonce := header.Get("DPoP-Nonce")
	return nonce, isScope(nonce) && len(nonce) <= maxNonce // the same characters: NQCHAR
}

// wantsNonce tells the one refusal that is worth a second try.
func (a answer) wantsNonce() bool {
	if _, ok := nonceOf(a.header); !ok || a.status < http.StatusBadRequest || a.status >= http.StatusInternalServerError {
		return false
	}
	says := func(challenge string) bool { return strings.Contains(challenge, errNoNonce) }
	return a.complaint().Error == errNoNonce || slices.ContainsFunc(a.header.Values("WWW-Authenticate"), says)
}
