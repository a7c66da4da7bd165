package sealed

import (
	"encoding/json"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// form is how a session and its ticket become bytes before they are sealed.
type form interface {
	marshal(t session.Ticket, s *session.Session) ([]byte, error)
	unmarshal(b []byte) (content, error)
}

// content is what a browser keeps.
type content struct {
	ticket  session.Ticket
	session session.Session
	encoded []byte // the session once more, if it came in its own encoding
}

// formOf gives JSON to the formats that are JWTs (RFC 7519), and the session's
// own encoding, which is half as long, to the others.
func formOf(format Format) form {
	if format == JWS || format == Nested {
		return claims{}
	}
	return binary{}
}

// binary is the text of the ticket, then the encoded session.
type binary struct{}

const ticketLen = 43

func (binary) marshal(t session.Ticket, s *session.Session) ([]byte, error) {
	return append([]byte(t.Reveal()), s.Encode()...), nil
}

func (binary) unmarshal(b []byte) (content, error) {
	if len(b) < ticketLen {
		return content{}, session.ErrNotFound
	}
	t, err := session.ParseTicket(string(b[:ticketLen]))
	if err != nil {
		return content{}, session.ErrNotFound
	}
	s, err := session.Decode(b[ticketLen:])
	if err != nil {
		return content{}, session.ErrNotFound
	}
	return content{t, s, b[ticketLen:]}, nil
}

// claims is a session as the claims of a JWT: registered names where there are
// (RFC 7519 §4.1, OIDC Core §2), times in seconds.
type claims struct {
	Ticket   string          `json:"ticket"`
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	SID      string          `json:"sid,omitempty"`
	User     json.RawMessage `json:"user,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"`
	ACR      string          `json:"acr,omitempty"`
	Agent    string          `json:"agent,omitempty"`
	Address  string          `json:"address,omitempty"`

	Created  int64 `json:"iat"`
	LastSeen int64 `json:"seen"`
	Deadline int64 `json:"exp"`

	Access         string   `json:"access_token,omitempty"`
	AccessExpires  int64    `json:"access_expires,omitempty"`
	Refresh        string   `json:"refresh_token,omitempty"`
	RefreshExpires int64    `json:"refresh_expires,omitempty"`
	ID             string   `json:"id_token,omitempty"`
	Key            string   `json:"key,omitempty"`
	Scopes         []string `json:"scopes,omitempty"`
	Renewed        int64    `json:"renewed,omitempty"`
	Refreshes      int      `json:"refreshes,omitempty"`
	Grants         []grant  `json:"grants,omitempty"`
}

type grant struct {
	Resource string   `json:"resource,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	Access   string   `json:"access_token"`
	Since    int64    `json:"since,omitempty"`
	Expires  int64    `json:"expires,omitempty"`
}

func (claims) marshal(t session.Ticket, s *session.Session) ([]byte, error) {
	c := claims{
		Ticket: t.Reveal(), Issuer: s.Issuer, Subject: s.Subject, SID: s.SID, User: s.Claims,
		AuthTime: seconds(s.AuthTime), ACR: s.ACR, Agent: s.Device.UserAgent, Address: s.Device.Address,
		Created: seconds(s.Created), LastSeen: seconds(s.LastSeen), Deadline: seconds(s.Deadline),
		Access: s.Tokens.Access.Reveal(), AccessExpires: seconds(s.Tokens.AccessExpires),
		Refresh: s.Tokens.Refresh.Reveal(), RefreshExpires: seconds(s.Tokens.RefreshExpires),
		ID: s.Tokens.ID.Reveal(), Key: s.Tokens.Key.Reveal(), Scopes: s.Tokens.Scopes, Renewed: seconds(s.Renewed), Refreshes: s.Refreshes,
	}
	for _, g := range s.Grants {
		c.Grants = append(c.Grants, grant{g.Resource, g.Scopes, g.Access.Reveal(), seconds(g.Since), seconds(g.Expires)})
	}
	return json.Marshal(c)
}

func (claims) unmarshal(b []byte) (content, error) {
	var c claims
	if json.Unmarshal(b, &c) != nil {
		return content{}, session.ErrNotFound
	}
	t, err := session.ParseTicket(c.Ticket)
	if err != nil {
		return content{}, session.ErrNotFound
	}
	s := session.Session{
		Issuer: c.Issuer, Subject: c.Subject, SID: c.SID, Claims: c.User, AuthTime: moment(c.AuthTime), ACR: c.ACR,
		Device:  session.Device{UserAgent: c.Agent, Address: c.Address},
		Created: moment(c.Created), LastSeen: moment(c.LastSeen), Deadline: moment(c.Deadline),
		Tokens: session.Tokens{
			Access: secret.New(c.Access), AccessExpires: moment(c.AccessExpires),
			Refresh: secret.New(c.Refresh), RefreshExpires: moment(c.RefreshExpires),
			ID: secret.New(c.ID), Key: secret.New(c.Key), Scopes: c.Scopes,
		},
		Renewed: moment(c.Renewed), Refreshes: c.Refreshes,
	}
	for _, g := range c.Grants {
		s.Grants = append(s.Grants, session.Grant{
			Resource: g.Resource, Scopes: g.Scopes, Access: secret.New(g.Access), Since: moment(g.Since), Expires: moment(g.Expires),
		})
	}
	return content{ticket: t, session: s}, nil
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
