package shared

import "time"

// Claim is one fact about the signed-in user, in the shape GET /bff/user
// answers: a JSON array of these. Value is a string, number, bool or array.
type Claim struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// Claim types that the BFF adds to those of the ID token.
const (
	ClaimLogoutURL        = "bff:logout_url"
	ClaimSessionExpiresIn = "bff:session_expires_in"
	ClaimSessionState     = "bff:session_state"
)

// User is who is signed in, in a page's terms: what the typed client makes of
// the claims.
type User struct {
	Name      string        // to greet with: name, preferred_username, email or subject
	Subject   string        // "sub": the user's stable identifier at the provider
	Claims    []Claim       // what the provider said, without the BFF's own
	LogoutURL string        // where to send the browser to sign out; "" if none was given
	ExpiresIn time.Duration // until the session ends unless it is used; 0 if not said
	State     string        // changes with the session
}

// Holdings is the answer of GET /bff/inspect: what the server holds for the
// session that asks, described without giving any of it away. Times are Unix
// seconds.
type Holdings struct {
	Session SessionFacts `json:"session"`
	Tokens  []TokenFacts `json:"tokens"`
}

// SessionFacts describes the session record.
type SessionFacts struct {
	Fingerprint     string `json:"fingerprint"` // first 8 hex digits of SHA-256 of the store's key
	Created         int64  `json:"created"`
	LastSeen        int64  `json:"last_seen"`
	IdleExpires     int64  `json:"idle_expires"`
	AbsoluteExpires int64  `json:"absolute_expires"`
	Store           string `json:"store"`     // "memory", "redis", ...
	Refreshes       int    `json:"refreshes"` // how often the access token was renewed
}

// TokenFacts describes one token the session holds. Fingerprint is the first
// 8 hex digits of its SHA-256: enough to see it change, useless to spend.
// Resource and Scopes are of a further access token, for one API (RFC 8707).
type TokenFacts struct {
	Kind        string   `json:"kind"` // TokenAccess, TokenRefresh or TokenID
	Fingerprint string   `json:"fingerprint"`
	Bytes       int      `json:"bytes"`
	Expires     int64    `json:"expires,omitempty"`  // 0 when only the provider knows
	Resource    string   `json:"resource,omitempty"` // an absolute URI
	Scopes      []string `json:"scopes,omitempty"`   // asked for, not granted
}

// Further reports whether the token is for one API only, besides the session's
// own access token.
func (t TokenFacts) Further() bool { return t.Resource != "" || len(t.Scopes) > 0 }

// Kinds of token.
const (
	TokenAccess  = "access_token"
	TokenRefresh = "refresh_token"
	TokenID      = "id_token"
)
