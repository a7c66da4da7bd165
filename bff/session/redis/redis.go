package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Config of a Store. URL is needed.
type Config struct {
	// URL is one of
	//
	//	redis://user:password@host:6379/database
	//	redis+sentinel://user:password@host1:26379,host2,host3/primary/database
	//	redis+cluster://user:password@host1:6379,host2,host3
	//
	// User and password are those of the Redis servers, and whatever has a
	// default may be left out. rediss instead of redis speaks TLS, which takes
	// the parameters ca_file, cert_file, key_file and server_name. Other
	// parameters: prefix of all keys (cloakroom:), wait, the number of replicas
	// that must confirm a write (0), sentinel_username and sentinel_password.
	URL secret.String
	// Timeout bounds each operation; 0 means 2 s.
	Timeout time.Duration
	// Log gets what no caller hears of; nil discards it.
	Log *slog.Logger
}

// Store keeps records in Redis.
type Store struct {
	connection connection
	scripts    scripts
	prefix     string
	wait       int64
	timeout    time.Duration
	log        *slog.Logger
}

var (
	_ session.Store   = (*Store)(nil)
	_ session.Sparing = (*Store)(nil)
	_ session.Finder  = (*Store)(nil)
)

const defaultTimeout = 2 * time.Second

// New returns a Store. It connects on first use.
func New(c Config) (*Store, error) {
	t, err := parseURL(c.URL.Reveal())
	if c.Timeout < 0 {
		err = errors.Join(err, errors.New("the timeout must not be negative"))
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{
		connection: connection{options: tune(t.options, c.Timeout)},
		scripts:    newScripts(), prefix: t.prefix, wait: t.wait, timeout: c.Timeout, log: c.Log,
	}, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	s.connection.close()
	return nil
}

// Ping asks the server whether it can serve: connected, signed in, allowed to
// read, and in a Cluster all slots are covered.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client, err := s.connection.get(ctx)
	if err == nil {
		err = client.Do(ctx, client.B().Get().Key(s.prefix+"ping").Build()).Error()
	}
	if err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("redis: ping: %w", err)
	}
	return nil
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	version := newVersion()
	value, err := encode(&r, version)
	if err != nil {
		return 0, err
	}
	record := call{&s.scripts.create, s.recordKey(r.ID), []string{rueidis.BinaryString(value), millis(r.Expires)}}
	outcome, err := s.put(ctx, &r, record)
	switch {
	case err != nil:
		return 0, fmt.Errorf("redis: create: %w", err)
	case outcome != 1:
		return 0, session.ErrExists
	}
	return version, nil
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (session.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client, err := s.connection.get(ctx)
	if err != nil {
		return session.Record{}, fmt.Errorf("redis: get: %w", err)
	}
	// The reply belongs to this call alone, so that the record may keep it. One
	// from a client-side cache would have to be copied.
	value, err := client.Do(ctx, client.B().Get().Key(s.recordKey(id)).Build()).AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return session.Record{}, session.ErrNotFound
	case err != nil:
		return session.Record{}, fmt.Errorf("redis: get: %w", err)
	}
	return decode(id, value)
}

// GetUnless implements session.Sparing: it asks for the version first, which is
// drawn and so of one record alone.
func (s *Store) GetUnless(ctx context.Context, id session.ID, have session.Mark) (session.Record, error) {
	if have == (session.Mark{}) {
		return s.Get(ctx, id)
	}
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client, err := s.connection.get(within)
	if err != nil {
		return session.Record{}, fmt.Errorf("redis: get: %w", err)
	}
	head, err := client.Do(within, client.B().Getrange().Key(s.recordKey(id)).Start(0).End(headerSize-1).Build()).AsBytes()
	if err != nil {
		return session.Record{}, fmt.Errorf("redis: get: %w", err)
	}
	r, _, err := decodeHead(id, head)
	if err != nil || r.Version == have.Version {
		return r, err
	}
	return s.Get(within, id)
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	version := newVersion()
	value, err := encode(&r, version)
	if err != nil {
		return 0, err
	}
	record := call{&s.scripts.update, s.recordKey(r.ID), []string{
		rueidis.BinaryString(value), millis(r.Expires), versionText(r.Version), versionText(version),
	}}
	outcome, err := s.put(ctx, &r, record)
	switch {
	case err != nil:
		return 0, fmt.Errorf("redis: update: %w", err)
	case outcome == 0:
		return 0, session.ErrNotFound
	case outcome != 1:
		return 0, session.ErrConflict
	}
	return version, nil
}

