package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nearcache"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest"
)

// news is one call of a watcher.
type news struct {
	id         session.ID
	everything bool
}

var everything = news{everything: true}

// watch starts to watch with s and waits until that is connected. All news arrive
// in the channel.
func watch(t *testing.T, s *redis.Store) <-chan news {
	t.Helper()
	heard := startWatch(t, s)
	wantNews(t, heard, everything)
	return heard
}

func startWatch(t *testing.T, s *redis.Store) <-chan news {
	t.Helper()
	heard := make(chan news, 10_000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Watch(ctx, func(id session.ID, everything bool) { heard <- news{id, everything} })
		close(heard) // a call after this one panics
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch = %v", err)
		}
	})
	return heard
}

// wantNews wants this to be the next that is heard.
func wantNews(t *testing.T, heard <-chan news, want news) {
	t.Helper()
	select {
	case got := <-heard:
		if got != want {
			t.Fatalf("heard %x, everything %t, want %x, everything %t", got.id, got.everything, want.id, want.everything)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was heard")
	}
}

// wantEverything skips the news of single records.
func wantEverything(t *testing.T, heard <-chan news) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		select {
		case got := <-heard:
			if got.everything {
				return
			}
		case <-deadline:
			t.Fatal("nobody said that anything may have changed")
		}
	}
}

// works waits until what far does to r is heard. It tries again and again: the
// store and the watcher need not be back at the same time.
func works(t *testing.T, heard <-chan news, far *redis.Store, r session.Record) {
	t.Helper()
	servers.WaitFor(t, "a deletion to be heard", func(ctx context.Context) error {
		if _, err := far.Create(ctx, r); err != nil && !errors.Is(err, session.ErrExists) {
			return err
		}
		if err := far.Delete(ctx, r.ID); err != nil {
			return err
		}
		for {
			select {
			case got := <-heard:
				if got.id == r.ID {
					return nil
				}
			case <-time.After(100 * time.Millisecond):
				return errors.New("nothing was heard")
			}
		}
	})
}

func TestAWatcherHearsWhatOthersDo(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	server.Do(documentedACL(t, testPassword)...)
	url := withUser("redis://" + server.Addr())
	near, far := open(t, url), open(t, url)
	heard := watch(t, near)
	for name, writer := range map[string]*redis.Store{"another": far, "its own store": near} {
		t.Run(name, func(t *testing.T) {
			r := record(time.Hour)
			late := r
			r.Version = create(t, writer, r)
			wantNews(t, heard, news{id: r.ID})
			var err error
			if r.Version, err = writer.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			wantNews(t, heard, news{id: r.ID})
			if _, err := writer.Update(t.Context(), late); !errors.Is(err, session.ErrConflict) { // changes nothing, so it is no news
				t.Fatalf("Update = %v", err)
			}
			if _, err := writer.Get(t.Context(), r.ID); err != nil { // nor is this
				t.Fatal(err)
			}
			if err := writer.Delete(t.Context(), record(time.Hour).ID); err != nil { // nor this
				t.Fatal(err)
			}
			if err := writer.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			wantNews(t, heard, news{id: r.ID})
		})
	}
	t.Run("time itself", func(t *testing.T) {
		r := record(time.Second)
		create(t, far, r)
		wantNews(t, heard, news{id: r.ID})
		wantNews(t, heard, news{id: r.ID}) // and nobody asked for it
		if time.Now().Before(r.Expires.Truncate(time.Millisecond)) {
			t.Error("an expiry was heard before it was")
		}
	})
	t.Run("who empties the server", func(t *testing.T) {
		server.Do("flushall")
		wantNews(t, heard, everything)
	})
}

func TestAWatcherBelievesNoStrangers(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	heard := watch(t, s)
	for _, key := range []string{"cloakroom:s:", "cloakroom:s:short", "cloakroom:s:" + strings.Repeat("x", 33), "other:s:" + strings.Repeat("x", 32), "cloakroom:k:" + strings.Repeat("x", 32)} {
		server.Do("set", key, "value")
	}
	r := record(time.Hour)
	create(t, s, r)
	wantNews(t, heard, news{id: r.ID})
}

func TestAWatcherThatLostItsServerSaysSo(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	const timeout = 300 * time.Millisecond
	config := redis.Config{URL: secret.New("redis://" + server.Addr()), Timeout: timeout}
	heard := watch(t, openConfig(t, config))
	for _, c := range []struct {
		name         string
		happen, mend func()
	}{
		{"its connections are ended", func() { server.Do("client", "kill", "type", "normal", "skipme", "yes") }, func() {}},
		{"the server is killed", server.Kill, server.Restart},
		{"the server is frozen for longer than its patience", server.Stop, server.Cont},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.happen()
			wantNews(t, heard, everything) // the connection was lost
			c.mend()
			wantNews(t, heard, everything) // between the two, anything may have happened
			r := record(time.Hour)
			server.Do("set", "cloakroom:s:"+string(r.ID[:]), "value")
			wantNews(t, heard, news{id: r.ID}) // it does listen again
		})
	}
}

