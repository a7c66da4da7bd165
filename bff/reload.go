package main

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"cloakroom/bff/config"
)

// reloadEvery is how often the config is read again for a new key ring.
const reloadEvery = 10 * time.Second

// followKeys reads the config again and again and hands over its key ring
// whenever that changed, until ctx ends: a key is rotated by putting a new one
// first in session.keys, or into its file. Everything else of the config takes
// a restart. A config that does not load keeps the ring in use.
func followKeys(ctx context.Context, now []config.Key, load func() (*config.Config, error), replace func([]config.Key) error, log *slog.Logger) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		loaded, err := load()
		if err == nil && !reflect.DeepEqual(loaded.Session.Keys, now) {
			if err = replace(loaded.Session.Keys); err == nil {
				now = loaded.Session.Keys
				log.Info("key ring replaced", "keys", len(now), "seals", now[0].ID)
			}
		}
		switch {
		case err == nil:
			told = ""
		case err.Error() != told: // once a problem
			told = err.Error()
			log.Warn("the key ring stays as it is", "error", err)
		}
	}
}
