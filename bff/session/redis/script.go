package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/rueidis"
)

// A record's string is read by the scripts at fixed places; see record.go.

// createScript keeps KEYS[1] if it is new: 1, or 0 when it is there. ARGV:
// record, Unix milliseconds at which it expires.
const createScript = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', ARGV[2]) then return 1 end
return 0`

// updateScript replaces KEYS[1] if it is at a version: 1, 0 when it is gone, -1
// when it is at another. ARGV: record, expiry, the version it must be at, the
// new one. It may be sent twice: the second then finds its own version.
const updateScript = `
local at = redis.call('GETRANGE', KEYS[1], 1, 8)
if at == '' then return 0 end
if at == ARGV[4] then return 1 end
if at ~= ARGV[3] then return -1 end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return 1`

// deleteScript removes KEYS[1] and returns its index keys. With ARGV[1] = 1 it
// writes even when there is nothing to remove: WAIT confirms the last write of
// its connection, and to have found nothing is none. A delete that failed for
// want of confirmation, sent again, would else be confirmed by nothing (by the
// documentation of WAIT; Redis 7.0 waits after a read too).
const deleteScript = `
local n = redis.call('GETRANGE', KEYS[1], 17, 17)
local keys = ''
if n ~= '' then keys = redis.call('GETRANGE', KEYS[1], 18, 17 + 16 * string.byte(n)) end
if redis.call('UNLINK', KEYS[1]) == 0 and ARGV[1] == '1' then
  redis.call('SET', KEYS[1], '', 'PX', 1)
  redis.call('UNLINK', KEYS[1])
end
return keys`

// indexScript enters an ID into the index KEYS[1]. ARGV: ID, Unix milliseconds
// until which it stays. It drops what is past that, and lets the whole index
// end with its last member. GT: of two updates under way, the one that lives
// longer counts, whichever comes last.
const indexScript = `
local t = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', t[1] * 1000 - 1)
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], last[2]) end
return 1`

// script is known to the server by its SHA-1, which is a name here and guards
// nothing.
type script struct {
	source, hash string
	// again says that the script may be sent twice: what it does once it does
	// not do again. A creation is not so: between the two, someone may have
	// deleted the record.
	again bool
}

type scripts struct{ create, update, delete, index script }

func newScripts() scripts {
	prepare := func(source string, again bool) script {
		sum := sha1.Sum([]byte(source))
		return script{source: source, hash: hex.EncodeToString(sum[:]), again: again}
	}
	return scripts{
		create: prepare(createScript, false), update: prepare(updateScript, true),
		delete: prepare(deleteScript, true), index: prepare(indexScript, true),
	}
}

// call is a script to run on a key.
type call struct {
	script *script
	key    string
	args   []string
}

func (c call) command(b rueidis.Builder, bySource bool) rueidis.Completed {
	var command rueidis.Completed
	if bySource {
		command = b.Eval().Script(c.script.source).Numkeys(1).Key(c.key).Arg(c.args...).Build()
	} else {
		command = b.Evalsha().Sha1(c.script.hash).Numkeys(1).Key(c.key).Arg(c.args...).Build()
	}
	if c.script.again {
		return command.ToRetryable()
	}
	return command
}

// run makes calls in one round trip and returns their results: in their order
// on one server, side by side in a Cluster.
func (s *Store) run(ctx context.Context, calls ...call) ([]rueidis.RedisResult, error) {
	client, err := s.connection.get(ctx)
	if err != nil {
		return nil, err
	}
	results := s.send(ctx, client, calls, false)
	// A server that was restarted, or is new, does not know the scripts.
	var unknown []call
	var at []int
	for i, result := range results {
		if e, ok := rueidis.IsRedisErr(result.Error()); ok && e.IsNoScript() {
			unknown, at = append(unknown, calls[i]), append(at, i)
		}
	}
	if len(unknown) > 0 {
		for i, result := range s.send(ctx, client, unknown, true) {
			results[at[i]] = result
		}
	}
	return results, nil
}

func (s *Store) send(ctx context.Context, client rueidis.Client, calls []call, bySource bool) []rueidis.RedisResult {
	if s.wait > 0 {
		return s.sendConfirmed(ctx, client, calls, bySource)
	}
	if len(calls) == 1 {
		return []rueidis.RedisResult{client.Do(ctx, calls[0].command(client.B(), bySource))}
	}
	commands := make([]rueidis.Completed, len(calls))
	for i, c := range calls {
		commands[i] = c.command(client.B(), bySource)
	}
	return client.DoMulti(ctx, commands...)
}

// sendConfirmed lets every write be followed, on its connection, by WAIT. In a
// Cluster each key has its own primary.
func (s *Store) sendConfirmed(ctx context.Context, client rueidis.Client, calls []call, bySource bool) []rueidis.RedisResult {
	if client.Mode() != rueidis.ClientModeCluster {
		return s.confirm(ctx, client, calls, bySource)
	}
	results := make([]rueidis.RedisResult, len(calls))
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() { results[i] = s.confirm(ctx, client, calls[i:i+1], bySource)[0] })
	}
	all.Wait()
	return results
}

var errUnconfirmed = errors.New("too few replicas confirmed the write")

// confirmAttempts bounds how often calls are sent when the connection, which
// is not shared, turns out to be dead.
const confirmAttempts = 3

func (s *Store) confirm(ctx context.Context, client rueidis.Client, calls []call, bySource bool) []rueidis.RedisResult {
	again := true
	for _, c := range calls {
		again = again && c.script.again
	}
	for attempt := 1; ; attempt++ {
		results, lost := s.confirmOnce(ctx, client, calls, bySource)
		if !lost || !again || attempt == confirmAttempts || ctx.Err() != nil {
			return results
		}
	}
}

// confirmOnce returns the results of calls, those that were not confirmed as
// errors, and whether the connection was lost.
func (s *Store) confirmOnce(ctx context.Context, client rueidis.Client, calls []call, bySource bool) (results []rueidis.RedisResult, lost bool) {
	connection, release := client.Dedicate()
	defer release()
	commands := make([]rueidis.Completed, 0, len(calls)+1)
	for _, c := range calls {
		commands = append(commands, c.command(connection.B(), bySource))
	}
	commands = append(commands, connection.B().Wait().Numreplicas(s.wait).Timeout(s.waitTimeout().Milliseconds()).Build())
	results = connection.DoMulti(ctx, commands...)

	last := len(results) - 1
	confirmed, err := results[last].AsInt64()
	if err == nil && confirmed < s.wait {
		err = fmt.Errorf("%w: %d of %d", errUnconfirmed, confirmed, s.wait)
	}
	results = results[:last]
	for i, result := range results {
		lost = lost || result.NonRedisError() != nil && !rueidis.IsRedisNil(result.Error())
		if err != nil && result.Error() == nil {
			results[i] = rueidis.NewErrorResult(err)
		}
	}
	return results, lost
}
