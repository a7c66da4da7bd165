package api

import (
	"encoding/json"
	"strings"
	"time"

	"cloakroom/shared"
)

// userOf reads the claims of GET /bff/user.
func userOf(claims []shared.Claim) shared.User {
	var u shared.User
	names := map[string]string{}
	for _, claim := range claims {
		switch claim.Type {
		case shared.ClaimLogoutURL:
			if target := text(claim.Value); isLocal(target) {
				u.LogoutURL = target
			}
		case shared.ClaimSessionExpiresIn:
			u.ExpiresIn = seconds(claim.Value)
		case shared.ClaimSessionState:
			u.State = text(claim.Value)
		default:
			names[claim.Type] = text(claim.Value)
			u.Claims = append(u.Claims, claim)
		}
	}
	u.Subject = names["sub"]
	for _, kind := range []string{"name", "preferred_username", "email", "sub"} {
		if name := strings.TrimSpace(names[kind]); name != "" {
			u.Name = name
			break
		}
	}
	return u
}

// isLocal accepts a path of this origin only: the value becomes a navigation,
// and "javascript:" or "//host" must not.
func isLocal(target string) bool {
	return strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") && !strings.ContainsAny(target, "\\\t\r\n")
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// seconds reads a number or, as some write it, a number in quotes.
func seconds(value any) time.Duration {
	var n float64
	switch v := value.(type) {
	case float64:
		n = v
	case string:
		if err := json.Unmarshal([]byte(v), &n); err != nil {
			return 0
		}
	}
	const year = 365 * 24 * 3600
	return time.Duration(min(max(n, 0), year)) * time.Second
}
