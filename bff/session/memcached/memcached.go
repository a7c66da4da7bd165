package memcached

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Config of a Store. URL is needed.
type Config struct {
	// URL names the servers: memcached://host1:11211,host2,host3. Its only
	// parameter is prefix, of all keys (cloakroom:).
	URL secret.String
	// Timeout bounds each operation, and each wait for a server; 0 means 2 s.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what no caller hears of; nil discards it.
	Log *slog.Logger
}

// Store keeps records in memcached.
type Store struct {
	client  *memcache.Client
	prefix  string
	timeout time.Duration
	now     func() time.Time
	log     *slog.Logger
	closed  atomic.Bool
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
)

const (
	defaultTimeout = 2 * time.Second
	// maxIdle is how many idle connections are kept to each server.
	maxIdle = 100
)

var errClosed = errors.New("the store is closed")

// New returns a Store. It connects on first use.
func New(c Config) (*Store, error) {
	servers, prefix, err := parseURL(c.URL.Reveal())
	if c.Timeout < 0 {
		err = errors.Join(err, errors.New("the timeout must not be negative"))
	}
	if err != nil {
		return nil, fmt.Errorf("memcached: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	client := memcache.NewFromSelector(servers)
	client.Timeout = c.Timeout
	client.MaxIdleConns = maxIdle
	return &Store{client: client, prefix: prefix, timeout: c.Timeout, now: c.Now, log: c.Log}, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	s.closed.Store(true)
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("memcached: close: %w", err)
	}
	return nil
}

// Ping reports whether every server answers, and names one that does not.
func (s *Store) Ping(ctx context.Context) error {
	_, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.again(s.client.Ping)
	}
	return failure("ping", err)
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return 0, failure("create", err)
	}
	version := newVersion()
	value, err := encode(&r, version)
	if err != nil {
		return 0, err
	}
	// The index first: what Find returns may be late, but is never short of a
	// session that someone holds the ticket of.
	for _, key := range r.Keys {
		if err := s.enter(ctx, key, &r, nil); err != nil {
			return 0, failure("create", err)
		}
	}
	err = s.add(&r, value)
	if errors.Is(err, memcache.ErrNotStored) {
		return 0, session.ErrExists
	}
	if err != nil {
		return 0, failure("create", err)
	}
	return version, nil
}

// add writes a new record. One that has expired by our clock, but not yet by
// the server's, makes room.
func (s *Store) add(r *session.Record, value []byte) error {
	item := &memcache.Item{Key: s.recordKey(r.ID), Value: value, Expiration: expiration(r.Expires, s.now())}
	err := s.client.Add(item)
	if !errors.Is(err, memcache.ErrNotStored) {
		return err
	}
	present, err := s.client.Get(item.Key)
	switch {
	case errors.Is(err, memcache.ErrCacheMiss):
		return s.client.Add(item)
	case err != nil:
		return err
	}
	if _, err := decode(r.ID, present.Value, s.now()); err == nil {
		return memcache.ErrNotStored
	}
	item.CasID = present.CasID
	if err = s.client.CompareAndSwap(item); errors.Is(err, memcache.ErrCASConflict) || errors.Is(err, memcache.ErrCacheMiss) {
		return memcache.ErrNotStored // another created it meanwhile
	}
	return err
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return session.Record{}, failure("get", err)
	}
	item, err := s.get(ctx, s.recordKey(id))
	if err != nil {
		return session.Record{}, failure("get", err)
	}
	return decode(id, item.Value, s.now()) // the value is the reply's, and so ours
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return 0, failure("update", err)
	}
	version := newVersion()
	value, err := encode(&r, version)
	if err != nil {
		return 0, err
	}
	names := []string{s.recordKey(r.ID)}
	for _, key := range r.Keys {
		names = append(names, s.indexKey(key))
	}
	items, err := s.getMulti(ctx, names)
	if err != nil {
		return 0, failure("update", err)
	}
	present := items[names[0]]
	if err := s.expect(&r, present); err != nil {
		return 0, err
	}
	for i, key := range r.Keys {
		if err := s.enter(ctx, key, &r, items[names[1+i]]); err != nil {
			return 0, failure("update", err)
		}
	}
	err = s.client.CompareAndSwap(&memcache.Item{
		Key: names[0], Value: value, Expiration: expiration(r.Expires, s.now()), CasID: present.CasID,
	})
	switch {
	case errors.Is(err, memcache.ErrCASConflict):
		return 0, session.ErrConflict
	case err != nil:
		return 0, failure("update", err)
	}
	return version, nil
}

