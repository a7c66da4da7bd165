package topology

import (
	"context"
	"net/http"

	"cloakroom/bff/lab/balancer"
	"cloakroom/bff/secret"
)

// Within is a world that has all but the topology: a provider, an API, and whoever
// listens at the topology's origin and passes what comes on to World.Handler.
type Within struct {
	Origin string // where browsers reach the topology
	Issuer string // the provider's origin
	API    string // the API's origin
	// ClientID and ClientSecret are Cloakroom's at the provider, where the origin's
	// redirect URIs are known.
	ClientID     string
	ClientSecret secret.String
	// Provider has the provider refuse connections, or take them again.
	Provider func(refuse bool)
}

// Handler is the lab's own balancer, which serves what comes to Within.Origin.
func (w *World) Handler() http.Handler { return w.front.(*embedded).balancer }

// Balanced is how the lab's own balancer finds each server; nil: another one
// stands in front.
func (w *World) Balanced() []balancer.Status {
	if e, ok := w.front.(*embedded); ok {
		return e.balancer.Instances()
	}
	return nil
}

// Restart has one server end as it should, if it runs, and starts it again.
func (w *World) Restart(ctx context.Context, name string) error {
	w.doing.Lock()
	defer w.doing.Unlock()
	i := w.named(name)
	if err := ctx.Err(); err != nil || i == nil {
		return err
	}
	return w.renew(i)
}
