package session

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"cloakroom/bff/secret"
)

// A session is encoded in the wire format of Protocol Buffers: numbered
// fields, so that a newer version may add some and an older one passes over
// them during a rolling deploy. Numbers are never reused. Times are Unix
// milliseconds; 0 is the zero time.
const (
	fieldIssuer protowire.Number = iota + 1
	fieldSubject
	fieldSID
	fieldClaims
	fieldAccess
	fieldRefresh
	fieldID
	fieldScope // repeated
	fieldAccessExpires
	fieldCreated
	fieldLastSeen
	fieldDeadline
	fieldRefreshes
)

var errEncoding = errors.New("session: malformed encoding")

func (s *Session) encode() []byte {
	b := make([]byte, 0, 256+len(s.Claims)+s.Tokens.Access.Len()+s.Tokens.Refresh.Len()+s.Tokens.ID.Len())
	b = appendText(b, fieldIssuer, s.Issuer)
	b = appendText(b, fieldSubject, s.Subject)
	b = appendText(b, fieldSID, s.SID)
	b = appendText(b, fieldClaims, string(s.Claims))
	b = appendText(b, fieldAccess, s.Tokens.Access.Reveal())
	b = appendText(b, fieldRefresh, s.Tokens.Refresh.Reveal())
	b = appendText(b, fieldID, s.Tokens.ID.Reveal())
	for _, scope := range s.Tokens.Scopes {
		b = appendText(b, fieldScope, scope)
	}
	b = appendTime(b, fieldAccessExpires, s.Tokens.AccessExpires)
	b = appendTime(b, fieldCreated, s.Created)
	b = appendTime(b, fieldLastSeen, s.LastSeen)
	b = appendTime(b, fieldDeadline, s.Deadline)
	return appendNumber(b, fieldRefreshes, uint64(s.Refreshes))
}

func decode(b []byte) (Session, error) {
	var s Session
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Session{}, errEncoding
		}
		b = b[n:]
		switch kind {
		case protowire.BytesType:
			text, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return Session{}, errEncoding
			}
			s.setText(number, text)
			b = b[n:]
		case protowire.VarintType:
			value, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return Session{}, errEncoding
			}
			s.setNumber(number, value)
			b = b[n:]
		default:
			n := protowire.ConsumeFieldValue(number, kind, b)
			if n < 0 {
				return Session{}, errEncoding
			}
			b = b[n:]
		}
	}
	return s, nil
}

func (s *Session) setText(number protowire.Number, text []byte) {
	switch number {
	case fieldIssuer:
		s.Issuer = string(text)
	case fieldSubject:
		s.Subject = string(text)
	case fieldSID:
		s.SID = string(text)
	case fieldClaims:
		s.Claims = append([]byte(nil), text...)
	case fieldAccess:
		s.Tokens.Access = secret.New(string(text))
	case fieldRefresh:
		s.Tokens.Refresh = secret.New(string(text))
	case fieldID:
		s.Tokens.ID = secret.New(string(text))
	case fieldScope:
		s.Tokens.Scopes = append(s.Tokens.Scopes, string(text))
	}
}

func (s *Session) setNumber(number protowire.Number, value uint64) {
	switch number {
	case fieldAccessExpires:
		s.Tokens.AccessExpires = fromMillis(value)
	case fieldCreated:
		s.Created = fromMillis(value)
	case fieldLastSeen:
		s.LastSeen = fromMillis(value)
	case fieldDeadline:
		s.Deadline = fromMillis(value)
	case fieldRefreshes:
		s.Refreshes = int(value)
	}
}

func appendText(b []byte, number protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

func appendNumber(b []byte, number protowire.Number, value uint64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

func appendTime(b []byte, number protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendNumber(b, number, uint64(t.UnixMilli()))
}

func fromMillis(value uint64) time.Time {
	if value == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(value))
}
