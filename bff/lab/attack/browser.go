package attack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// Browser is the victim's, with one tab in front. It must resolve every name
// below localhost to loopback and let windows open: a real payload waits for
// a click to open one.
type Browser interface {
	// Go navigates the tab and waits until the page has loaded.
	Go(ctx context.Context, address string) error
	// Run runs an expression in the page's own world, without waiting for a
	// promise, and reads its value as JSON into out, unless out is nil.
	Run(ctx context.Context, expression string, out any) error
	// Cookies is what the disk has for an origin, HttpOnly ones too: what
	// malware on the device reads.
	Cookies(ctx context.Context, origin string) ([]*http.Cookie, error)
	// Forget empties every store of an origin, cookies too.
	Forget(ctx context.Context, origin string) error
}

// Tabs is a Browser that can have more than one tab.
type Tabs interface {
	// NewTab opens an empty tab of the same browser, in front of the others;
	// close closes it, and the one before is in front again.
	NewTab(ctx context.Context) (tab Browser, close func(), err error)
}

// Profile is a Browser whose disk can be looked at, and which can be restarted.
type Profile interface {
	// Restart closes the browser in good order, so that it writes what it has to
	// write, calls closed with the profile's folder, and starts it again with the
	// same profile and one empty tab.
	Restart(ctx context.Context, closed func(folder string) error) error
}

const (
	patience = 30 * time.Second      // bounds every wait
	pause    = 10 * time.Millisecond // how often a page is looked at
)

// until runs an expression again and again until it gives a value other than
// "". A page that is being replaced is looked at again.
func until(ctx context.Context, b Browser, expression string) (string, error) {
	return within(ctx, patience, b, expression)
}

// within is until with a patience of its own.
func within(ctx context.Context, patience time.Duration, b Browser, expression string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(pause)
	defer look.Stop()
	var last error
	for {
		var value string
		if last = b.Run(ctx, expression, &value); last == nil && value != "" {
			return value, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("attack: gave up waiting for the page: %w (last: %v)", ctx.Err(), last)
		case <-look.C:
		}
	}
}

// where tells what the tab shows on the way to being signed in.
const where = `(() => {
	if (document.readyState !== "complete") return "";
	if (document.querySelector("#password")) return "password";
	if (document.querySelector("button[value=allow]")) return "consent";
	if (location.origin !== %q) return "";
	const state = document.documentElement.dataset.state ?? "";
	return state === "unknown" ? "" : state;
})()`

// signIn signs the victim in afresh, as a person does: the origin is emptied
// before, so that no cell lives on what another one left.
func signIn(ctx context.Context, b Browser, w *strategy.World, s lab.Strategy, patience time.Duration) error {
	origin := w.Origin(s.ID)
	if err := b.Forget(ctx, origin); err != nil {
		return fmt.Errorf("attack: empty the origin: %w", err)
	}
	state, err := enter(ctx, b, w, s)
	if err == nil && state == "in" { // what the tab itself keeps
		if err = b.Run(ctx, `void sessionStorage.clear()`, nil); err == nil {
			state, err = enter(ctx, b, w, s)
		}
	}
	switch {
	case err != nil:
		return err
	case state != "out":
		return fmt.Errorf("attack: a fresh application is %q", state)
	}
	return begin(ctx, b, w, s, patience)
}

// enter opens the application and returns how it finds the victim.
func enter(ctx context.Context, b Browser, w *strategy.World, s lab.Strategy) (state string, err error) {
	if err := b.Go(ctx, w.Origin(s.ID)+"/"); err != nil {
		return "", fmt.Errorf("attack: open the application: %w", err)
	}
	return until(ctx, b, fmt.Sprintf(where, w.Origin(s.ID)))
}

// begin signs the victim in at an application that is open and knows nobody.
func begin(ctx context.Context, b Browser, w *strategy.World, s lab.Strategy, patience time.Duration) error {
	look := fmt.Sprintf(where, w.Origin(s.ID))
	act := `(document.documentElement.dataset.state = "unknown", document.querySelector("#sign-in").click(), "")`
	for range 4 { // the button, the password, the consent, the way back
		if err := b.Run(ctx, act, nil); err != nil {
			return fmt.Errorf("attack: sign in: %w", err)
		}
		state, err := within(ctx, patience, b, look)
		switch {
		case err != nil:
			return err
		case state == "in":
			return nil
		case state == "password":
			act = fmt.Sprintf(`(() => {
				const field = document.querySelector("#password");
				document.querySelector("#username").value = %q; field.value = %q;
				const form = field.form; form.requestSubmit(); field.id = "sent"; return "";
			})()`, strategy.Victim.Name, strategy.Victim.Password)
		case state == "consent":
			act = `(() => { const yes = document.querySelector("button[value=allow]"); yes.form.requestSubmit(yes); yes.value = "sent"; return ""; })()`
		default:
			return fmt.Errorf("attack: the application is %q after the sign-in", state)
		}
	}
	return errors.New("attack: the sign-in does not end")
}

// signOut signs the victim out as a person does.
func signOut(ctx context.Context, b Browser, w *strategy.World, s lab.Strategy) error {
	const press = `(document.documentElement.dataset.state = "unknown", document.querySelector("#sign-out").click(), "")`
	if err := b.Run(ctx, press, nil); err != nil {
		return fmt.Errorf("attack: sign out: %w", err)
	}
	state, err := until(ctx, b, fmt.Sprintf(where, w.Origin(s.ID)))
	if err == nil && state != "out" {
		err = fmt.Errorf("attack: the application is %q after the sign-out", state)
	}
	return err
}
