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
// milliseconds; 0 is the zero time. What is long is shortened.
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
	fieldAuthTime
	fieldACR
	fieldUserAgent
	fieldAddress
	fieldRefreshExpires
	fieldKey
	fieldGrant // repeated, a message
	fieldLeaseHolder
	fieldLeaseBeat
	fieldLeaseUntil
	fieldRenewed
)

// Fields of a grant.
const (
	grantResource protowire.Number = iota + 1
	grantScope                     // repeated
	grantAccess
	grantExpires
	grantSince
)

var errEncoding = errors.New("session: malformed encoding")

// Encode returns s as bytes, tokens in clear: for whoever seals them.
func (s *Session) Encode() []byte { return s.encode() }

// Decode reads what Encode returned, of this version or another. The session keeps
// b, which is not to be altered any more.
func Decode(b []byte) (Session, error) { return decode(b) }

func (s *Session) encode() []byte {
	b := make([]byte, 0, s.room())
	b = appendShort(b, fieldIssuer, s.Issuer, appendWords)
	b = appendText(b, fieldSubject, s.Subject)
	b = appendText(b, fieldSID, s.SID)
	b = appendShort(b, fieldClaims, string(s.Claims), appendWords)
	b = appendSecret(b, fieldAccess, s.Tokens.Access)
	b = appendSecret(b, fieldRefresh, s.Tokens.Refresh)
	b = appendSecret(b, fieldID, s.Tokens.ID)
	for _, scope := range s.Tokens.Scopes {
		b = appendText(b, fieldScope, scope)
	}
	b = appendTime(b, fieldAccessExpires, s.Tokens.AccessExpires)
	b = appendTime(b, fieldCreated, s.Created)
	b = appendTime(b, fieldLastSeen, s.LastSeen)
	b = appendTime(b, fieldDeadline, s.Deadline)
	b = appendNumber(b, fieldRefreshes, uint64(s.Refreshes))
	b = appendTime(b, fieldAuthTime, s.AuthTime)
	b = appendText(b, fieldACR, s.ACR)
	b = appendShort(b, fieldUserAgent, s.Device.UserAgent, appendWords)
	b = appendText(b, fieldAddress, s.Device.Address)
	b = appendTime(b, fieldRefreshExpires, s.Tokens.RefreshExpires)
	b = appendText(b, fieldKey, s.Tokens.Key.Reveal())
	for i := range s.Grants {
		b = appendText(b, fieldGrant, string(s.Grants[i].encode()))
	}
	b = appendText(b, fieldLeaseHolder, s.Lease.Holder)
	b = appendNumber(b, fieldLeaseBeat, uint64(s.Lease.Beat))
	b = appendTime(b, fieldLeaseUntil, s.Lease.Until)
	return appendTime(b, fieldRenewed, s.Renewed)
}

// room is enough for all but the longest of what else is in a session.
func (s *Session) room() int {
	n := 512 + len(s.Claims) + s.Tokens.Key.Len() + len(s.Device.UserAgent)
	for _, token := range []secret.String{s.Tokens.Access, s.Tokens.Refresh, s.Tokens.ID} {
		n += roomFor(token)
	}
	for i := range s.Grants {
		n += 128 + roomFor(s.Grants[i].Access)
	}
	return n
}

func roomFor(token secret.String) int {
	if short, ok := token.As(asShort); ok {
		return len(short)
	}
	return token.Len()
}

func (g *Grant) encode() []byte {
	b := make([]byte, 0, 64+roomFor(g.Access))
	b = appendText(b, grantResource, g.Resource)
	for _, scope := range g.Scopes {
		b = appendText(b, grantScope, scope)
	}
	b = appendSecret(b, grantAccess, g.Access)
	b = appendTime(b, grantExpires, g.Expires)
	return appendTime(b, grantSince, g.Since)
}

func decode(b []byte) (Session, error) {
	var s Session
	if err := eachField(b, textOf(b), &s); err != nil {
		return Session{}, err
	}
	return s, nil
}

