package lab_test

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"

	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
)

// openStore starts a real store that lives until the test ends.
func openStore(t *testing.T, kind string) (strategy.Store, error) {
	switch kind {
	case "redis":
		redis := servers.Redis(t, "appendonly yes")
		return store{t, redis, "redis://" + redis.Addr(), redis.Dir, func() (int64, error) {
			for line := range strings.Lines(redis.Do("INFO", "memory")) {
				if number, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
					return strconv.ParseInt(number, 10, 64)
				}
			}
			return 0, errors.New("redis does not say how much memory it uses")
		}}, nil
	case "postgres":
		postgres := servers.Postgres(t)
		address := postgres.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", nil)
		return store{t, postgres, address, postgres.Data, func() (size int64, err error) {
			for file := range servers.Files(t, postgres.Data) {
				size += int64(len(file))
			}
			return size, nil
		}}, nil
	}
	return nil, fmt.Errorf("nobody knows how to start %q", kind)
}

type process interface {
	Kill()
	Restart()
	Memory(servers.T) iter.Seq[[]byte]
}

type store struct {
	t      *testing.T
	server process
	url    string
	folder string
	size   func() (int64, error)
}

func (s store) URL() string          { return s.url }
func (s store) Down() error          { s.server.Kill(); return nil }
func (s store) Up() error            { s.server.Restart(); return nil }
func (s store) Size() (int64, error) { return s.size() }

func (s store) Dump() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, pieces := range []iter.Seq[[]byte]{s.server.Memory(s.t), servers.Files(s.t, s.folder)} {
			for piece := range pieces {
				if !yield(piece) {
					return
				}
			}
		}
	}
}
