package refresh

import (
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// A deployment that begins to bind tokens, or ceases to, has living sessions.
func TestNoTokenIsSentWithTheKeyOfAnother(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name   string
		need   Need
		key    string
		grants int
		own    time.Duration // how long the own token lasts afterwards
	}{
		{"the own token, bound from now on", Need{}, "a key", 0, time.Minute},
		{"another, bound from now on", Need{Resource: "urn:mail"}, "a key", 1, 0},
		{"the own token, as before", Need{}, "", 1, time.Minute},
		{"another, as before", Need{Resource: "urn:mail"}, "", 2, time.Hour},
	} {
		s := session.Session{
			Tokens: session.Tokens{Access: secret.New("own"), AccessExpires: now.Add(time.Hour)},
			Grants: []session.Grant{{Resource: "urn:billing", Access: secret.New("billing")}},
		}
		put(&s, c.need, session.Tokens{Access: secret.New("new"), AccessExpires: now.Add(time.Minute), Key: secret.New(c.key)}, now)
		if len(s.Grants) != c.grants || !s.Tokens.AccessExpires.Equal(now.Add(c.own)) || s.Tokens.Key.Reveal() != c.key {
			t.Errorf("%s: %d grants, the own token lasts %v", c.name, len(s.Grants), s.Tokens.AccessExpires.Sub(now))
		}
	}
}
