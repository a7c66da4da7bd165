package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest/servers"
)

func TestAServerThatIsDownAtTheStart(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	server.Kill()
	s := open(t, "redis://"+server.Addr())
	r := record(time.Hour)
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

	server.Restart()
	recovers(t, s)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
}

// With the documented setting, appendfsync always, the server keeps what it
// acknowledged, and what it deleted stays deleted.
func TestAKilledServer(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t, "appendonly yes", "appendfsync always")
	s := open(t, "redis://"+server.Addr())
	load := startLoad(t, s)
	load.waitFor(100)
	server.Kill()
	load.waitForFailure()
	server.Restart()
	recovers(t, s)
	load.end()
	load.check()
}

func TestAHungServerFailsWithinTheTimeout(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	const timeout = 300 * time.Millisecond
	s := openConfig(t, redis.Config{URL: secret.New("redis://" + server.Addr()), Timeout: timeout})
	r := record(time.Hour)
	r.Version = create(t, s, r)
	server.Stop()
	late := openConfig(t, redis.Config{URL: secret.New("redis://" + server.Addr()), Timeout: timeout})
	for name, call := range map[string]func() error{
		"Create":             func() error { _, err := s.Create(t.Context(), record(time.Hour)); return err },
		"Get":                func() error { _, err := s.Get(t.Context(), r.ID); return err },
		"Update":             func() error { _, err := s.Update(t.Context(), r); return err },
		"Delete":             func() error { return s.Delete(t.Context(), record(time.Hour).ID) },
		"Find":               func() error { _, err := s.Find(t.Context(), r.Keys[0]); return err },
		"Ping":               func() error { return s.Ping(t.Context()) },
		"Get at first sight": func() error { _, err := late.Get(t.Context(), r.ID); return err },
	} {
		start := time.Now()
		wantFailure(t, name, call(), r)
		if d := time.Since(start); d > 20*timeout {
			t.Errorf("%s took %v of a timeout of %v", name, d, timeout)
		}
	}
	server.Cont()
	recovers(t, s)
	recovers(t, late)
}

func TestAFlushedServerHasNoSessionsAndGetsNoneBack(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	r := record(time.Hour)
	r.Version = create(t, s, r)
	server.Do("flushall")
	server.Do("script", "flush")
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update = %v, want ErrNotFound", err)
	}
	recovers(t, s)
}

func TestAFullServerRefusesWhatIsNewAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t, "maxmemory 8mb", "maxmemory-policy noeviction")
	s := open(t, "redis://"+server.Addr())
	var kept []session.Record
	for {
		r := record(time.Hour)
		_, err := s.Create(t.Context(), r)
		if err != nil {
			wantFailure(t, "Create", err, r)
			if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Get of what was refused = %v", err)
			}
			break
		}
		kept = append(kept, r)
	}
	for _, r := range kept {
		if _, err := s.Get(t.Context(), r.ID); err != nil {
			t.Fatalf("Get of one of %d kept = %v", len(kept), err)
		}
	}
	for _, r := range kept[:len(kept)/2] { // people must be able to sign out
		if err := s.Delete(t.Context(), r.ID); err != nil {
			t.Fatalf("Delete = %v", err)
		}
	}
	recovers(t, s)
}

func TestTheDocumentedRightsSufficeOverTLS(t *testing.T) {
	t.Parallel()
	dir := servers.Dir(t, nil)
	certificate := servers.NewCertificate(t, dir)
	port := servers.FreePort(t)
	server := servers.Redis(t, fmt.Sprintf("tls-port %d", port), "tls-auth-clients yes",
		"tls-ca-cert-file "+certificate.CA, "tls-cert-file "+certificate.Cert, "tls-key-file "+certificate.Key)
	const password = "p@ss/word?1"
	server.Do(documentedACL(t, password)...)

	address := servers.Address(port)
	url := "rediss://cloakroom:p%40ss%2Fword%3F1@" + address + "?ca_file=" + certificate.CA
	clientCertificate := "&cert_file=" + certificate.Cert + "&key_file=" + certificate.Key
	suite(t, url+clientCertificate+"&")
	if err := open(t, url+clientCertificate+"&wait=0").Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
	for name, bad := range map[string]string{
		"no client certificate": url,
		"an unknown authority":  strings.Replace(url, "ca_file="+certificate.CA, "server_name=localhost", 1) + clientCertificate,
		"another name":          url + clientCertificate + "&server_name=redis.example",
		"a wrong password":      strings.Replace(url, "word", "sword", 1) + clientCertificate,
		"another's prefix":      url + clientCertificate + "&prefix=other:",
		"no TLS":                "redis://" + address,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, bad)
			wantFailure(t, "Ping", s.Ping(t.Context()), session.Record{})
			r := record(time.Hour)
			_, err := s.Create(t.Context(), r)
			wantFailure(t, "Create", err, r)
		})
	}
	for _, forbidden := range [][]string{{"keys", "*"}, {"flushall"}, {"config", "get", "*"}, {"get", "other:key"}, {"acl", "list"}} {
		out, _ := server.Try(append([]string{"acl", "dryrun", "cloakroom"}, forbidden...)...)
		if out == "OK" {
			t.Errorf("the documented user may %v", forbidden)
		}
	}
}

// documentedACL returns the command of doc.go, with password, and what follows.
func documentedACL(t *testing.T, password string, more ...string) []string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^//\tACL SETUSER .*\n(//\t  .*\n)*`).FindString(string(doc))
	words := strings.Fields(strings.ReplaceAll(lines, "//", ""))
	if len(words) < 10 {
		t.Fatalf("doc.go has no ACL command: %q", lines)
	}
	for i, word := range words {
		words[i] = strings.Replace(word, "PASSWORD", password, 1)
	}
	return append(words, more...)
}

// wantFailure checks that err says that the store failed: not that the session
// is not there, and nothing about the session or the password.
func wantFailure(t *testing.T, what string, err error, r session.Record) {
	t.Helper()
	for _, wrong := range []error{nil, session.ErrNotFound, session.ErrExists, session.ErrConflict} {
		if errors.Is(err, wrong) {
			t.Errorf("%s = %v, want a failure of the store", what, err)
			return
		}
	}
	text := err.Error()
	for _, leak := range []string{string(r.ID[:]), fmt.Sprintf("%x", r.ID[:]), "word?1", "word%3F1", "cloakroom:s:", "cloakroom:k:"} {
		if strings.Contains(text, leak) {
			t.Errorf("%s: the error says too much: %q", what, text)
		}
	}
	if !strings.HasPrefix(text, "redis: ") {
		t.Errorf("%s: the error does not say where it is from: %q", what, text)
	}
}

// recovers waits until s does its work again, without having been opened anew.
func recovers(t *testing.T, s *redis.Store) {
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
