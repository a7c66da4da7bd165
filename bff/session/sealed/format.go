package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/securecookie"

	"cloakroom/bff/session"
)

// Format names how a session is sealed.
type Format string

// The formats.
const (
	SecureCookie Format = "securecookie"
	JWS          Format = "jws"
	JWE          Format = "jwe"
	Nested       Format = "nested"
)

// purpose separates these keys from all others of the ring.
const purpose = "sealed session "

// codec turns bytes into text that only the ring's keys make, and back. open
// fails with session.ErrNotFound for whatever seal did not make.
type codec interface {
	seal(plain []byte) (string, error)
	open(text string) ([]byte, error)
}

// newCodec returns the codec of a format. name is bound into what it seals; life
// is how long that may be opened.
func newCodec(format Format, ring *session.KeyRing, name string, life time.Duration) (codec, error) {
	switch format {
	case SecureCookie:
		return newSecureCookies(ring, name, life), nil
	case JWS:
		return newSigner(ring), nil
	case JWE:
		return newEncrypter(ring, "session"), nil
	case Nested:
		return nested{newSigner(ring), newEncrypter(ring, "JWT")}, nil
	}
	return nil, fmt.Errorf("sealed: unknown format %q", format)
}

// secureCookies is gorilla/securecookie: encrypt, then authenticate, with the
// time of sealing in between.
type secureCookies struct {
	name   string
	codecs *session.Prepared[[]securecookie.Codec]
}

func newSecureCookies(ring *session.KeyRing, name string, life time.Duration) secureCookies {
	const macKey, cipherKey = 64, 32 // HMAC-SHA-256, AES-256
	return secureCookies{name, session.Prepare(ring, purpose+string(SecureCookie), macKey+cipherKey, func(keys []session.DerivedKey) ([]securecookie.Codec, error) {
		var codecs []securecookie.Codec
		for _, key := range keys {
			made := securecookie.New(key.Secret[:macKey], key.Secret[macKey:])
			made.SetSerializer(securecookie.NopEncoder{}) // the session has an encoding of its own
			made.MaxLength(0)                             // there is a budget for the whole
			made.MaxAge(int(life / time.Second))
			codecs = append(codecs, made)
		}
		return codecs, nil
	})}
}

func (s secureCookies) seal(plain []byte) (string, error) {
	codecs, err := s.codecs.Get()
	if err != nil {
		return "", err
	}
	return securecookie.EncodeMulti(s.name, plain, codecs...)
}

func (s secureCookies) open(text string) ([]byte, error) {
	codecs, err := s.codecs.Get()
	if err != nil {
		return nil, err
	}
	var plain []byte
	if !canonical(strictPadded, text) || securecookie.DecodeMulti(s.name, text, &plain, codecs...) != nil {
		return nil, session.ErrNotFound
	}
	return plain, nil
}

// signer is a compact JWS with HS256 (RFC 7515, RFC 7518 §3.2).
type signer struct {
	keys *session.Prepared[signature]
}

type signature struct {
	make  jose.Signer       // with the first key
	opens map[string][]byte // by the ring key's ID
}

func newSigner(ring *session.KeyRing) signer {
	return signer{session.Prepare(ring, purpose+string(JWS), sha256.Size, func(keys []session.DerivedKey) (made signature, err error) {
		made.opens = map[string][]byte{}
		for _, key := range keys {
			made.opens[strings.Clone(key.ID)] = key.Secret
		}
		made.make, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: keys[0].Secret},
			(&jose.SignerOptions{}).WithType(typeSession).WithHeader("kid", keys[0].ID))
		return made, err
	})}
}

// typeSession keeps these tokens apart from every other JWT (RFC 8725 §3.11).
const typeSession = "cloakroom-session+jwt"

func (s signer) seal(plain []byte) (string, error) {
	keys, err := s.keys.Get()
	if err != nil {
		return "", err
	}
	made, err := keys.make.Sign(plain)
	if err != nil {
		return "", fmt.Errorf("sealed: sign: %w", err)
	}
	return made.CompactSerialize()
}

func (s signer) open(text string) ([]byte, error) {
	keys, err := s.keys.Get()
	if err != nil {
		return nil, err
	}
	// One algorithm is accepted: neither none nor a public key used as a secret
	// gets further (RFC 8725 §3.1).
	if !canonical(strictRaw, text) {
		return nil, session.ErrNotFound
	}
	parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, session.ErrNotFound
	}
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != typeSession {
		return nil, session.ErrNotFound
	}
	key, ok := keys.opens[header.KeyID]
	if !ok {
		return nil, session.ErrNotFound
	}
	plain, err := parsed.Verify(key)
	if err != nil {
		return nil, session.ErrNotFound
	}
	return plain, nil
}

