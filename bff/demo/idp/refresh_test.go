package idp_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/demo/idp"
)

func TestARefreshTokenIsGoodOnceAndAnOldOneEndsTheFamily(t *testing.T) {
	p := newParty(t)
	first := p.alice()
	second := p.post("/oauth/token", refreshForm(first.Refresh))
	if second.Status != http.StatusOK || second.Refresh == "" || second.Refresh == first.Refresh || second.Access == first.Access {
		t.Fatalf("refresh %d: %s", second.Status, second.Body)
	}
	if families := p.Families(); len(families) != 1 || families[0].Generation != 2 {
		t.Errorf("families %+v", families)
	}
	_, before := p.mustVerify(first.ID)
	_, after := p.mustVerify(second.ID)
	for _, name := range []string{"iss", "sub", "sid", "auth_time", "azp"} { // OIDC Core §12.2
		if before[name] != after[name] || after[name] == nil {
			t.Errorf("%s was %v, is %v", name, before[name], after[name])
		}
	}
	if after["nonce"] != nil {
		t.Error("a refreshed ID token carries a nonce")
	}

	third := p.post("/oauth/token", refreshForm(second.Refresh))
	if third.Status != http.StatusOK {
		t.Fatalf("refresh %d: %s", third.Status, third.Body)
	}
	if stolen := p.post("/oauth/token", refreshForm(first.Refresh)); stolen.Error != "invalid_grant" {
		t.Errorf("an old token got %d %s", stolen.Status, stolen.Body)
	}
	if victim := p.post("/oauth/token", refreshForm(third.Refresh)); victim.Error != "invalid_grant" { // BBA-48
		t.Errorf("the family lives on: %d %s", victim.Status, victim.Body)
	}
	if len(p.Families()) != 0 {
		t.Errorf("families %+v", p.Families())
	}
	if status, _ := p.userinfo(third.Access); status != http.StatusUnauthorized {
		t.Errorf("an access token of the family still works: %d", status)
	}
	if p.Requests(idp.GrantRefresh) != 4 || p.Requests(idp.GrantCode) != 1 {
		t.Errorf("counted %d refreshes and %d codes", p.Requests(idp.GrantRefresh), p.Requests(idp.GrantCode))
	}
}

