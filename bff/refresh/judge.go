package refresh

import (
	"time"

	"cloakroom/bff/session"
)

// state of an access token.
type state int

const (
	fresh state = iota
	ageing
	expiring // or not there at all
)

// judge is the whole rule of when to renew.
func (c *Config) judge(s *session.Session, need Need, now time.Time) state {
	held, ok := s.Grant(need.Resource, need.Scopes)
	switch {
	case !ok:
		return expiring
	case held.Expires.IsZero(): // the provider did not say (RFC 6749 §5.1)
		return fresh
	}
	// A token that lives shortly is not renewed all the time.
	quarter := held.Expires.Sub(held.Since) / 4
	switch left := held.Expires.Sub(now); {
	case left < min(c.Margin, quarter) || left <= 0:
		return expiring
	case left < min(c.ahead(s), quarter) && !s.Tokens.Refresh.Empty():
		return ageing
	}
	return fresh
}

// ahead gives sessions that began together different moments, so that the
// provider does not see them all at once; the same session has the same moment
// on every instance.
func (c *Config) ahead(s *session.Session) time.Duration {
	return c.Ahead/2 + time.Duration(s.Created.UnixMilli()%256)*(c.Ahead/2)/256
}
