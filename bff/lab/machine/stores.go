package machine

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
)

// store is what every kind of store has in common.
type store struct {
	stage *servers.Stage
	url   string
	// What it does not share with the others.
	process        interface{ Restart() }
	stop           func()
	memory, onDisk func() iter.Seq[[]byte]
	size           func() (int64, error)
}

var _ strategy.Store = (*store)(nil)

// startRedis runs one that keeps what it has across a restart.
func startRedis(stage *servers.Stage) strategy.Store {
	r := servers.Redis(stage, "appendonly yes")
	return &store{
		stage: stage, url: "redis://" + r.Addr(),
		process: r, stop: r.Term,
		memory: func() iter.Seq[[]byte] { return r.Memory(stage) },
		onDisk: func() iter.Seq[[]byte] { return servers.Files(stage, r.Dir) },
		size: func() (int64, error) {
			info, err := r.Try("INFO", "memory")
			if err != nil {
				return 0, err
			}
			_, rest, _ := strings.Cut(info, "\nused_memory:")
			number, _, _ := strings.Cut(rest, "\r\n")
			return strconv.ParseInt(number, 10, 64)
		},
	}
}

// startPostgres runs one with a database that is empty.
func startPostgres(stage *servers.Stage) strategy.Store {
	p := servers.Postgres(stage, "shared_buffers=16MB") // a dump reads them all, once a connection
	address := p.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", url.Values{"sslmode": {"disable"}})
	return &store{
		stage: stage, url: address,
		process: p, stop: p.Kill, // it comes back with all it has confirmed
		memory: func() iter.Seq[[]byte] { return p.Memory(stage) },
		onDisk: func() iter.Seq[[]byte] { return servers.Files(stage, p.Data) },
		size: func() (size int64, err error) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			conn, err := pgx.Connect(ctx, address)
			if err != nil {
				return 0, err
			}
			defer func() { _ = conn.Close(ctx) }()
			err = conn.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_catalog.pg_statio_user_tables`).Scan(&size)
			return size, err
		},
	}
}

func (s *store) URL() string { return s.url }

func (s *store) Down() error {
	if err := s.stage.Try(s.stop); err != nil {
		return fmt.Errorf("machine: stop the store: %w", err)
	}
	return nil
}

func (s *store) Up() error {
	if err := s.stage.Try(s.process.Restart); err != nil {
		return fmt.Errorf("machine: start the store again: %w", err)
	}
	return nil
}

// Dump ends early where the store cannot be read, and Close says so then.
func (s *store) Dump() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if err := s.stage.Try(func() {
			for _, part := range []func() iter.Seq[[]byte]{s.memory, s.onDisk} {
				for piece := range part() {
					if !yield(piece) {
						return
					}
				}
			}
		}); err != nil {
			s.stage.Errorf("dump the store: %w", err)
		}
	}
}

func (s *store) Size() (size int64, err error) {
	if size, err = s.size(); err != nil {
		return 0, fmt.Errorf("machine: size of the store: %w", err)
	}
	return size, nil
}
