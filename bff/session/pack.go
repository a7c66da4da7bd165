package session

import (
	"encoding/base64"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// What a session is made of is kept shorter than it came. Its first byte says how,
// unless it is kept as it came:
//
//	packed    a token that is base64url (RFC 7515 §2), three quarters of whose length
//	          say as much: for each part of it, which dots separate, a varint and the
//	          bytes that it stands for. The varint is twice their number, and one more
//	          if they are phrased, as the JSON of a JWT is.
//	phrased   see phrases.
//
// What begins with a control character itself is always phrased, so that an
// instance which knows one way less takes the other for malformed, not for text.
const (
	packed  = 0x02
	phrased = 0x03
	texts   = 0x20 // the first byte of what is kept as it came is at least this
)

// one spelling: no bits left over, and none of the line ends that decoders pass
// over.
var base64url = base64.RawURLEncoding.Strict()

// appendToken appends a token as short as it can be.
func appendToken(b []byte, token string) []byte {
	start := len(b)
	b = append(b, packed)
	for rest, more := token, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		if strings.ContainsAny(part, "\r\n") {
			return appendWords(b[:start], token)
		}
		plain, err := base64url.DecodeString(part)
		if err != nil {
			return appendWords(b[:start], token)
		}
		b = appendPart(b, plain)
	}
	return b
}

func appendPart(b, plain []byte) []byte {
	size := uint64(len(plain)) << 1
	if len(plain) > 0 && plain[0] == '{' {
		if said := appendPhrased(make([]byte, 0, len(plain)), string(plain)); len(said) < len(plain) {
			plain, size = said, uint64(len(said))<<1|1
		}
	}
	return append(protowire.AppendVarint(b, size), plain...)
}

// appendWords appends any text, phrased if that is shorter.
func appendWords(b []byte, text string) []byte {
	start := len(b)
	b = appendPhrased(append(b, phrased), text)
	if len(b)-start < len(text) || text != "" && text[0] < texts {
		return b
	}
	return append(b[:start], text...)
}

// unpack reverses appendToken and appendWords.
func unpack(short string) (string, error) {
	if short == "" {
		return "", nil
	}
	switch first := short[0]; {
	case first >= texts:
		return short, nil
	case first == packed:
		return unpackToken(short[1:])
	case first == phrased:
		plain, err := appendPlain(make([]byte, 0, 4*len(short)), short[1:])
		return string(plain), err
	}
	return "", errEncoding
}

func unpackToken(parts string) (string, error) {
	token := make([]byte, 0, len(parts)*3/2)
	var room [2048]byte
	plain := room[:0]
	for more := true; more; {
		size, n := protowire.ConsumeVarint([]byte(parts[:min(len(parts), 10)]))
		if n < 0 || size>>1 > uint64(len(parts)-n) {
			return "", errEncoding
		}
		part := parts[n : n+int(size>>1)]
		if parts = parts[n+len(part):]; size&1 == 0 {
			plain = append(plain[:0], part...)
		} else {
			var err error
			if plain, err = appendPlain(plain[:0], part); err != nil {
				return "", err
			}
		}
		token = base64url.AppendEncode(token, plain)
		if more = parts != ""; more {
			token = append(token, '.')
		}
	}
	return string(token), nil
}
