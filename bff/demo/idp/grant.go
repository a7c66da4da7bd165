package idp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// grant is what a user allowed a client by one code: the family of all tokens
// that descend from it. A revoked grant is not on the shelf any more, and with
// it every token of the family is dead.
type grant struct {
	id         string // 16 bytes, in hex
	clientID   string
	sid        string
	subject    string
	scopes     []string
	authTime   time.Time
	expires    time.Time // absolute: rotation never moves it (BBA-49, BBA-50)
	refreshes  bool      // offline_access was granted
	key        string    // thumbprint of the one that refresh tokens are bound to; empty: none
	generation uint32    // of the one refresh token that is good
}

// accessToken is what the provider remembers of an access token, by jti.
type accessToken struct {
	grant  string
	scopes []string
}

// A refresh token names its family and its generation and is authenticated by
// a MAC, so that a used one is recognised for the family's whole life without
// remembering it (RFC 9700 §4.14.2).
//
//	base64url( family 16 | generation 4 | HMAC-SHA256 32 )
const refreshTokenSize = 16 + 4 + sha256.Size

func refreshToken(key []byte, family string, generation uint32) string {
	raw := make([]byte, 0, refreshTokenSize)
	id, _ := hex.DecodeString(family)
	raw = append(raw, id...)
	raw = binary.BigEndian.AppendUint32(raw, generation)
	return base64.RawURLEncoding.EncodeToString(append(raw, tag(key, "refresh", string(raw))...))
}

func parseRefreshToken(key []byte, token string) (family string, generation uint32, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != refreshTokenSize {
		return "", 0, false
	}
	if !hmac.Equal(raw[20:], tag(key, "refresh", string(raw[:20]))) {
		return "", 0, false
	}
	return hex.EncodeToString(raw[:16]), binary.BigEndian.Uint32(raw[16:20]), true
}

// tag authenticates parts for one purpose; each part carries its length.
func tag(key []byte, purpose string, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range append([]string{purpose}, parts...) {
		_ = binary.Write(mac, binary.BigEndian, uint32(len(part)))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// refreshRequest is a grant about to be refreshed, perhaps for fewer scopes
// (RFC 6749 §6): narrowing touches the new access token, never the grant.
type refreshRequest struct {
	grant
	current []string
}

var _ op.RefreshTokenRequest = (*refreshRequest)(nil)

func (r *refreshRequest) GetAMR() []string                 { return []string{"pwd"} }
func (r *refreshRequest) GetAudience() []string            { return []string{r.clientID} }
func (r *refreshRequest) GetAuthTime() time.Time           { return r.authTime }
func (r *refreshRequest) GetClientID() string              { return r.clientID }
func (r *refreshRequest) GetScopes() []string              { return r.current }
func (r *refreshRequest) GetSubject() string               { return r.subject }
func (r *refreshRequest) SetCurrentScopes(scopes []string) { r.current = scopes }
