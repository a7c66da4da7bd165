package interop_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// errNonce says that a proof is right but for the API's nonce.
var errNonce = errors.New("the proof has not the API's nonce")

// prove checks that whoever sent r holds the key its token is bound to (RFC
// 9449 §4.3, §7.1).
func (a *resource) prove(r *http.Request, token string, jkt any) error {
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		return fmt.Errorf("%d proofs", len(proofs))
	}
	proof, err := jwt.ParseSigned(proofs[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	header := proof.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" {
		return fmt.Errorf("a proof of type %v", header.ExtraHeaders[jose.HeaderType])
	}
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return errors.New("a proof without a public key")
	}
	var said struct {
		Method string `json:"htm"`
		Target string `json:"htu"`
		Issued int64  `json:"iat"`
		ID     string `json:"jti"`
		Access string `json:"ath"`
		Nonce  string `json:"nonce"`
	}
	if err := proof.Claims(header.JSONWebKey, &said); err != nil {
		return err
	}
	print, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(token))
	switch age := time.Since(time.Unix(said.Issued, 0)); {
	case said.Method != r.Method || said.Target != a.URL+r.URL.Path:
		return fmt.Errorf("a proof for %s %s", said.Method, said.Target)
	case age > time.Minute || age < -time.Minute:
		return errors.New("a proof of another time")
	case said.Access != base64.RawURLEncoding.EncodeToString(hash[:]):
		return errors.New("a proof for another token")
	case base64.RawURLEncoding.EncodeToString(print) != jkt:
		return errors.New("a proof by another key")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.jtis[said.ID] || said.ID == "" {
		return errors.New("a proof that came before")
	}
	a.jtis[said.ID] = true
	if said.Nonce != a.nonce {
		return errNonce
	}
	return nil
}

// verified is what a JWT of the provider says (RFC 9068 §4).
func (w *world) verified(token string) (map[string]any, error) {
	resp, err := w.client.Get(w.IDPOrigin + "/jwks")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(resp.Body).Decode(&keys); err != nil {
		return nil, err
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	if parsed.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return nil, fmt.Errorf("a token of type %v", parsed.Headers[0].ExtraHeaders[jose.HeaderType])
	}
	var facts map[string]any
	var times jwt.Claims
	if err := parsed.Claims(keys, &facts, &times); err != nil {
		return nil, err
	}
	return facts, times.ValidateWithLeeway(jwt.Expected{Time: time.Now()}, 0)
}
