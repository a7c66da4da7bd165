package property

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

const (
	patience = 20 * time.Second      // bounds every wait for a page
	pause    = 10 * time.Millisecond // how often it is looked at
)

// Whether somebody is signed in, as the application shows it.
const (
	stateIn  = "in"
	stateOut = "out"
)

// present has the victim signed in, in the tab in front.
func (s *subject) present(ctx context.Context) error {
	if s.in {
		return nil
	}
	err := attack.SignIn(ctx, s.browser, s.world, s.strategy)
	s.in = err == nil
	return err
}

// settled is what the application shows once it has made up its mind; what is
// no page of it is quoted.
const settled = `(() => {
	if (document.readyState !== "complete" || location.origin !== %q) return "";
	const state = document.documentElement.dataset.state;
	return state === undefined ? document.body.innerText.slice(0, 100) || "an empty page" : state === "unknown" ? "" : state;
})()`

// open loads the application in a tab and returns what it shows.
func (s *subject) open(ctx context.Context, tab attack.Browser) (state string, err error) {
	origin := s.world.Origin(s.strategy.ID)
	if err := tab.Go(ctx, origin+"/"); err != nil {
		return "", fmt.Errorf("property: open the application: %w", err)
	}
	return wait(ctx, tab, fmt.Sprintf(settled, origin))
}

// again has the open page call once more and returns what it shows then.
func (s *subject) again(ctx context.Context) (state string, err error) {
	const press = `(() => {
		const root = document.documentElement;
		root.dataset.state = "unknown";
		root.dataset.before = root.dataset.calls;
		document.querySelector("#again").click();
		return "";
	})()`
	const answered = `(() => {
		const root = document.documentElement;
		if (root.dataset.state !== "unknown") return root.dataset.state;
		return root.dataset.calls === root.dataset.before ? "" : root.dataset.state = "in";
	})()`
	if err := s.browser.Run(ctx, press, nil); err != nil {
		return "", fmt.Errorf("property: call again: %w", err)
	}
	return wait(ctx, s.browser, answered)
}

// wait runs an expression until it gives a value other than "".
func wait(ctx context.Context, tab attack.Browser, expression string) (value string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(pause)
	defer look.Stop()
	for {
		if err = tab.Run(ctx, expression, &value); err == nil && value != "" {
			return value, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("property: gave up waiting for the page: %w (last: %v)", ctx.Err(), err)
		case <-look.C:
		}
	}
}

// ofApplication reports whether a visit was to the strategy's own server.
func (s *subject) ofApplication(v strategy.Visit) bool {
	return "http://"+v.Host == s.world.Origin(s.strategy.ID)
}

// asked reports whether the provider was asked to sign somebody in or to renew.
func (s *subject) asked(visits []strategy.Visit) bool {
	for _, v := range visits {
		if "http://"+v.Host == s.world.Issuer() && (v.Path == "/authorize" || v.Path == "/oauth/token") {
			return true
		}
	}
	return false
}

// says puts into words what the page shows.
func says(state string) string {
	switch state {
	case stateIn:
		return "the page is signed in and has its data"
	case stateOut:
		return "the page is signed out"
	}
	return fmt.Sprintf("the page shows %q", strings.Join(strings.Fields(state), " "))
}

// survived makes a finding of what the page shows after something happened.
func (s *subject) survived(m *lab.Measure, state string, asked bool) {
	note(m, "%s", says(state))
	s.in = state == stateIn
	switch {
	case s.in && asked:
		note(m, "but the provider was asked")
		m.Finding = "with the provider's help"
	case s.in:
		m.Finding = "yes"
	default:
		m.Finding = "no"
	}
}
