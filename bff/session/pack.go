package session

import (
	"encoding/base64"
	"strings"
	"unsafe"

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
	if short == "" || short[0] >= texts {
		return short, nil
	}
	b, err := unpackBytes(short)
	return textOf(b), err
}

// unpackBytes is unpack, for bytes of the caller's own.
func unpackBytes(short string) ([]byte, error) {
	size, err := unpackedLen(short)
	if err != nil {
		return nil, err
	}
	return appendUnpacked(make([]byte, 0, size), short), nil
}

// textOf is b as a text, without a copy: it is not to be altered any more.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unpackedLen is the length of what unpack returns. It fails where unpack does.
func unpackedLen(short string) (int, error) {
	if short == "" || short[0] >= texts {
		return len(short), nil
	}
	switch rest := short[1:]; short[0] {
	case packed:
		total := -1 // there is a dot less than there are parts
		for more := true; more; more = rest != "" {
			var p part
			var err error
			if p, rest, err = cutPart(rest); err != nil {
				return 0, err
			}
			size := len(p.text)
			if p.said {
				if size, err = plainLen(p.text); err != nil {
					return 0, err
				}
			}
			total += 1 + base64url.EncodedLen(size)
		}
		return total, nil
	case phrased:
		return plainLen(rest)
	}
	return 0, errEncoding
}

// appendUnpacked appends what unpack returns. short has an unpackedLen.
func appendUnpacked(b []byte, short string) []byte {
	if short == "" || short[0] >= texts {
		return append(b, short...)
	}
	if short[0] == phrased {
		return appendPlain(b, short[1:])
	}
	var room [2048]byte
	plain := room[:0]
	for rest, more := short[1:], true; more; {
		var p part
		p, rest, _ = cutPart(rest)
		if plain = append(plain[:0], p.text...); p.said {
			plain = appendPlain(plain[:0], p.text)
		}
		b = base64url.AppendEncode(b, plain)
		if more = rest != ""; more {
			b = append(b, '.')
		}
	}
	return b
}

// part is a part of a packed token.
type part struct {
	text string
	said bool // phrased
}

// cutPart takes the first part off the parts of a packed token.
func cutPart(parts string) (first part, rest string, err error) {
	size, n := protowire.ConsumeVarint([]byte(parts[:min(len(parts), 10)]))
	if n < 0 || size>>1 > uint64(len(parts)-n) {
		return part{}, "", errEncoding
	}
	end := n + int(size>>1)
	return part{parts[n:end], size&1 == 1}, parts[end:], nil
}
