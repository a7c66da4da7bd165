package lab_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// BBA-46: the page redeems no answer to a question it did not ask.
func TestAPageWithTokensRedeemsNoForgedAnswer(t *testing.T) {
	w := openLab(t, strategy.Config{Strategies: pick(t, lab.FindStrategy, "local-storage")})
	v := newVictim(t)
	origin := w.Origin("local-storage")
	for name, answer := range map[string]url.Values{
		"a code of the attacker's sign-in": {"code": {"stolen"}, "state": {"attacker"}, "iss": {w.Issuer()}},
		"without an issuer":                {"code": {"stolen"}, "state": {"attacker"}},
		"an error":                         {"error": {"login_required"}, "state": {"attacker"}, "iss": {w.Issuer()}},
	} {
		before := len(w.Visits(0))
		if err := v.Go(t.Context(), origin+"/?"+answer.Encode()); err != nil {
			t.Fatal(err)
		}
		if state := settled(t, v); state != "failed" {
			t.Errorf("%s: the page is %q", name, state)
		}
		for _, visit := range w.Visits(before) {
			if strings.HasSuffix(visit.Path, "/oauth/token") {
				t.Errorf("%s: the page went to the token endpoint", name)
			}
		}
	}
}

// BBA-59: what script keeps in a cookie goes to the page's server with every
// request, which has no use for it.
func TestTokensInReadableCookiesAreSentToThePagesServer(t *testing.T) {
	w := openLab(t, strategy.Config{Strategies: append(pick(t, lab.FindStrategy, "readable-cookie"), pick(t, lab.FindStrategy, "local-storage")...)})
	v := newVictim(t)
	if made, err := attack.Run(t.Context(), w, v, pick(t, lab.FindAttack, "A1")); err != nil || cell(t, made, "readable-cookie", "A1").Verdict != lab.Broken {
		t.Fatalf("%v %+v", err, made)
	}
	token := regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+`)
	for id, read := range map[string]string{"readable-cookie": `document.cookie`, "local-storage": `localStorage.tokens`} {
		if err := v.Go(t.Context(), w.Origin(id)+"/"); err != nil {
			t.Fatal(err)
		}
		if state := settled(t, v); state != "in" {
			t.Fatalf("%s: the page is %q", id, state)
		}
		var kept string
		if err := v.Run(t.Context(), read, &kept); err != nil {
			t.Fatal(err)
		}
		found := token.FindString(kept)
		if found == "" {
			t.Fatalf("%s: no token is kept", id)
		}
		if got := w.CookieCarried(id, found); got != (id == "readable-cookie") {
			t.Errorf("%s: its server got the token: %t", id, got)
		}
	}
}