// put enters r into its indexes and then writes it, in one round trip. If the
// record is not written after all, the entries lead nowhere until they expire:
// Find cannot tell those from the entries of a record about to be written, and
// so removes none.
func (s *Store) put(ctx context.Context, r *session.Record, record call) (int64, error) {
	calls := make([]call, 0, len(r.Keys)+1)
	until := millis(r.Expires.Add(indexSlack))
	for _, key := range r.Keys {
		calls = append(calls, call{&s.scripts.index, s.indexKey(key), []string{string(r.ID[:]), until}})
	}
	results, err := s.run(ctx, append(calls, record)...)
	if err != nil {
		return 0, err
	}
	last := len(results) - 1
	outcome, err := results[last].AsInt64()
	if err != nil {
		return 0, err
	}
	for _, result := range results[:last] {
		if err := result.Error(); err != nil {
			// A session that a sign-out everywhere would miss must not be had.
			return 0, fmt.Errorf("index: %w", err)
		}
	}
	return outcome, nil
}

// indexSlack is how much longer an index entry stays than its record: the
// servers of a Cluster need not agree on the time to the second.
const indexSlack = time.Minute

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	confirm := "0"
	if s.wait > 0 {
		confirm = "1"
	}
	results, err := s.run(ctx, call{&s.scripts.delete, s.recordKey(id), []string{confirm}})
	if err != nil {
		return fmt.Errorf("redis: delete: %w", err)
	}
	packed, err := results[0].AsBytes()
	if err != nil {
		return fmt.Errorf("redis: delete: %w", err)
	}
	s.unindex(ctx, id, packed)
	return nil
}

// unindex removes the record's entries from its indexes. They would do no
// harm, and expire: so a failure does not fail the delete.
func (s *Store) unindex(ctx context.Context, id session.ID, packed []byte) {
	keys, _ := splitKeys(packed, len(packed)/len(session.Key{}))
	if len(keys) == 0 {
		return
	}
	client, err := s.connection.get(ctx)
	if err != nil {
		return
	}
	commands := make([]rueidis.Completed, len(keys))
	for i, key := range keys {
		commands[i] = client.B().Zrem().Key(s.indexKey(key)).Member(string(id[:])).Build()
	}
	for _, result := range client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			s.log.Warn("an index entry of a deleted session stays until it expires", "error", err)
		}
	}
}

// findBatch bounds how much one reply of Find holds.
const findBatch = 100

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client, err := s.connection.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("redis: find: %w", err)
	}
	members, err := client.Do(ctx, client.B().Zrange().Key(s.indexKey(key)).Min("0").Max("-1").Build()).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("redis: find: %w", err)
	}
	var found []session.Record
	for batch := range slices.Chunk(members, findBatch) {
		if found, err = s.appendLive(ctx, client, found, key, batch); err != nil {
			return nil, fmt.Errorf("redis: find: %w", err)
		}
	}
	return found, nil
}

// appendLive appends the records of members that are there and under key.
func (s *Store) appendLive(ctx context.Context, client rueidis.Client, found []session.Record, key session.Key, members []string) ([]session.Record, error) {
	keys := make([]string, len(members))
	for i, member := range members {
		keys[i] = s.prefix + "s:" + member
	}
	values, err := rueidis.MGet(client, ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, member := range members {
		value, ok := values[keys[i]]
		if !ok || value.IsNil() || len(member) != len(session.ID{}) {
			continue
		}
		b, err := value.AsBytes()
		if err != nil {
			return nil, err
		}
		r, err := decode(session.ID([]byte(member)), b)
		if err == nil && slices.Contains(r.Keys, key) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (s *Store) recordKey(id session.ID) string  { return s.prefix + "s:" + string(id[:]) }
func (s *Store) indexKey(key session.Key) string { return s.prefix + "k:" + string(key[:]) }
func (s *Store) waitTimeout() time.Duration      { return max(s.timeout/2, time.Millisecond) }
func millis(t time.Time) string                  { return strconv.FormatInt(t.UnixMilli(), 10) }
func versionText(v session.Version) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(v)))
}
