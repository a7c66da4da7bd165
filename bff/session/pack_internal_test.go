package session

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func jwt(header, payload string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + strings.Repeat("Zm9v", 85) + "Zg"
}

func TestATokenIsPackedIfItIsBase64URLInItsOneSpelling(t *testing.T) {
	for _, c := range []struct {
		token string
		first byte // 0: as it came
	}{
		{jwt(`{"alg":"RS256","kid":"1"}`, `{"iss":"https://idp.example","sub":"alice"}`), packed},
		{jwt(`{}`, `{"name":"Ünï"}`), packed},
		{"abcd", packed},
		{"abcd..abcd", packed},
		{".", packed},
		{"abcd.", packed},
		{"", packed}, // a field that is empty is left out
		{"a..b", 0},  // a part of one character stands for nothing
		{"Zh", 0},    // bits left over
		{"ab\ncd", 0},
		{"ab\r\ncd.abcd", 0},
		{"abcd=", 0},
		{"ab+/", 0},
		{"opaque token", 0},
		{"an opaque token of https://idp.example", phrased},
		{"\x02abcd", phrased},
		{"\x03abcd", phrased},
		{"\x01abcd", phrased},
		{"\nabcd", phrased},
	} {
		b := string(appendToken([]byte("before"), c.token))
		b, ok := strings.CutPrefix(b, "before")
		if c.first == 0 && b != c.token || c.first != 0 && b[0] != c.first || !ok {
			t.Errorf("%q became %q", c.token, b)
		}
		if got, err := unpack(b); err != nil || got != c.token {
			t.Errorf("%q came back as %q, %v", c.token, got, err)
		}
	}
}

// TestASessionIsShortened by what decides whether its sealed cookie is one or two.
func TestASessionIsShortened(t *testing.T) {
	token := jwt(`{"alg":"RS256","typ":"JWT","kid":"5d3"}`, `{"iss":"https://idp.example/realms/one","sub":"alice","aud":"account","exp":1800000000,"iat":1800000000,"azp":"app",`+
		`"realm_access":{"roles":["offline_access","uma_authorization"]},"scope":"openid profile email","name":"Alice Liddell","preferred_username":"alice"}`)
	if got := len(appendToken(nil, token)); got > len(token)*3/4-100 {
		t.Errorf("a JWT of %d bytes became %d", len(token), got)
	}
	const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	if got := len(appendWords(nil, browser)); got > 10 {
		t.Errorf("a browser became %d bytes", got)
	}
}

func TestWhatWasNotShortenedSoIsMalformed(t *testing.T) {
	for _, b := range []string{
		"\x01abcd", "\x04abcd", "\x1f", // ways that nobody knows yet
		"\x02", "\x02\x0aabc", "\x02\x06abc\x08", "\x02\xff", "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a", "\x02\x03\x01",
		"\x03\x01", "\x03ab\x01", "\x03" + string([]byte{firstPhrase + byte(len(phrases))}),
	} {
		if got, err := unpack(b); !errors.Is(err, errEncoding) {
			t.Errorf("%q: %q, %v", b, got, err)
		}
	}
}

// TestThePhrasesKeepTheirBytes: a session that was sealed before the list grew is
// read by it. When it grows, its length here does.
func TestThePhrasesKeepTheirBytes(t *testing.T) {
	seen := map[string]bool{}
	for _, phrase := range phrases {
		if len(phrase) < 2 || seen[phrase] {
			t.Errorf("%q is too short, or twice there", phrase)
		}
		seen[phrase] = true
	}
	if len(phrases) > 256-firstPhrase {
		t.Errorf("%d phrases have no bytes", len(phrases)-256+firstPhrase)
	}
	const known, sum = 117, "9dc49b701d233806"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(phrases[:known], "\n")))); got[:16] != sum {
		t.Errorf("the first %d phrases are others: %s", known, got)
	}
}

// FuzzShorten: whatever a provider gives comes back as it was.
func FuzzShorten(f *testing.F) {
	for _, seed := range []string{"", "abcd", "eyJ9.eyJ9.AAAA", "Zh", "a.b", "ab\ncd", "\x01", "\x02", "\x03", "é", jwt(`{"alg":"RS256"}`, `{"iss":"https://é"}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, short := range []func([]byte, string) []byte{appendToken, appendWords} {
			b := short(nil, text)
			if got, err := unpack(string(b)); err != nil || got != text {
				t.Errorf("%q came back as %q, %v", text, got, err)
			}
		}
		_, _ = unpack(text)
	})
}

func BenchmarkShorten(b *testing.B) {
	token := jwt(`{"alg":"RS256","typ":"JWT","kid":"5d3"}`, `{"iss":"https://idp.example/realms/one","sub":"alice","realm_access":{"roles":[`+strings.Repeat(`"0123456789abcdef",`, 55)+`""]}}`)
	short := string(appendToken(nil, token))
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			appendToken(nil, token)
		}
	})
	b.Run("unpack", func(b *testing.B) {
		for b.Loop() {
			_, _ = unpack(short)
		}
	})
}
