package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/breaker"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/redis"
)

// timeout is that of the stores.
const timeout = 2 * time.Second

var errLost = errors.New("connection lost")

// parts is a store of three, some of which are lost: a session's first byte says
// in which it is.
type parts struct {
	*memory.Store
	lost  func(part int) bool
	fails func() // waits as long as a call of a lost part does
	asked atomic.Int64
}

func (p *parts) Get(ctx context.Context, id session.ID) (session.Record, error) {
	p.asked.Add(1)
	if p.lost(int(id[0]) % 3) {
		p.fails()
		return session.Record{}, errLost
	}
	time.Sleep(time.Millisecond)
	return p.Store.Get(ctx, id)
}

// TestOneOfThreePartsFails, and the others' callers notice nothing, however many
// there are, and however it fails.
func TestOneOfThreePartsFails(t *testing.T) {
	for how, fails := range map[string]func(){
		"at once":             func() {},
		"each by its timeout": func() { time.Sleep(timeout) },
		// As a driver with one connection does: it fails, and with it all who wait.
		"all together": func() { time.Sleep(time.Until(time.Now().Truncate(timeout).Add(timeout))) },
	} {
		for _, rate := range []float64{1, 10, 100, 5000} { // calls a second
			t.Run(fmt.Sprintf("%s, %v calls a second", how, rate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := behind(t, &parts{Store: kept(t, nil), lost: func(part int) bool { return part == 0 }, fails: fails}, breaker.Config{})
					random := rand.New(rand.NewPCG(1, 2))
					var answered, hurt atomic.Int64
					var callers sync.WaitGroup
					for began := time.Now(); time.Since(began) < 10*time.Second; {
						time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
						part := byte(random.IntN(3))
						callers.Go(func() {
							_, err := s.Get(t.Context(), session.ID{part})
							switch {
							case part == 0:
							case errors.Is(err, session.ErrNotFound):
								answered.Add(1)
							default:
								hurt.Add(1)
							}
						})
					}
					callers.Wait()
					if hurt.Load() > 0 || answered.Load() == 0 {
						t.Errorf("of the others %d got their answer, %d did not", answered.Load(), hurt.Load())
					}
				})
			})
		}
	}
}

// TestAStoreThatHangsIsWaitedForOnce: 512 callers come at the same time, again and
// again. They wait for one timeout, and for another only those who are back before
// ten failures are counted, or whose turn it is to try.
func TestAStoreThatHangsIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, times = 512, 20
		hang := false
		backend := &parts{Store: kept(t, nil), lost: func(int) bool { return hang }, fails: func() { time.Sleep(timeout) }}
		s := behind(t, backend, breaker.Config{})
		if _, err := s.Get(t.Context(), session.ID{}); !errors.Is(err, session.ErrNotFound) {
			t.Fatal(err)
		}
		hang = true
		backend.asked.Store(0)
		var callers sync.WaitGroup
		for range many {
			callers.Go(func() {
				for range times {
					_, _ = s.Get(t.Context(), session.ID{})
				}
			})
		}
		callers.Wait()
		if n := backend.asked.Load(); n < many || n > many+20 {
			t.Errorf("%d callers asked %d times", many, n)
		}
	})
}

// TestAShardOfAClusterIsKilled: the real thing, with the driver's own tries. The
// other shards go on, as the Cluster is told to.
func TestAShardOfAClusterIsKilled(t *testing.T) {
	t.Parallel()
	cluster := servers.RedisCluster(t, "cluster-require-full-coverage no")
	backend, err := redis.New(redis.Config{URL: secret.New("redis+cluster://" + cluster.Addrs())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Close() })
	var refused, failed, ok atomic.Int64
	s := behind(t, backend, breaker.Config{Observe: func(_, outcome string, _ time.Duration) {
		map[string]*atomic.Int64{"ok": &ok, "failed": &failed, "refused": &refused}[outcome].Add(1)
	}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for ctx.Err() == nil && refused.Load() == 0 {
				var id session.ID
				for i := range id {
					id[i] = byte(rand.Uint32())
				}
				_, _ = s.Get(ctx, id)
			}
		})
	}
	reach := func(what string, n *atomic.Int64, more int64) {
		t.Helper()
		enough := n.Load() + more
		servers.WaitFor(t, what, func(context.Context) error {
			if now := n.Load(); now < enough && refused.Load() == 0 {
				return fmt.Errorf("%d of %d", now, enough)
			}
			return nil
		})
	}
	reach("calls", &ok, 1000)
	const key = "whatever"
	old := cluster.PrimaryOf(key)
	old.Kill()
	reach("calls to fail", &failed, 10)
	reach("the others to be served", &ok, 1000)
	cluster.WaitAnother(key, old)
	reach("calls", &ok, 1000)
	stop()
	callers.Wait()
	t.Logf("%d answered, %d failed", ok.Load(), failed.Load())
	if n := refused.Load(); n > 0 {
		t.Errorf("the breaker took the Cluster for down, and refused %d calls", n)
	}
}
