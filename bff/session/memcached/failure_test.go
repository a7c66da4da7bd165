package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memcached"
	"cloakroom/bff/session/storetest/servers"
)

func TestAServerThatIsDownAtTheStart(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	server.Kill()
	s := open(t, url(server))
	allFail(t, s, record(time.Hour))
	server.Restart()
	recovers(t, s)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
}

// A server that was killed comes back empty, and its sessions stay gone.
func TestAKilledServer(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	r := record(time.Hour)
	r.Version = create(t, s, r)
	inParallel(t, 20, func() error { _, err := s.Get(t.Context(), r.ID); return err }) // many idle connections
	server.Kill()
	allFail(t, s, r)
	server.Restart()
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound at once: dead connections must not show", err)
	}
	if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update = %v, want ErrNotFound", err)
	}
	recovers(t, s)
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

func TestAHungServerFailsWithinTheTimeout(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	const timeout = 300 * time.Millisecond
	s := openConfig(t, memcached.Config{URL: secret.New(url(server)), Timeout: timeout})
	r := record(time.Hour)
	r.Version = create(t, s, r)
	server.Stop()
	start := time.Now()
	const calls = 6
	allFail(t, s, r)
	if d := time.Since(start); d > calls*20*timeout {
		t.Errorf("%d calls took %v of a timeout of %v each", calls, d, timeout)
	}
	server.Cont()
	recovers(t, s)
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
	wantFailure(t, "Ping", s.Ping(t.Context()), all[0])
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
	recovers(t, s)
}

// With option -M a server that is full refuses.
func TestAServerThatDoesNotEvictRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, url(servers.Memcached(t, "-m", "8", "-M")))
	var kept []session.Record
	for {
		r := record(time.Hour)
		if _, err := s.Create(t.Context(), r); err != nil {
			wantFailure(t, "Create", err, r)
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
	recovers(t, s)
}

func TestAClosedStoreFails(t *testing.T) {
	t.Parallel()
	s := open(t, url(servers.Memcached(t)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	allFail(t, s, record(time.Hour))
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

func allFail(t *testing.T, s *memcached.Store, r session.Record) {
	t.Helper()
	_, err := s.Create(t.Context(), r)
	wantFailure(t, "Create", err, r)
	_, err = s.Get(t.Context(), r.ID)
	wantFailure(t, "Get", err, r)
	_, err = s.Update(t.Context(), r)
	wantFailure(t, "Update", err, r)
	wantFailure(t, "Delete", s.Delete(t.Context(), r.ID), r)
	_, err = s.Find(t.Context(), r.Keys[0])
	wantFailure(t, "Find", err, r)
	wantFailure(t, "Ping", s.Ping(t.Context()), r)
}

// wantFailure checks that err says that the store failed: not that the session
// is not there, and nothing about the session.
func wantFailure(t *testing.T, what string, err error, r session.Record) {
	t.Helper()
	for _, wrong := range []error{nil, session.ErrNotFound, session.ErrExists, session.ErrConflict} {
		if errors.Is(err, wrong) {
			t.Errorf("%s = %v, want a failure of the store", what, err)
			return
		}
	}
	text := err.Error()
	for _, leak := range []string{recordName(r.ID), "cloakroom:"} {
		if strings.Contains(text, leak) {
			t.Errorf("%s: the error says too much: %q", what, text)
		}
	}
	if !strings.HasPrefix(text, "memcached: ") {
		t.Errorf("%s: the error does not say where it is from: %q", what, text)
	}
}

// recovers waits until s does its work again, without having been opened anew.
func recovers(t *testing.T, s *memcached.Store) {
	t.Helper()
	servers.WaitFor(t, "the store to recover", func(ctx context.Context) error {
		r := record(time.Hour)
		var err error
		if r.Version, err = s.Create(ctx, r); err != nil {
			return err
		}
		if r.Version, err = s.Update(ctx, r); err != nil {
			return err
		}
		if _, err := s.Get(ctx, r.ID); err != nil {
			return err
		}
		return s.Delete(ctx, r.ID)
	})
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
