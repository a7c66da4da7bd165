package servers_test

import (
	"bytes"
	"iter"
	"testing"

	"cloakroom/bff/servers"
)

// TestWhatIsInAServersMemoryIsFound plants a value in a server and finds it
// there, and not before.
func TestWhatIsInAServersMemoryIsFound(t *testing.T) {
	t.Parallel()
	planted := bytes.Repeat([]byte("planted value "), 20)
	redis, memcached := servers.Redis(t), servers.Memcached(t)
	for name, server := range map[string]struct {
		memory func(t servers.T) iter.Seq[[]byte]
		plant  func()
	}{
		"redis":     {redis.Memory, func() { redis.Do("set", "key", string(planted)) }},
		"memcached": {memcached.Memory, func() { memcached.Do("set key 0 0 280\r\n" + string(planted) + "\r\n") }},
	} {
		t.Run(name, func(t *testing.T) {
			if has(server.memory(t), planted) {
				t.Error("it is found before it is there")
			}
			server.plant()
			if !has(server.memory(t), planted) {
				t.Error("it is not found")
			}
		})
	}
}

func has(all iter.Seq[[]byte], text []byte) bool {
	for piece := range all {
		if bytes.Contains(piece, text) {
			return true
		}
	}
	return false
}