// A near cache that was emptied at every attempt would be none.
func TestAWatcherWithoutTheRightSaysNothing(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	server.Do(documentedACL(t, testPassword, "-client|tracking")...)
	logged := make(chan string, 100)
	s := openConfig(t, redis.Config{
		URL: secret.New(withUser("redis://" + server.Addr())), Log: slog.New(slog.NewTextHandler(lines(logged), nil)),
	})
	heard := startWatch(t, s)
	if line := <-logged; !strings.Contains(line, "NOPERM") || strings.Contains(line, testPassword) {
		t.Errorf("logged %q", line)
	}
	servers.WaitFor(t, "another attempt", func(context.Context) error {
		out, err := server.Try("acl", "log")
		if err != nil || !strings.Contains(out, "count\n3") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	select {
	case got := <-heard:
		t.Errorf("heard %x, everything %t", got.id, got.everything)
	case line := <-logged:
		t.Errorf("logged again: %q", line)
	default:
	}
}

// lines is a writer of a log.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestAWatcherStartsWithoutAServer(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	server.Kill()
	s := open(t, "redis://"+server.Addr())
	heard := startWatch(t, s)
	told.WantFailure(t, "Ping", s.Ping(t.Context()), session.Record{})
	server.Restart()
	wantNews(t, heard, everything)
	works(t, heard, s, record(time.Hour))
}

func TestAWatcherEndsWithItsStore(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	err := s.Watch(t.Context(), func(session.ID, bool) { go func() { _ = s.Close() }() })
	if err == nil || t.Context().Err() != nil {
		t.Errorf("Watch = %v", err)
	}
}

func TestAWatcherFollowsAFailoverBySentinel(t *testing.T) {
	t.Parallel()
	group := servers.RedisSentinel(t, documentedUser(t, "+role"))
	group.WaitReplicas(2)
	url := withUser(sentinelURL(group))
	near, far := open(t, url), open(t, url)
	heard := watch(t, near)
	works(t, heard, far, record(time.Hour))
	group.Primary().Kill()
	wantEverything(t, heard) // it was lost
	wantEverything(t, heard) // there is another
	works(t, heard, far, record(time.Hour))
}

func TestAWatcherFollowsAllOfACluster(t *testing.T) {
	t.Parallel()
	cluster := servers.RedisCluster(t, documentedUser(t, "+cluster|slots", "+cluster|shards"))
	servers.WaitFor(t, "every node to know the replicas", func(context.Context) error {
		for _, node := range cluster.Nodes {
			if out, err := node.Try("cluster", "slots"); err != nil || strings.Count(out, "127.0.0.1") != len(cluster.Nodes) {
				return fmt.Errorf("%v: %s", err, out)
			}
		}
		return nil
	})
	url := withUser("redis+cluster://" + cluster.Addrs())
	near, far := open(t, url), open(t, url)
	heard := watch(t, near)
	wantNews(t, heard, everything)
	wantNews(t, heard, everything) // one for each primary, none for a replica

	// One record for each primary.
	of := map[*servers.RedisServer]session.Record{}
	for len(of) < 3 {
		r := record(time.Hour)
		of[cluster.PrimaryOf("cloakroom:s:"+string(r.ID[:]))] = r
	}
	var old *servers.RedisServer
	for primary, r := range of {
		old = primary
		create(t, far, r)
		wantNews(t, heard, news{id: r.ID}) // once: no replica repeats it
	}
	old.Kill()
	wantEverything(t, heard) // it was lost
	cluster.WaitWhole(2)
	wantEverything(t, heard) // there is another
	for _, r := range of {
		works(t, heard, far, r)
	}
	old.Restart() // now a replica
	cluster.WaitWhole(3)
	for _, r := range of {
		works(t, heard, far, r)
	}
}

func TestNearCacheInFront(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	backend := storetest.Backend{Open: func(t *testing.T) session.Store {
		return cached(t, fmt.Sprintf("redis://%s?prefix=cloakroom:%s:", server.Addr(), unique()))
	}}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestNearCachesForgetWhatOthersChange(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	url := "redis://" + server.Addr()
	near, far := cached(t, url), cached(t, url)
	// It may hear of the creation only after it has kept a copy, so that the
	// first one may go.
	r := record(time.Hour)
	r.Version = create(t, far, r)
	servers.WaitFor(t, "a copy", func(ctx context.Context) error {
		if _, err := near.Get(ctx, r.ID); err != nil {
			return err
		}
		if stats := near.Stats(); stats.Hits == 0 {
			return fmt.Errorf("%+v", stats)
		}
		return nil
	})
	if err := far.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	servers.WaitFor(t, "the sign-out elsewhere to be seen here", func(ctx context.Context) error {
		if _, err := near.Get(ctx, r.ID); !errors.Is(err, session.ErrNotFound) {
			return fmt.Errorf("Get = %w", err)
		}
		return nil
	})
}

// cached is a store with a near cache in front, whose copies are so lasting
// that only news correct them.
func cached(t *testing.T, url string) *nearcache.Store {
	t.Helper()
	s, err := nearcache.New(open(t, url), nearcache.Config{MaxBytes: 1 << 20, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	return s
}
