package attack

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"cloakroom/shared/lab"
)

// jar copies what the browser has for the application, HttpOnly or not.
func (m *mission) jar(ctx context.Context) (header string, err error) {
	cookies, err := m.browser.Cookies(ctx, m.world.Origin(m.target.ID))
	if err != nil {
		return "", fmt.Errorf("attack: read the cookies: %w", err)
	}
	var pairs []string
	for _, c := range cookies {
		pairs = append(pairs, (&http.Cookie{Name: c.Name, Value: c.Value}).String())
	}
	if len(pairs) > 0 {
		m.step("the lab copied %d cookies out of the browser's jar, HttpOnly or not, as malware on the device would", len(pairs))
	}
	return strings.Join(pairs, "; "), nil
}

// replay is X10: what is on the device's disk, sent from elsewhere; and once
// more after the victim has signed out.
func (m *mission) replay(ctx context.Context) error {
	cookies, err := m.jar(ctx)
	if err != nil {
		return err
	}
	if cookies == "" {
		m.evidence.Missing = "the application has no cookie"
		return nil
	}
	m.evidence.Finished = true
	pieces := sift(map[string]string{placeJar: cookies})
	if err := m.spend(ctx, pieces); err != nil {
		return err
	}
	used := len(m.evidence.Answers)
	if err := signOut(ctx, m.browser, m.world, m.target); err != nil {
		return err
	}
	for _, p := range pieces {
		if err := m.attacker.use(ctx, m.target, p, &m.evidence); err != nil {
			return err
		}
	}
	m.step("the victim signed out; used again after that, the loot gave the attacker data: %t", gave(m.evidence.Answers[used:]))
	return nil
}

// outlived is "logout": copies are taken before the victim signs out, by all
// that A1 and X5 do, and from the jar, and used after it.
func (m *mission) outlived(ctx context.Context) error {
	got, err := m.inject(ctx, "copying", map[string]string{})
	if err != nil {
		return err
	}
	cookies, err := m.jar(ctx)
	if err != nil {
		return err
	}
	if cookies != "" {
		got.Places[placeJar] = cookies
	}
	m.tell(got)
	pieces := sift(got.Places)
	m.step("the attacker has %d copies of what it found", len(pieces))
	if got.By == "navigation" { // the payload left the page with what it had
		if _, err := enter(ctx, m.browser, m.world, m.target); err != nil {
			return err
		}
	}
	if err := signOut(ctx, m.browser, m.world, m.target); err != nil {
		return err
	}
	m.step("the victim signed out by the page's own button; the attacker uses its copies only now")
	return m.spend(ctx, pieces)
}

func gave(answers []lab.Answer) bool {
	for _, a := range answers {
		if a.Gave {
			return true
		}
	}
	return false
}