// encrypter is a compact JWE with a shared key (RFC 7516, RFC 7518 §4.5, §5.3).
// It is opened without a parser: the header is one of those that sealing writes,
// byte for byte, or it is none of ours.
type encrypter struct {
	keys *session.Prepared[encryption]
}

type encryption struct {
	make  jose.Encrypter         // with the first key
	opens map[string]cipher.AEAD // by the header, as it is written
}

func newEncrypter(ring *session.KeyRing, content string) encrypter {
	return encrypter{session.Prepare(ring, purpose+string(JWE)+" "+content, 32, func(keys []session.DerivedKey) (encryption, error) {
		made := encryption{opens: map[string]cipher.AEAD{}}
		for i, key := range keys {
			seals, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{
				Algorithm: jose.DIRECT, Key: jose.JSONWebKey{Key: key.Secret, KeyID: key.ID},
			}, (&jose.EncrypterOptions{}).WithContentType(jose.ContentType(content)))
			if err != nil {
				return made, err
			}
			if i == 0 {
				made.make = seals
			}
			sample, err := sealJWE(seals, nil)
			if err != nil {
				return made, err
			}
			header, _, _ := strings.Cut(sample, ".")
			block, err := aes.NewCipher(key.Secret)
			if err != nil {
				return made, err
			}
			if made.opens[header], err = cipher.NewGCM(block); err != nil {
				return made, err
			}
		}
		return made, nil
	})}
}

func (e encrypter) seal(plain []byte) (string, error) {
	keys, err := e.keys.Get()
	if err != nil {
		return "", err
	}
	return sealJWE(keys.make, plain)
}

func sealJWE(with jose.Encrypter, plain []byte) (string, error) {
	made, err := with.Encrypt(plain)
	if err != nil {
		return "", fmt.Errorf("sealed: encrypt: %w", err)
	}
	return made.CompactSerialize()
}

func (e encrypter) open(text string) ([]byte, error) {
	keys, err := e.keys.Get()
	if err != nil {
		return nil, err
	}
	// header, no encrypted key, nonce, ciphertext, tag
	header, rest, direct := strings.Cut(text, "..")
	aead, ok := keys.opens[header]
	parts := strings.Split(rest, ".")
	if !direct || !ok || len(parts) != 3 || hasLineEnd(rest) {
		return nil, session.ErrNotFound
	}
	nonce, err := strictRaw.DecodeString(parts[0])
	if err != nil || len(nonce) != aead.NonceSize() {
		return nil, session.ErrNotFound
	}
	tag, err := strictRaw.DecodeString(parts[2])
	if err != nil || len(tag) != aead.Overhead() {
		return nil, session.ErrNotFound
	}
	sealed, err := strictRaw.AppendDecode(make([]byte, 0, strictRaw.DecodedLen(len(parts[1]))+len(tag)), []byte(parts[1]))
	if err != nil {
		return nil, session.ErrNotFound
	}
	plain, err := aead.Open(sealed[:0], nonce, append(sealed, tag...), []byte(header))
	if err != nil {
		return nil, session.ErrNotFound
	}
	return plain, nil
}

// nested signs, then encrypts (RFC 7519 §11.2).
type nested struct {
	signer    signer
	encrypter encrypter
}

func (n nested) seal(plain []byte) (string, error) {
	signed, err := n.signer.seal(plain)
	if err != nil {
		return "", err
	}
	return n.encrypter.seal([]byte(signed))
}

func (n nested) open(text string) ([]byte, error) {
	signed, err := n.encrypter.open(text)
	if err != nil {
		return nil, err
	}
	return n.signer.open(string(signed))
}

// canonical reports whether text, if a lenient decoder reads it, has its one
// spelling: such a decoder ignores the unused bits at the end of a part, and
// several texts would open alike.
func canonical(strict *base64.Encoding, text string) bool {
	if hasLineEnd(text) {
		return false
	}
	for {
		part, rest, more := strings.Cut(text, ".")
		var end [3]byte
		if _, err := strict.Decode(end[:], []byte(part[max(0, len(part)-1)/4*4:])); err != nil {
			return false
		}
		if !more {
			return true
		}
		text = rest
	}
}

// hasLineEnd finds what decoders of base64 pass over.
func hasLineEnd(text string) bool {
	return strings.IndexByte(text, '\r') >= 0 || strings.IndexByte(text, '\n') >= 0
}

// The encodings of the formats, with one spelling of everything.
var (
	strictPadded = base64.URLEncoding.Strict()
	strictRaw    = base64.RawURLEncoding.Strict()
)
