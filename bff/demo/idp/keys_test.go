package idp_test

import (
	"net/url"
	"testing"
	"time"
)

func TestKeysRotateAndOldTokensStillVerify(t *testing.T) {
	p := newParty(t)
	old := p.alice()
	kid, err := p.RotateKeys()
	if err != nil {
		t.Fatal(err)
	}
	set := p.jwks()
	if len(set.Keys) != 2 || len(set.Key(kid)) != 1 {
		t.Fatalf("%d keys published", len(set.Keys))
	}
	for _, key := range set.Keys {
		if !key.IsPublic() || key.Use != "sig" || key.Algorithm != "RS256" {
			t.Errorf("key %+v", key)
		}
	}
	fresh := p.post("/oauth/token", refreshForm(old.Refresh))
	if header, _ := peek(t, fresh.Access); header["kid"] != kid {
		t.Errorf("signed with %v, want %s", header["kid"], kid)
	}
	for _, token := range []string{old.Access, old.ID, fresh.Access, fresh.ID} {
		p.mustVerify(token)
	}
	if page := p.visit(p.endSession(url.Values{"id_token_hint": {old.ID}})); len(p.Families()) != 0 {
		t.Errorf("a hint under the old key: %s", page.Text)
	}
	p.clock.Advance(8 * time.Hour)
	if set = p.jwks(); len(set.Keys) != 1 || set.Keys[0].KeyID != kid {
		t.Errorf("%d keys are still published", len(set.Keys))
	}
}
