package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memcached"
	"cloakroom/bff/session/storetest"
)

// told is what an error of a store must and must not say.
var told = storetest.Telltale{Prefix: "memcached: ", Secrets: []string{"cloakroom:"}}

func TestTheServerComesAndGoes(t *testing.T) {
	t.Parallel()
	storetest.RunService(t, storetest.Service{Telltale: told, Forgets: true, Start: func(t *testing.T) storetest.Home {
		server := servers.Memcached(t)
		return storetest.Home{Server: server, Open: func(timeout time.Duration) storetest.Opened {
			return openConfig(t, memcached.Config{URL: secret.New(url(server)), Timeout: timeout})
		}}
	}})
}

// TestSessionsThatVanishMakeWay: whatever makes this store forget, nobody's
// session comes back, nobody gets another's, and everybody can sign in again.
func TestSessionsThatVanishMakeWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []string
		hurt    func(server *servers.MemcachedServer, s *memcached.Store) func(*testing.T, *storetest.Load)
	}{
		"the server is killed": {nil, func(server *servers.MemcachedServer, _ *memcached.Store) func(*testing.T, *storetest.Load) {
			return storetest.KillAndRestart(server)
		}},
		"everything is flushed": {nil, func(server *servers.MemcachedServer, _ *memcached.Store) func(*testing.T, *storetest.Load) {
			return func(_ *testing.T, l *storetest.Load) {
				for range 3 {
					server.Do("flush_all\r\n")
					l.Wait(storetest.SigningIn, 50)
				}
			}
		}},
		"it is full and evicts": {[]string{"-m", "9"}, func(server *servers.MemcachedServer, s *memcached.Store) func(*testing.T, *storetest.Load) {
			return func(t *testing.T, l *storetest.Load) {
				servers.WaitFor(t, "sessions to be evicted", func(context.Context) error {
					for range 100 {
						r := record(time.Hour)
						r.Data = make([]byte, 5000) // memcached evicts among its equals
						create(t, s, r)
					}
					if n := l.Vanished(); n < 50 {
						return fmt.Errorf("%d are, of %d evictions", n, server.Stat("evictions"))
					}
					return nil
				})
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.Memcached(t, c.options...)
			s := open(t, url(server))
			storetest.RunChaos(t, storetest.Chaos{
				Telltale: told, Stores: storetest.One(s), Hurt: c.hurt(server, s), Forgets: true,
				Claims: 4500,
			})
		})
	}
}

// A server that was killed comes back empty, and dead connections do not show.
func TestAKilledServerIsMetAtOnce(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	r := record(time.Hour)
	create(t, s, r)
	inParallel(t, 20, func() error { _, err := s.Get(t.Context(), r.ID); return err }) // many idle connections
	server.Kill()
	told.WantDown(t, s, r)
	server.Restart()
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound at once", err)
	}
}

// Connections that died while idle are no failure: the server is there.
func TestARestartBetweenTwoCallsGoesUnnoticed(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	r := record(time.Hour)
	create(t, s, r)
	inParallel(t, 20, func() error { _, err := s.Get(t.Context(), r.ID); return err })
	server.Kill()
	server.Restart()
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	create(t, s, r)
}

