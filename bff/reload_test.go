package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/config"
)

// reloaded is a config file and a server, as followKeys sees them.
type reloaded struct {
	mu       sync.Mutex
	keys     []config.Key
	broken   error
	replaced [][]config.Key
	log      bytes.Buffer
}

func (r *reloaded) load() (*config.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &config.Config{Session: config.Session{Keys: r.keys}}, r.broken
}

func (r *reloaded) replace(keys []config.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaced = append(r.replaced, keys)
	return nil
}

func (r *reloaded) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(line)
}

// set changes the file; state is what came of it after two more readings.
func (r *reloaded) set(broken error, ids ...string) (replaced [][]config.Key, log string) {
	r.mu.Lock()
	r.broken, r.keys = broken, nil
	for _, id := range ids {
		r.keys = append(r.keys, config.Key{ID: id})
	}
	r.mu.Unlock()
	time.Sleep(2 * reloadEvery) // of the bubble's clock
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replaced, r.log.String()
}

func TestANewKeyRingIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reloaded{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			followKeys(ctx, []config.Key{{ID: "old"}}, r.load, r.replace, slog.New(slog.NewTextHandler(r, nil)))
		}()
		if replaced, _ := r.set(nil, "old"); len(replaced) != 0 {
			t.Error("the same ring was replaced")
		}
		if replaced, log := r.set(errors.New("cloakroom.yaml:3: broken")); len(replaced) != 0 || strings.Count(log, "stays as it is") != 1 {
			t.Errorf("while the file is broken: %v\n%s", replaced, log)
		}
		// The other instances must know the new key before they meet what it sealed.
		if replaced, _ := r.set(nil, "new", "old"); len(replaced) != 1 || ids(replaced[0]) != "old new" {
			t.Errorf("replaced with %v at first", replaced)
		}
		if replaced, _ := r.set(nil, "new", "old"); len(replaced) != 2 || ids(replaced[1]) != "new old" {
			t.Errorf("replaced with %v then", replaced)
		}
		if replaced, _ := r.set(nil, "new"); len(replaced) != 3 || ids(replaced[2]) != "new" {
			t.Errorf("replaced with %v when the old key was dropped", replaced)
		}
		if replaced, _ := r.set(errors.New("cloakroom.yaml:3: broken"), "newest", "new"); len(replaced) != 3 {
			t.Errorf("while the file is broken: %v", replaced)
		}
		if replaced, _ := r.set(nil, "other"); len(replaced) != 4 || ids(replaced[3]) != "other" {
			t.Errorf("replaced with %v for a ring that has nothing of the old one", replaced)
		}
		cancel()
		<-done
	})
}

// Every key only opens for two readings, even one that another follows at once.
func TestTwoNewKeysInARowBothOpenBeforeTheySeal(t *testing.T) {
	ring := func(ids ...string) (keys []config.Key) {
		for _, id := range ids {
			keys = append(keys, config.Key{ID: id})
		}
		return keys
	}
	now := opening(ring("new", "old"), ring("old"))
	if got := ids(opening(ring("newest", "new", "old"), now)); got != "old newest new" {
		t.Errorf("then the ring is %q", got)
	}
	if got := ids(opening(ring("newest", "new"), now)); got != "new newest" {
		t.Errorf("without the key that sealed, it is %q", got)
	}
}

func ids(keys []config.Key) string {
	var all []string
	for _, key := range keys {
		all = append(all, key.ID)
	}
	return strings.Join(all, " ")
}
