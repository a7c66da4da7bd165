package login_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// layers are a text and what it decodes to, and what parts of that decode to.
func layers(text []byte) [][]byte {
	all := [][]byte{text}
	for part := range bytes.SplitSeq(text, []byte("|")) {
		for _, encoding := range []*base64.Encoding{base64.URLEncoding, base64.RawURLEncoding} {
			if inner, err := encoding.DecodeString(string(part)); err == nil && len(inner) > 0 {
				all = append(all, layers(inner)...)
			}
		}
	}
	return all
}

// A sign-in under way is the one thing that Cloakroom keeps in a cookie by its
// content: where it leads, its verifier, and the ticket it will replace. Whoever
// copies the cookie from a disk reads none of it, nor can it be changed (BBA-26).
func TestTheCookieOfASignInIsSealed(t *testing.T) {
	v := newVisitor(t)
	v.signIn()
	state := v.begin("?returnUrl=/a-path-for-nobody-else")
	kept := v.cookies(shared.CookieName + "-login-")
	if len(kept) != 1 {
		t.Fatalf("%d cookies", len(kept))
	}
	opened := layers([]byte(kept[0].Value))
	if len(opened) < 3 {
		t.Fatalf("%d layers were opened: the test proves nothing", len(opened))
	}
	for _, layer := range opened {
		for what, text := range map[string]string{"return address": "a-path-for-nobody-else", "old ticket": v.sessionCookie(), "field": "Verifier"} {
			if bytes.Contains(layer, []byte(text)) {
				t.Errorf("the cookie shows the %s", what)
			}
		}
	}

	u, err := url.Parse(v.base)
	if err != nil {
		t.Fatal(err)
	}
	// A byte of the ciphertext, which neither encoding would refuse by itself.
	plain, err := base64.URLEncoding.DecodeString(kept[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	middle := len(plain) / 2
	plain[middle] = map[bool]byte{true: 'B', false: 'A'}[plain[middle] == 'A']
	v.http.Jar.SetCookies(u, []*http.Cookie{{Name: kept[0].Name, Value: base64.URLEncoding.EncodeToString(plain), Path: "/", Secure: true}})
	if a := v.get(shared.PathCallback + "?code=c&state=" + state); a.code() != problem.LoginStateInvalid {
		t.Errorf("one byte changed: %d to %q: %s", a.StatusCode, a.location(), a.body)
	}
}
