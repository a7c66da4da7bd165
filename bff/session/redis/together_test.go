package redis_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
)

// TestCommandsOfManyCallsGoTogether: on a processor that is busy, where the driver
// alone would send each command for itself. Not parallel: it takes the processors
// from the others.
func TestCommandsOfManyCallsGoTogether(t *testing.T) {
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const callers, each = 64, 50
	before := reads(t, server)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range each {
				if _, err := s.Get(context.Background(), session.ID{}); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("it gets %v", err)
				}
			}
		})
	}
	group.Wait()
	if packets := reads(t, server) - before; packets > callers*each/4 {
		t.Errorf("%d commands went in %d packets", callers*each, packets)
	}
}

// reads is how often a server has read from its connections so far.
func reads(t *testing.T, server *servers.RedisServer) (n int) {
	t.Helper()
	_, rest, _ := strings.Cut(server.Do("INFO", "stats"), "total_reads_processed:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
