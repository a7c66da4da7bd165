package api

import (
	"encoding/json"
	"strings"
	"time"

	"cloakroom/shared"
)

// User is who is signed in. It is an alias of an unnamed struct so that a
// consumer may name the same shape in an interface of its own without
// importing this package.
type User = struct {
	Name      string         // to greet with: name, preferred_username, email or subject
	Subject   string         // "sub": the user's stable identifier at the provider
	Claims    []shared.Claim // what the provider said, without the BFF's own
	LogoutURL string         // where to send the browser to sign out; "" if none was given
	ExpiresIn time.Duration  // until the session ends unless it is used; 0 if not said
	State     string         // OIDC session_state, "" if the provider has none
}

func userOf(claims []shared.Claim) User {
	var u User
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
