package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Scheme is that of the Authorization header, and the type of tokens that are
// bound to a key (RFC 9449 §7.1).
const Scheme = "DPoP"

const (
	header    = "DPoP"
	mediaType = "dpop+jwt"

	lifetime  = time.Minute     // of a proof, from its iat
	leeway    = 5 * time.Second // of its sender's clock
	maxProof  = 4 << 10         // bytes
	maxProofs = 100_000         // that are remembered
)

// Algorithms that may sign a proof.
func Algorithms() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.ES256} }

// ErrNone: the request has no proof.
var ErrNone = errors.New("dpop: no proof")

// Verifier checks the proofs that one server is sent.
type Verifier struct {
	now func() time.Time

	mu    sync.Mutex
	seen  map[[sha256.Size]byte]time.Time // until when, by key and jti
	swept time.Time
}

// NewVerifier makes one that goes by the clock now.
func NewVerifier(now func() time.Time) *Verifier {
	return &Verifier{now: now, seen: map[[sha256.Size]byte]time.Time{}}
}

// claims of a proof (RFC 9449 §4.2).
type claims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	Target string `json:"htu"`
	Issued int64  `json:"iat"`
	Hash   string `json:"ath,omitempty"`
}

// Verify checks the proof in h, of a request of method to target, in the order
// of RFC 9449 §4.3, and returns the thumbprint of its key: what `jkt` is. Query
// and fragment of target do not count. access is the token the request carries;
// empty: it carries none. A proof is good once.
func (v *Verifier) Verify(h http.Header, method, target, access string) (thumbprint string, err error) {
	values := h.Values(header)
	switch {
	case len(values) == 0:
		return "", ErrNone
	case len(values) > 1 || len(values[0]) > maxProof:
		return "", errors.New("dpop: more than one proof, or a long one")
	}
	jws, err := jose.ParseSignedCompact(values[0], Algorithms())
	if err != nil {
		return "", fmt.Errorf("dpop: parse proof: %w", err)
	}
	protected := jws.Signatures[0].Protected
	if typ, _ := protected.ExtraHeaders[jose.HeaderType].(string); typ != mediaType {
		return "", errors.New("dpop: not of type " + mediaType)
	}
	key := protected.JSONWebKey
	if key == nil || !key.IsPublic() || !key.Valid() {
		return "", errors.New("dpop: no public key")
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return "", fmt.Errorf("dpop: verify proof: %w", err)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", errors.New("dpop: the claims cannot be read")
	}
	if err := v.check(c, method, target, access); err != nil {
		return "", err
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("dpop: thumbprint: %w", err)
	}
	thumbprint = base64.RawURLEncoding.EncodeToString(sum)
	if err := v.once(thumbprint, c); err != nil {
		return "", err
	}
	return thumbprint, nil
}

func (v *Verifier) check(c claims, method, target, access string) error {
	issued, now := time.Unix(c.Issued, 0), v.now()
	switch {
	case c.ID == "":
		return errors.New("dpop: no jti")
	case c.Method != method:
		return errors.New("dpop: for another method")
	case bare(c.Target) == "" || bare(c.Target) != bare(target):
		return errors.New("dpop: for another address")
	case issued.After(now.Add(leeway)) || now.After(issued.Add(lifetime)):
		return errors.New("dpop: too old, or of the future")
	case access != "" && c.Hash != hash(access):
		return errors.New("dpop: for another token")
	}
	return nil
}

// once remembers a proof for as long as it would be good. When there is no room
// left, none is good.
func (v *Verifier) once(thumbprint string, c claims) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	if now.Sub(v.swept) > lifetime {
		for id, until := range v.seen {
			if now.After(until) {
				delete(v.seen, id)
			}
		}
		v.swept = now
	}
	id := sha256.Sum256([]byte(thumbprint + " " + c.ID))
	if _, ok := v.seen[id]; ok || len(v.seen) >= maxProofs {
		return errors.New("dpop: used before, or more proofs than can be remembered")
	}
	v.seen[id] = time.Unix(c.Issued, 0).Add(lifetime)
	return nil
}

// bare is an address without query and fragment, in the one way to write it
// (RFC 9449 §4.3; RFC 3986 §6.2.2.1); empty if it is none.
func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return strings.ToLower(u.Scheme+"://"+u.Host) + u.EscapedPath()
}

func hash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Prove puts a proof with key, of P-256, into h, for one request of method to
// target that carries access, if it is not empty. It is dated now.
func Prove(h http.Header, key *ecdsa.PrivateKey, method, target, access string, now time.Time) error {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType(mediaType))
	if err != nil {
		return fmt.Errorf("dpop: prove: %w", err)
	}
	c := claims{ID: rand.Text(), Method: method, Target: bare(target), Issued: now.Unix()}
	if access != "" {
		c.Hash = hash(access)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("dpop: prove: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return fmt.Errorf("dpop: prove: %w", err)
	}
	proof, err := jws.CompactSerialize()
	if err != nil {
		return fmt.Errorf("dpop: prove: %w", err)
	}
	h.Set(header, proof)
	return nil
}