// fields are what a message is read into.
type fields interface {
	setText(number protowire.Number, text string) error
	setNumber(number protowire.Number, value uint64)
}

// eachField reads a message, passing over the fields of kinds that are not
// used here. whole is b once more: every text is a part of it.
func eachField(b []byte, whole string, into fields) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errEncoding
		}
		b = b[n:]
		switch kind {
		case protowire.BytesType:
			var value []byte
			if value, n = protowire.ConsumeBytes(b); n < 0 {
				return errEncoding
			}
			end := len(whole) - len(b) + n
			if err := into.setText(field, whole[end-len(value):end]); err != nil {
				return err
			}
		case protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(b); n < 0 {
				return errEncoding
			}
			into.setNumber(field, value)
		default:
			if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
				return errEncoding
			}
		}
		b = b[n:]
	}
	return nil
}

func (s *Session) setText(number protowire.Number, text string) error {
	var err error
	switch number {
	case fieldIssuer:
		s.Issuer, err = unpack(text)
	case fieldSubject:
		s.Subject = text
	case fieldSID:
		s.SID = text
	case fieldClaims:
		s.Claims, err = unpackBytes(text)
	case fieldAccess:
		s.Tokens.Access, err = readSecret(text)
	case fieldRefresh:
		s.Tokens.Refresh, err = shortSecret(text)
	case fieldID:
		s.Tokens.ID, err = shortSecret(text)
	case fieldScope:
		if s.Tokens.Scopes == nil {
			s.Tokens.Scopes = make([]string, 0, 4)
		}
		s.Tokens.Scopes = append(s.Tokens.Scopes, text)
	case fieldACR:
		s.ACR = text
	case fieldUserAgent:
		s.Device.UserAgent, err = unpack(text)
	case fieldAddress:
		s.Device.Address = text
	case fieldKey:
		s.Tokens.Key = secret.New(text)
	case fieldLeaseHolder:
		s.Lease.Holder = text
	case fieldGrant:
		var g Grant
		err = eachField([]byte(text), text, &g)
		s.Grants = append(s.Grants, g)
	}
	return err
}

// asShort is how a session keeps its tokens.
var asShort = &secret.Form{Read: func(short string) string {
	text, _ := unpack(short) // was checked when it was read
	return text
}}

// readSecret is shortSecret, for what calls ask for.
func readSecret(short string) (secret.String, error) {
	token, err := shortSecret(short)
	return token.Read(), err
}

func shortSecret(short string) (secret.String, error) {
	if _, err := unpackedLen(short); err != nil {
		return secret.String{}, err
	}
	return secret.Written(asShort, short), nil
}

func (g *Grant) setText(number protowire.Number, text string) (err error) {
	switch number {
	case grantResource:
		g.Resource = text
	case grantScope:
		g.Scopes = append(g.Scopes, text)
	case grantAccess:
		g.Access, err = readSecret(text)
	}
	return err
}

func (g *Grant) setNumber(number protowire.Number, value uint64) {
	switch number {
	case grantExpires:
		g.Expires = fromMillis(value)
	case grantSince:
		g.Since = fromMillis(value)
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
	case fieldAuthTime:
		s.AuthTime = fromMillis(value)
	case fieldRefreshExpires:
		s.Tokens.RefreshExpires = fromMillis(value)
	case fieldLeaseBeat:
		s.Lease.Beat = int(value)
	case fieldLeaseUntil:
		s.Lease.Until = fromMillis(value)
	case fieldRenewed:
		s.Renewed = fromMillis(value)
	}
}

func appendText(b []byte, number protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

// appendSecret appends a token as short as it can be, or is already.
func appendSecret(b []byte, number protowire.Number, token secret.String) []byte {
	if short, ok := token.As(asShort); ok {
		return appendText(b, number, short)
	}
	return appendShort(b, number, token.Reveal(), appendToken)
}

// appendShort appends a text as short as it can be.
func appendShort(b []byte, number protowire.Number, text string, short func([]byte, string) []byte) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), short(make([]byte, 0, len(text)+1), text))
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
