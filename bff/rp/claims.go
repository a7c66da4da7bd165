package rp

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"cloakroom/shared"
)

// Identity is who signed in. Claims are for the SPA to see, in a fixed order.
type Identity struct {
	Issuer, Subject string
	SID             string    // the provider's session, for its logout; "" when it gave none
	AuthTime        time.Time // when the user last proved who they are; zero when it did not say
	ACR             string    // how well; "" when it did not say
	Claims          []shared.Claim
}

// Bounds of what goes into Identity.Claims. The rest of a token is dropped: the
// session has to be stored, and sent to the SPA whole.
const (
	maxClaims     = 64
	maxClaimName  = 128
	maxClaimValue = 4 << 10
	maxClaimsSize = 16 << 10
)

// identity is made of claims that were verified.
func (p *Provider) identity(ctx context.Context, claims claimSet) Identity {
	id := Identity{Issuer: p.issuer}
	id.Subject, _ = claims.text("sub")
	if sid, ok := claims.text("sid"); ok && len(sid) <= maxSubject {
		id.SID = sid
	}
	id.AuthTime, _ = claims.date("auth_time")
	if acr, ok := claims.text("acr"); ok && len(acr) <= maxSubject {
		id.ACR = acr
	}
	id.Claims = claims.visible()
	p.log.DebugContext(ctx, "id token accepted", "claims", len(claims), "claims_kept", len(id.Claims))
	return id
}

// claimSet is the payload of an ID token, member by member.
type claimSet map[string]json.RawMessage

// parseClaims returns nil when payload is not a JSON object.
func parseClaims(payload []byte) claimSet {
	var claims claimSet
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	return claims
}

func (c claimSet) text(name string) (string, bool) {
	var s *string // a null is no text
	if json.Unmarshal(c[name], &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// texts reads a string or an array of strings (RFC 7519 §4.1.3).
func (c claimSet) texts(name string) ([]string, bool) {
	if one, ok := c.text(name); ok {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(c[name], &many) != nil {
		return nil, false
	}
	return many, true
}

// date reads a NumericDate between 1970 and 9999 (RFC 7519 §2).
func (c claimSet) date(name string) (time.Time, bool) {
	const lastSecond = 253402300799
	var seconds *float64
	if json.Unmarshal(c[name], &seconds) != nil || seconds == nil || *seconds < 0 || *seconds > lastSecond {
		return time.Time{}, false
	}
	return time.Unix(int64(*seconds), 0), true
}

// visible returns the claims that say something about the user, in a fixed
// order (BBA-63).
func (c claimSet) visible() []shared.Claim {
	order := []string{"sub", "name", "email", "preferred_username", "sid"}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if !slices.Contains(order[:5], name) {
			order = append(order, name)
		}
	}
	var (
		out  []shared.Claim
		size int
	)
	for _, name := range order {
		if len(out) == maxClaims {
			break
		}
		raw := c[name]
		if isProtocol(name) || len(name) > maxClaimName || len(raw) > maxClaimValue {
			continue
		}
		value, ok := plain(raw)
		if !ok || size+len(name)+len(raw) > maxClaimsSize {
			continue
		}
		size += len(name) + len(raw)
		out = append(out, shared.Claim{Type: name, Value: value})
	}
	return out
}

// isProtocol reports whether a claim is about the token, not about the user.
// Claims that would pass for the BFF's own are among them, and those in which
// providers are known to keep tokens (OIDC Core §5.6.2).
func isProtocol(name string) bool {
	switch name {
	case "iss", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "auth_time", "acr", "amr",
		"at_hash", "c_hash", "s_hash", "rt_hash", "cnf", "_claim_names", "_claim_sources",
		shared.TokenAccess, shared.TokenRefresh, shared.TokenID:
		return true
	}
	return strings.HasPrefix(name, "bff:")
}

// plain decodes a string, number, bool, or an array of these, which is what
// shared.Claim carries. Numbers keep their digits as json.Number.
func plain(raw json.RawMessage) (any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	if list, ok := value.([]any); ok {
		for _, element := range list {
			if !isScalar(element) {
				return nil, false
			}
		}
		return value, true
	}
	return value, isScalar(value)
}

// isScalar refuses strings that look like a JWT: no token ever goes to the
// browser, not even one that a provider hid in a claim.
func isScalar(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.HasPrefix(v, "eyJ") || strings.Count(v, ".") < 2
	case bool, json.Number:
		return true
	}
	return false
}
