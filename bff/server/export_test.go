package server

import (
	"log/slog"

	"cloakroom/bff/config"
	"cloakroom/bff/observe"
	"cloakroom/bff/session"
)

// OpenStore opens the store of a config as a Server does, with all that stands
// before it.
func OpenStore(c config.Session) (store session.Store, close func() error, err error) {
	made, err := openStore(c, session.EphemeralKeyRing(), observe.NewMetrics("test"), slog.New(slog.DiscardHandler), nil)
	return made.Store, made.close, err
}
