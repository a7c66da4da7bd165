package redis_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest"
)

// told is what an error of a store must and must not say.
var told = storetest.Telltale{Prefix: "redis: ", Secrets: []string{"word?1", "word%3F1", "cloakroom:s:", "cloakroom:k:"}}

// durable are the lines with which a server keeps what it acknowledged.
var durable = []string{"appendonly yes", "appendfsync always"}

func TestTheServerComesAndGoes(t *testing.T) {
	t.Parallel()
	storetest.RunService(t, storetest.Service{Telltale: told, Start: func(t *testing.T) storetest.Home {
		server := servers.Redis(t, durable...)
		return storetest.Home{Server: server, Open: func(timeout time.Duration) storetest.Opened {
			return openConfig(t, redis.Config{URL: secret.New("redis://" + server.Addr()), Timeout: timeout})
		}}
	}})
}

// With the documented setting, appendfsync always, the server keeps what it
// acknowledged, and what it deleted stays deleted.
func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t, durable...)
	s := open(t, "redis://"+server.Addr())
	storetest.RunChaos(t, storetest.Chaos{Telltale: told, Stores: storetest.One(s), Hurt: storetest.KillAndRestart(server)})
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
	storetest.Recovers(t, s)
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
			told.WantFailure(t, "Create", err, r)
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
	storetest.Recovers(t, s)
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
			told.WantFailure(t, "Ping", s.Ping(t.Context()), session.Record{})
			r := record(time.Hour)
			_, err := s.Create(t.Context(), r)
			told.WantFailure(t, "Create", err, r)
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
