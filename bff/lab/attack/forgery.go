package attack

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"cloakroom/shared"
	"cloakroom/shared/lab"
)

// gift is what attackers order at the victim's expense.
const gift = "a gift for the attacker"

// proxying is A4: leave everything where it is, and use it there.
func (m *mission) proxying(ctx context.Context) error {
	item := gift + " " + rand.Text()
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
			m.change("the victim ordered %q", gift)
		}
	}
	return nil
}

// crossSite is X1: a page of another site, and no script in the victim's.
func (m *mission) crossSite(ctx context.Context) error { return m.forgery(ctx, m.attacker.origin) }

// sameSite is X2: the same from a host of the same site, to which SameSite is
// no barrier (BBA-29).
func (m *mission) sameSite(ctx context.Context) error { return m.forgery(ctx, m.attacker.sibling) }

func (m *mission) forgery(ctx context.Context, origin string) error {
	item, before := gift+" "+rand.Text(), len(m.world.Visits(0))
	target, _ := m.world.Orders(m.target)
	got, err := m.lure(ctx, origin, "forgery", map[string]string{
		"target": target, "item": item, "application": m.world.Origin(m.target.ID), "leave": m.world.Origin(m.target.ID) + shared.PathLogout,
	})
	if err != nil {
		return err
	}
	credentials := 0
	for _, v := range m.world.Visits(before) {
		if v.Origin == origin || v.From == origin {
			m.evidence.Answers = append(m.evidence.Answers, lab.Answer{By: lab.Browser, Request: v.Request(), Status: v.Status})
			if v.Credentials {
				credentials++
			}
		}
	}
	// Without one request at the victim's server, nothing was tried.
	m.evidence.Finished = len(m.evidence.Answers) > 0
	if m.step("%d forged requests arrived; the browser put a cookie on %d of them by itself", len(m.evidence.Answers), credentials); m.target.TokensInPage {
		m.step("the API takes a token in a header, which no browser adds by itself, and reads no cookie")
	}
	if strings.Contains(got.Places["read"], `"orders":[{`) {
		m.change("the attacker's page read the victim's orders")
	}
	if err := m.lookFor(ctx, item); err != nil || m.target.Public {
		return err // a public client's page has no server that could sign it out
	}
	state, err := enter(ctx, m.browser, m.world, m.target)
	if err == nil && state == "out" {
		m.change("the victim was signed out")
	}
	return err
}

// lure has the victim open a page of the attacker's, and waits for its report.
func (m *mission) lure(ctx context.Context, origin, payload string, parameters map[string]string) (message, error) {
	collector, arrived := m.attacker.expect()
	parameters["collector"] = collector
	var then []string
	if m.options.Return {
		parameters["home"], then = m.world.Origin(m.target.ID)+"/", homeward
	}
	page := "<!doctype html><title>Kittens</title><body><script type=\"module\">" + script(payload, parameters, then...) + "</script>"
	if err := m.browser.Go(ctx, origin+m.attacker.publish("text/html", page)); err != nil {
		return message{}, fmt.Errorf("attack: open the attacker's page: %w", err)
	}
	got, err := await(ctx, arrived)
	if err != nil {
		return message{}, err
	}
	m.step("the victim opened a page of %s, where payload %s.js ran and reported by %s", origin, payload, got.By)
	return got, nil
}
