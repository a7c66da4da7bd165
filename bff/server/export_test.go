package server

import (
	"io"
	"log/slog"

	"cloakroom/bff/config"
	"cloakroom/bff/observe"
	"cloakroom/bff/session"
)

// OpenStore opens the store of a config as a Server does, with all that stands
// before it.
func OpenStore(c config.Session) (session.Store, io.Closer, error) {
	made, err := openStore(c, observe.NewMetrics("test"), slog.New(slog.DiscardHandler))
	return made.Store, closer(made.close), err
}

type closer func() error

func (c closer) Close() error { return c() }