// expect checks that item is there and at r's version.
func (s *Store) expect(r *session.Record, item *memcache.Item) error {
	if item == nil {
		return session.ErrNotFound
	}
	present, err := decode(r.ID, item.Value, s.now())
	if err != nil {
		return err
	}
	if present.Version != r.Version {
		return session.ErrConflict
	}
	return nil
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return failure("delete", err)
	}
	name := s.recordKey(id)
	item, err := s.get(ctx, name)
	if err == nil {
		err = s.again(func() error { return s.client.Delete(name) })
	}
	if err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
		return failure("delete", err)
	}
	if item != nil {
		s.unindex(ctx, id, item.Value)
	}
	return nil
}

// unindex removes the entries of a deleted record. They would do no harm, and
// end by themselves: so a failure does not fail the delete.
func (s *Store) unindex(ctx context.Context, id session.ID, value []byte) {
	r, err := decode(id, value, s.now())
	if err != nil {
		return
	}
	for _, key := range r.Keys {
		if err := s.leave(ctx, key, id); err != nil {
			s.log.Warn("an index entry of a deleted session stays until it expires", "error", failure("delete", err))
		}
	}
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return nil, failure("find", err)
	}
	item, err := s.get(ctx, s.indexKey(key))
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil, nil
	}
	if err != nil {
		return nil, failure("find", err)
	}
	var found []session.Record
	err = s.eachLive(ctx, readEntries(item.Value), func(r session.Record) {
		if slices.Contains(r.Keys, key) {
			found = append(found, r)
		}
	})
	return found, failure("find", err)
}

// findBatch bounds how much one reply holds.
const findBatch = 100

// eachLive calls f for every record that all lead to.
func (s *Store) eachLive(ctx context.Context, all entries, f func(session.Record)) error {
	var ids []session.ID
	all.each(func(e entry) { ids = append(ids, e.id()) })
	for batch := range slices.Chunk(ids, findBatch) {
		names := make([]string, len(batch))
		for i, id := range batch {
			names[i] = s.recordKey(id)
		}
		items, err := s.getMulti(ctx, names)
		if err != nil {
			return err
		}
		for i, id := range batch {
			if item := items[names[i]]; item != nil {
				if r, err := decode(id, item.Value, s.now()); err == nil {
					f(r)
				}
			}
		}
	}
	return nil
}

// begin starts an operation: nothing is done for who has left already.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	if s.closed.Load() {
		return ctx, cancel, errClosed
	}
	return ctx, cancel, ctx.Err()
}

func (s *Store) get(ctx context.Context, name string) (item *memcache.Item, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.again(func() (err error) { item, err = s.client.Get(name); return err })
	return item, err
}

func (s *Store) getMulti(ctx context.Context, names []string) (items map[string]*memcache.Item, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.again(func() (err error) { items, err = s.client.GetMulti(names); return err })
	return items, err
}

// again makes a call that may be made twice, the second time when an idle
// connection turns out to be dead. So are then the others, most likely: the
// server was restarted.
func (s *Store) again(call func() error) error {
	err := call()
	var network *net.OpError
	dialing := errors.As(err, &network) && network.Op == "dial"
	if err == nil || dialing || isAnswer(err) || isTimeout(err) {
		return err
	}
	_ = s.client.Close() // closes what is idle; the client stays usable
	return call()
}

func isAnswer(err error) bool {
	for _, answer := range []error{
		memcache.ErrCacheMiss, memcache.ErrNotStored, memcache.ErrCASConflict, memcache.ErrMalformedKey,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	var network net.Error
	var connect *memcache.ConnectTimeoutError
	return errors.As(err, &connect) || errors.As(err, &network) && network.Timeout()
}

// failure says where err is from, unless it is an answer.
func failure(what string, err error) error {
	switch {
	case err == nil || errors.Is(err, session.ErrTooLarge):
		return err
	case errors.Is(err, memcache.ErrCacheMiss):
		return session.ErrNotFound
	case strings.Contains(err.Error(), tooLarge):
		return session.ErrTooLarge
	}
	return fmt.Errorf("memcached: %s: %w", what, err)
}

// tooLarge is in the server's answer to an item above its limit (option -I),
// which the driver hands on as text only.
const tooLarge = "object too large for cache"

func (s *Store) recordKey(id session.ID) string {
	return s.prefix + "s:" + base64.RawURLEncoding.EncodeToString(id[:])
}

func (s *Store) indexKey(key session.Key) string {
	return s.prefix + "k:" + base64.RawURLEncoding.EncodeToString(key[:])
}
