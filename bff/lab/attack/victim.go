package attack

import (
	"context"
	"fmt"

	"cloakroom/bff/lab/strategy"
	"cloakroom/shared/lab"
)

// SignIn signs the victim in afresh, as a person does, for whoever looks at the
// strategies otherwise than by attacking them.
func SignIn(ctx context.Context, b Browser, w *strategy.World, s lab.Strategy) error {
	return signIn(ctx, b, w, s)
}

// SignOut signs the victim out by the page's own button.
func SignOut(ctx context.Context, b Browser, w *strategy.World, s lab.Strategy) error {
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
