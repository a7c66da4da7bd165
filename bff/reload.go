package main

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"cloakroom/bff/config"
)

// reloadEvery is how often the config is read again for a new key ring.
// sealAfter is how many good readings a new key only opens before it seals: by
// then the other instances know it, who are going to meet what it sealed.
const (
	reloadEvery = 10 * time.Second
	sealAfter   = 2
)

// followKeys reads the config again and again and hands over its key ring
// whenever that changed, until ctx ends: a key is rotated by putting a new one
// first in session.keys, or into its file. Everything else of the config takes
// a restart. A config that does not load keeps the ring in use.
func followKeys(ctx context.Context, now []config.Key, load func() (*config.Config, error), replace func([]config.Key) error, log *slog.Logger) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	var told string
	next, left := now, 0 // the ring of the config, and how many readings until it is in use
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		loaded, err := load()
		switch {
		case err != nil:
		case !reflect.DeepEqual(loaded.Session.Keys, next):
			next, left = loaded.Session.Keys, sealAfter
			err = replaceKeys(&now, opening(next, now), replace, log)
		default:
			if left--; left <= 0 {
				err = replaceKeys(&now, next, replace, log)
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

// opening is the ring next, except that a key seals which is in now already: the
// one that seals now, if it stays, since others may only open for as long.
func opening(next, now []config.Key) []config.Key {
	i := slices.Index(next, now[0])
	if i < 0 {
		i = slices.IndexFunc(next, func(key config.Key) bool { return slices.Contains(now, key) })
	}
	if i <= 0 {
		return next
	}
	ring := slices.Delete(slices.Clone(next), i, i+1)
	return slices.Insert(ring, 0, next[i])
}

// replaceKeys puts ring in the place of now, unless it is that already.
func replaceKeys(now *[]config.Key, ring []config.Key, replace func([]config.Key) error, log *slog.Logger) error {
	if reflect.DeepEqual(ring, *now) {
		return nil
	}
	if err := replace(ring); err != nil {
		return err
	}
	*now = ring
	log.Info("key ring replaced", "keys", len(ring), "seals", ring[0].ID)
	return nil
}