// Of two servers one goes: its sessions fail, the other's go on, and nothing
// moves over, so that nothing old can come back with it.
func TestOneServerOfTwoGoes(t *testing.T) {
	t.Parallel()
	a, b := servers.Memcached(t), servers.Memcached(t)
	s := open(t, url(a, b))
	var all []session.Record
	for range 200 {
		r := record(time.Hour)
		r.Keys = nil
		r.Version = create(t, s, r)
		all = append(all, r)
	}
	a.Kill()
	failed := map[session.ID]bool{}
	for _, r := range all {
		if _, err := s.Get(t.Context(), r.ID); errors.Is(err, session.ErrNotFound) {
			t.Fatalf("Get = %v: the user would be signed out", err)
		} else if err != nil {
			failed[r.ID] = true
		}
	}
	if n := len(failed); n < len(all)/4 || n > len(all)*3/4 {
		t.Errorf("%d of %d sessions are on one of two servers", n, len(all))
	}
	told.WantFailure(t, "Ping", s.Ping(t.Context()), all[0])
	a.Restart()
	for _, r := range all {
		_, err := s.Get(t.Context(), r.ID)
		if gone := errors.Is(err, session.ErrNotFound); gone != failed[r.ID] || err != nil && !gone {
			t.Fatalf("after its restart: Get = %v, of one that failed before: %v", err, failed[r.ID])
		}
	}
}

func TestAFlushedServerHasNoSessionsAndGetsNoneBack(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	r := record(time.Hour)
	r.Version = create(t, s, r)
	server.Do("flush_all\r\n")
	if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update = %v, want ErrNotFound", err)
	}
	storetest.Recovers(t, s)
}

// With option -M a server that is full refuses.
func TestAServerThatDoesNotEvictRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, url(servers.Memcached(t, "-m", "8", "-M")))
	var kept []session.Record
	for {
		r := record(time.Hour)
		if _, err := s.Create(t.Context(), r); err != nil {
			told.WantFailure(t, "Create", err, r)
			break
		}
		kept = append(kept, r)
	}
	for _, r := range kept {
		if _, err := s.Get(t.Context(), r.ID); err != nil {
			t.Fatalf("Get of one of %d kept = %v", len(kept), err)
		}
		if err := s.Delete(t.Context(), r.ID); err != nil {
			t.Fatalf("Delete = %v", err)
		}
	}
	storetest.Recovers(t, s)
}

func TestURLs(t *testing.T) {
	const problem = "" // none
	for _, row := range []struct{ name, url, want string }{
		{"one server", "memcached://localhost", problem},
		{"several servers", "memcached://h1:11211,h2,h3:11212/", problem},
		{"IPv6 addresses", "memcached://[::1]:11211,[::2]", problem},
		{"a prefix", "memcached://localhost?prefix=a:", problem},

		{"nothing", "", "must start with memcached://"},
		{"another scheme", "redis://user:secret-word@localhost", "must start with memcached://"},
		{"no host", "memcached://", "hosts must be host:port"},
		{"an empty host among others", "memcached://h1,,h2", "hosts must be host:port"},
		{"a port that is none", "memcached://h1:secret-word", "hosts must be host:port"},
		{"a user and password", "memcached://user:secret-word@localhost", "there is no user or password"},
		{"a path", "memcached://localhost/secret-word", "hosts must be host:port"},
		{"a host twice", "memcached://h1,h2,h1:11211", "a host is there twice"},
		{"too many hosts", "memcached://h" + manyHosts(64), "there may be 64 hosts"},
		{"an unknown parameter", "memcached://h1?prefx=a", `parameter "prefx" is unknown`},
		{"malformed parameters", "memcached://h1?prefix=%zz", "parameters after ? are malformed"},
		{"a prefix with a space", "memcached://h1?prefix=a%20b", "prefix must be"},
		{"a prefix that is too long", "memcached://h1?prefix=" + strings.Repeat("a", 101), "prefix must be"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := memcached.New(memcached.Config{URL: secret.New(row.url)})
			if row.want == problem {
				if err != nil {
					t.Fatalf("New = %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("New = %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), "secret-word") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	if _, err := memcached.New(memcached.Config{URL: secret.New("memcached://h1"), Timeout: -1}); err == nil {
		t.Error("a negative timeout is accepted")
	}
}

func manyHosts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",h%d", i)
	}
	return b.String()
}

func inParallel(t *testing.T, n int, f func() error) {
	t.Helper()
	failed := make(chan error, n)
	for range n {
		go func() { failed <- f() }()
	}
	for range n {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
}
