package idp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	keyBits        = 2048
	maxRetiredKeys = 8
)

// Media types of what the provider signs, as the JWT header's `typ`.
const (
	typeIDToken     = "JWT"
	typeAccessToken = "at+jwt"     // RFC 9068 §2.1
	typeLogoutToken = "logout+jwt" // OIDC Back-Channel Logout 1.0 §2.4
)

type signingKey struct {
	id      string
	private *rsa.PrivateKey
	retires time.Time // when it leaves the JWK set; zero for the current key
}

var _ op.Key = signingKey{}

func (k signingKey) ID() string                         { return k.id }
func (k signingKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Use() string                        { return "sig" }
func (k signingKey) Key() any                           { return k.private.Public() }

// keyRing signs with its last key and publishes all of them.
type keyRing struct {
	mu   sync.Mutex
	keys []signingKey
}

func newSigningKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }

func (r *keyRing) add(private *rsa.PrivateKey, now, retireOthers time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = slices.DeleteFunc(r.keys, func(k signingKey) bool { return k.expired(now) })
	for i := range r.keys {
		if r.keys[i].retires.IsZero() {
			r.keys[i].retires = retireOthers
		}
	}
	if n := len(r.keys) - maxRetiredKeys; n > 0 {
		r.keys = slices.Delete(r.keys, 0, n)
	}
	key := signingKey{id: newID(), private: private}
	r.keys = append(r.keys, key)
	return key.id
}

func (k signingKey) expired(now time.Time) bool { return !k.retires.IsZero() && !now.Before(k.retires) }

func (r *keyRing) current() signingKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[len(r.keys)-1]
}

func (r *keyRing) published(now time.Time) []op.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []op.Key
	for _, key := range r.keys {
		if !key.expired(now) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (r *keyRing) sign(typ string, claims map[string]any) (string, error) {
	key := r.current()
	return signRS256(typ, claims, key.id, key.private)
}

func signRS256(typ string, claims map[string]any, kid string, private *rsa.PrivateKey) (string, error) {
	return sign(typ, claims, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: kid}})
}

func sign(typ string, claims map[string]any, key jose.SigningKey) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("idp: marshal claims: %w", err)
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("idp: make signer: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("idp: sign: %w", err)
	}
	return jws.CompactSerialize()
}

// anyLengthHMAC signs HS256 with keys shorter than go-jose allows: a forger
// does not care what is allowed.
type anyLengthHMAC struct {
	kid string
	key []byte
}

var _ jose.OpaqueSigner = anyLengthHMAC{}

func (h anyLengthHMAC) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{KeyID: h.kid, Key: h.key}
}

func (h anyLengthHMAC) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.HS256}
}

func (h anyLengthHMAC) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	mac := hmac.New(sha256.New, h.key)
	mac.Write(payload)
	return mac.Sum(nil), nil
}
