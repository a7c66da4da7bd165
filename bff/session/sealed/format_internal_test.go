package sealed

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

func encrypterOf(t *testing.T, ids ...string) (encrypter, *session.KeyRing) {
	t.Helper()
	var keys []session.RingKey
	for _, id := range ids {
		keys = append(keys, session.RingKey{ID: id, Secret: secret.New(strings.Repeat(id, 32))})
	}
	ring, err := session.NewKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return newEncrypter(ring, "session"), ring
}

// TestAJWEIsWhatTheLibraryOpens: what is opened here without its parser is a JWE
// like any other, and has the header that earlier versions wrote. If a later
// version of the library writes another one, sessions that are under way end.
func TestAJWEIsWhatTheLibraryOpens(t *testing.T) {
	e, ring := encrypterOf(t, "a")
	text, err := e.seal([]byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	var key []byte
	session.Prepare(ring, purpose+string(JWE)+" session", 32, func(keys []session.DerivedKey) (int, error) {
		key = slices.Clone(keys[0].Secret)
		return 0, nil
	}).Get()
	if plain, err := parsed.Decrypt(key); err != nil || string(plain) != "plain" {
		t.Errorf("the library opens %q, %v", plain, err)
	}
	header, _, _ := strings.Cut(text, ".")
	const want = `{"alg":"dir","cty":"session","enc":"A256GCM","kid":"a"}`
	if got, _ := base64.RawURLEncoding.DecodeString(header); string(got) != want {
		t.Errorf("the header is %s, and was %s", got, want)
	}
}

// TestAJWEOfAnotherFormIsNotOpened, whatever its key.
func TestAJWEOfAnotherFormIsNotOpened(t *testing.T) {
	e, _ := encrypterOf(t, "b", "a")
	text, err := e.seal([]byte("a text that is long enough to be cut"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.open(text); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	encode, header := base64.RawURLEncoding.EncodeToString, func(json string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(json)) + "." + strings.Join(parts[1:], ".")
	}
	nonce, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sealed, _ := base64.RawURLEncoding.DecodeString(parts[3])
	tag, _ := base64.RawURLEncoding.DecodeString(parts[4])
	join := func(key string, nonce, sealed, tag []byte) string {
		return strings.Join([]string{parts[0], key, encode(nonce), encode(sealed), encode(tag)}, ".")
	}
	cut := len(sealed) - 3
	for name, text := range map[string]string{
		"the same header in another order": header(`{"kid":"b","alg":"dir","cty":"session","enc":"A256GCM"}`),
		"with white space":                 header(`{"alg":"dir","cty":"session","enc":"A256GCM","kid":"b" }`),
		"another content type":             header(`{"alg":"dir","cty":"JWT","enc":"A256GCM","kid":"b"}`),
		"compressed":                       header(`{"alg":"dir","cty":"session","enc":"A256GCM","kid":"b","zip":"DEF"}`),
		"the other key's name":             header(`{"alg":"dir","cty":"session","enc":"A256GCM","kid":"a"}`),
		"a key that is none":               header(`{"alg":"dir","cty":"session","enc":"A256GCM","kid":"c"}`),
		"another algorithm":                header(`{"alg":"none","cty":"session","enc":"A256GCM","kid":"b"}`),
		"an encrypted key":                 join("AAAA", nonce, sealed, tag),
		"a long tag":                       join("", nonce, sealed[:cut], append(slices.Clone(sealed[cut:]), tag...)),
		"a short tag":                      join("", nonce, append(slices.Clone(sealed), tag[:3]...), tag[3:]),
		"a short nonce":                    join("", nonce[:11], sealed, tag),
		"a long nonce":                     join("", append(slices.Clone(nonce), 0), sealed, tag),
		"a part more":                      text + ".",
		"a part less":                      strings.Join(parts[:4], "."),
		"nothing":                          "",
		"a line end":                       text[:len(text)-4] + "\n" + text[len(text)-4:],
		"padding":                          text + "=",
	} {
		if plain, err := e.open(text); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}
