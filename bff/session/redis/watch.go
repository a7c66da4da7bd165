package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"cloakroom/bff/session"
)

const (
	// watchBeat is how often a watched server is asked whether it is there and
	// still what it was, and the client which servers there are.
	watchBeat = time.Second
	// Between two attempts to connect to one.
	leastPause, mostPause = 100 * time.Millisecond, 5 * time.Second
)

var (
	errRole = errors.New("the server became a primary, or is one no longer")
	errLeft = errors.New("the server is not of the deployment any more")
)

// Watch calls changed for every record that any instance created, updated or
// deleted or that expired, until ctx ends or the store is closed. It calls it
// with everything set and no ID when anything may have changed unheard: after it
// has connected to a primary, the first time and after every loss, when it lost
// one, and when a server was emptied. A server that went silent is noticed
// within a second and Timeout, another primary when the client knows of it. Until
// then there is no news, so what relies on it needs a bound of its own.
//
// It takes a connection of its own to each primary; in a Cluster also to each
// replica, which may become one. The calls come one after the other. A slow one
// delays the next; one slower than Timeout may pass for a loss.
func (s *Store) Watch(ctx context.Context, changed func(id session.ID, everything bool)) error {
	w := &watch{store: s, changed: changed, followed: map[string]bool{}}
	defer w.end()
	ctx, cancel := context.WithCancel(ctx)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer cancel()
	for told := false; ; {
		nodes, err := s.nodes(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errClosed):
			return fmt.Errorf("redis: watch: %w", err)
		case err != nil && !told: // once an outage
			s.log.Warn("watching for changed sessions failed", "error", fmt.Errorf("redis: watch: %w", err))
		}
		told = err != nil
		for address := range nodes {
			if w.begin(address) {
				followers.Go(func() { w.follow(ctx, address) })
			}
		}
		if err := pause(ctx, watchBeat); err != nil {
			return err
		}
	}
}

// nodes returns the servers the client knows, by address: the one, the primary
// the Sentinels name, or all of the Cluster.
func (s *Store) nodes(ctx context.Context) (map[string]rueidis.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client, err := s.connection.get(ctx)
	if err != nil {
		return nil, err
	}
	return client.Nodes(), nil
}

// watch is one call of Watch.
type watch struct {
	store *Store

	telling sync.Mutex // changed is called by one at a time
	changed func(session.ID, bool)

	mu       sync.Mutex
	followed map[string]bool
}

// begin tells whether nobody follows the server yet, and if so, that somebody
// does now.
func (w *watch) begin(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.followed[address] {
		return false
	}
	w.followed[address] = true
	return true
}

// follow listens to a server for as long as the client knows it.
func (w *watch) follow(ctx context.Context, address string) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.followed, address)
	}()
	least := leastPause
	for told := false; ; {
		nodes, err := w.store.nodes(ctx)
		node, known := nodes[address]
		if err != nil || !known {
			return // Watch sees to it
		}
		heard, err := w.listen(ctx, node, address)
		if ctx.Err() != nil {
			return
		}
		if heard {
			least, told = leastPause, false
		}
		if !told { // once an outage
			w.store.log.Warn("watching for changed sessions failed", "server", address, "error", fmt.Errorf("redis: watch: %w", err))
			told = true
		}
		if pause(ctx, least) != nil {
			return
		}
		least = min(2*least, mostPause)
	}
}

// listen serves one connection until it breaks, or the server is of another role
// or none of the client's any more; heard tells whether there was one.
func (w *watch) listen(ctx context.Context, node rueidis.Client, address string) (heard bool, err error) {
	conn, _ := node.Dedicate() // Close gives it back
	defer conn.Close()
	primary, err := w.isPrimary(ctx, conn)
	if err != nil {
		return false, err
	}
	var lost <-chan error
	if primary {
		if lost, err = w.track(ctx, conn); err != nil {
			return false, err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case err := <-lost:
			return true, err
		case <-time.After(jitter(watchBeat)):
		}
		still, err := w.isPrimary(ctx, conn)
		if err == nil && still != primary {
			err = errRole
		}
		if err != nil {
			return true, err
		}
		if nodes, err := w.store.nodes(ctx); err == nil && nodes[address] == nil {
			return true, errLeft
		}
	}
}

// isPrimary asks the server itself: what others say of it comes late. A replica
// would tell of the changes too, again and later than its primary.
func (w *watch) isPrimary(ctx context.Context, conn rueidis.DedicatedClient) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.store.timeout)
	defer cancel()
	hello, err := conn.Do(ctx, conn.B().Arbitrary("HELLO").Build()).AsMap()
	if err != nil {
		return false, err
	}
	role := hello["role"]
	name, err := role.ToString()
	return name == "master", err
}

// track asks for a notice of every change to a key that begins as a record's
// does, by whomever and whether or not it was read here. What it returns gets
// the error with which the connection ends.
func (w *watch) track(ctx context.Context, conn rueidis.DedicatedClient) (lost <-chan error, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.store.timeout)
	defer cancel()
	// The driver also calls back when a connection ends that never listened.
	var listening atomic.Bool
	lost = conn.SetOnInvalidations(func(keys []rueidis.RedisMessage) {
		if listening.Load() {
			w.invalidated(keys)
		}
	})
	on := conn.B().ClientTracking().On().Prefix().Prefix(w.store.prefix + "s:").Bcast().Build()
	if err := conn.Do(ctx, on).Error(); err != nil {
		return nil, err
	}
	listening.Store(true)
	w.tell(session.ID{}, true)
	return lost, nil
}

// invalidated gets the keys that changed; nil stands for all, and for the loss
// of the connection.
func (w *watch) invalidated(keys []rueidis.RedisMessage) {
	if keys == nil {
		w.tell(session.ID{}, true)
		return
	}
	for i := range keys {
		key, err := keys[i].ToString()
		member, ok := strings.CutPrefix(key, w.store.prefix+"s:")
		if err == nil && ok && len(member) == len(session.ID{}) {
			w.tell(session.ID([]byte(member)), false)
		}
	}
}

func (w *watch) tell(id session.ID, everything bool) {
	w.telling.Lock()
	defer w.telling.Unlock()
	if w.changed != nil {
		w.changed(id, everything)
	}
}

// end keeps what the driver still has to say from whoever is gone.
func (w *watch) end() {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.changed = nil
}

// pause waits about d.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(jitter(d)):
		return nil
	}
}

// jitter spreads d by a quarter to either side, so that instances that lost a
// server together do not come back together.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