func TestOfManyRefreshesAtOnceOneWins(t *testing.T) {
	p := newParty(t)
	token := p.alice().Refresh
	const callers = 8
	var wg sync.WaitGroup
	statuses := make(chan int, callers)
	for range callers {
		wg.Go(func() {
			response, err := p.try("/oauth/token", refreshForm(token))
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			statuses <- response.StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	won := 0
	for status := range statuses {
		if status == http.StatusOK {
			won++
		}
	}
	if won != 1 || len(p.Families()) != 0 {
		t.Errorf("%d won, families %+v", won, p.Families())
	}
}

func TestRotationDoesNotProlong(t *testing.T) {
	p := newParty(t)
	token := p.alice().Refresh
	ends := p.clock.Now().Add(8 * time.Hour)
	for p.clock.Now().Before(ends.Add(-2 * time.Hour)) {
		p.clock.Advance(2 * time.Hour)
		got := p.post("/oauth/token", refreshForm(token))
		if got.Status != http.StatusOK {
			t.Fatalf("refresh at %v: %s", p.clock.Now(), got.Body)
		}
		token = got.Refresh
	}
	if families := p.Families(); len(families) != 1 || !families[0].Expires.Equal(ends) {
		t.Errorf("families %+v, want the end at %v", families, ends)
	}
	p.clock.Advance(2 * time.Hour)
	if got := p.post("/oauth/token", refreshForm(token)); got.Error != "invalid_grant" { // BBA-49, BBA-50
		t.Errorf("after eight hours: %d %s", got.Status, got.Body)
	}
}

func TestARefreshMayAskForLess(t *testing.T) {
	p := newParty(t)
	form := refreshForm(p.alice().Refresh)
	form.Set("scope", "openid orders.read")
	got := p.post("/oauth/token", form)
	if _, claims := p.mustVerify(got.Access); claims["scope"] != "openid orders.read" {
		t.Errorf("scope %v", claims["scope"])
	}
	got = p.post("/oauth/token", refreshForm(got.Refresh))
	if _, claims := p.mustVerify(got.Access); claims["scope"] != allScopes {
		t.Errorf("the grant itself was narrowed: %v", claims["scope"])
	}
	form = refreshForm(got.Refresh)
	form.Set("scope", "openid orders.write")
	if got := p.post("/oauth/token", form); got.Error != "invalid_scope" {
		t.Errorf("asking for more: %d %s", got.Status, got.Body)
	}
}

func TestARefreshTokenIsOfItsClient(t *testing.T) {
	p := newParty(t)
	form := refreshForm(p.alice().Refresh)
	form.Set("client_id", "other")
	form.Set("client_secret", "other-secret")
	if got := p.post("/oauth/token", form); got.Error != "invalid_grant" {
		t.Errorf("another client got %d %s", got.Status, got.Body)
	}
	token := form.Get("refresh_token")
	changed := func(i int) string {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		raw[(i+len(raw))%len(raw)] ^= 1
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	for name, token := range map[string]string{
		"nonsense": "nonsense", "nothing": "", "a truncated one": token[:len(token)-1],
		"another family": changed(0), "another generation": changed(19), "another MAC": changed(-1),
	} {
		if got := p.post("/oauth/token", refreshForm(token)); got.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := p.post("/oauth/token", refreshForm(token)); got.Status != http.StatusOK {
		t.Errorf("forgeries ended the family: %s", got.Body)
	}
}

// A refresh token is bytes at random to whoever tries to read it as something else.
func TestNoRefreshTokenIsTakenForAnAccessToken(t *testing.T) {
	p := newParty(t)
	p.alice()
	for range 40 {
		got := p.post("/oauth/token", codeForm(answer(t, p.visit(p.authURL(nil)).Callback).Get("code")))
		p.post("/revoke", url.Values{"token": {got.Refresh}, "token_type_hint": {"access_token"}})
		if len(p.Families()) != 1 {
			t.Fatal("a refresh token was not revoked")
		}
	}
}

func TestRevocation(t *testing.T) {
	for name, hint := range map[string]string{"no hint": "", "the right hint": "refresh_token", "a wrong hint": "access_token"} {
		t.Run("a refresh token with "+name, func(t *testing.T) {
			p := newParty(t)
			got := p.alice()
			form := url.Values{"token": {got.Refresh}}
			if hint != "" {
				form.Set("token_type_hint", hint)
			}
			if answer := p.post("/revoke", form); answer.Status != http.StatusOK {
				t.Fatalf("revoke %d %s", answer.Status, answer.Body)
			}
			if len(p.Families()) != 0 {
				t.Error("the family lives on")
			}
			if status, _ := p.userinfo(got.Access); status != http.StatusUnauthorized { // RFC 7009 §2.1
				t.Errorf("its access token still works: %d", status)
			}
			if again := p.post("/revoke", form); again.Status != http.StatusOK { // RFC 7009 §2.2
				t.Errorf("revoking twice: %d", again.Status)
			}
		})
	}
	t.Run("an access token", func(t *testing.T) {
		p := newParty(t)
		got := p.alice()
		if answer := p.post("/revoke", url.Values{"token": {got.Access}}); answer.Status != http.StatusOK {
			t.Fatalf("revoke %d %s", answer.Status, answer.Body)
		}
		if status, _ := p.userinfo(got.Access); status != http.StatusUnauthorized {
			t.Errorf("it still works: %d", status)
		}
		if len(p.Families()) != 1 {
			t.Error("its family ended with it")
		}
	})
	t.Run("by another client or none", func(t *testing.T) {
		p := newParty(t)
		got := p.alice()
		for _, token := range []string{got.Refresh, got.Access} {
			for _, secret := range []string{"other-secret", "wrong"} {
				form := url.Values{"token": {token}, "client_id": {"other"}, "client_secret": {secret}}
				if answer := p.post("/revoke", form); answer.Status != http.StatusUnauthorized {
					t.Errorf("revoke %d %s", answer.Status, answer.Body)
				}
			}
		}
		if status, _ := p.userinfo(got.Access); status != http.StatusOK || len(p.Families()) != 1 {
			t.Error("it was revoked all the same")
		}
	})
	t.Run("by the inspection API", func(t *testing.T) {
		p := newParty(t)
		got := p.alice()
		if !p.Revoke(p.Families()[0].ID) || p.Revoke("nothing") {
			t.Error("Revoke reports the wrong thing")
		}
		if answer := p.post("/oauth/token", refreshForm(got.Refresh)); answer.Error != "invalid_grant" {
			t.Errorf("refresh %d %s", answer.Status, answer.Body)
		}
	})
}
