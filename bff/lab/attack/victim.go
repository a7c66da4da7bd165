package attack

import (
	"context"

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
	return signOut(ctx, b, w, s)
}
