package redis_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest"
	"cloakroom/bff/session/storetest/servers"
)

func TestStore(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	suite(t, "redis://"+server.Addr()+"?")
}

func TestStoreOnSentinel(t *testing.T) {
	t.Parallel()
	group := servers.RedisSentinel(t, documentedUser(t, "+role"))
	group.WaitReplicas(2)
	plainAndConfirmed(t, withUser(sentinelURL(group)))
}

func TestStoreOnCluster(t *testing.T) {
	t.Parallel()
	cluster := servers.RedisCluster(t, documentedUser(t, "+cluster|slots", "+cluster|shards"))
	plainAndConfirmed(t, withUser("redis+cluster://"+cluster.Addrs()))
}

// plainAndConfirmed runs the contract both ways a write may take.
func plainAndConfirmed(t *testing.T, url string) {
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		suite(t, url+"?")
	})
	t.Run("confirmed", func(t *testing.T) {
		t.Parallel()
		suite(t, url+"?wait=1&")
	})
}

// suite runs the contract, each rule under a prefix of its own.
func suite(t *testing.T, url string) {
	backend := storetest.Backend{Open: func(t *testing.T) session.Store {
		return open(t, url+"prefix=cloakroom:"+unique()+":")
	}}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestTheServerHoldsNothingReadable(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t, "appendonly yes")
	s := open(t, "redis://"+server.Addr())
	manager, err := session.New(s, session.Config{
		Keys: session.EphemeralKeyRing(), Lifetimes: session.Lifetimes{Idle: time.Hour, Absolute: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := manager.Create(t.Context(), session.Session{
		Issuer: "https://idp.example", Subject: "alice-subject", SID: "provider-sid", Claims: []byte(`"alice-claim"`),
		Tokens: session.Tokens{Access: secret.New("access-token-value"), Refresh: secret.New("refresh-token-value")},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Do("save")
	id := ticket.ID()
	dump := readAll(t, server.Dir)
	if !bytes.Contains(dump, id[:]) {
		t.Fatal("the dump does not even hold the record's key: this test looks in the wrong place")
	}
	for _, clear := range []string{ticket.Reveal(), "alice-subject", "provider-sid", "alice-claim", "access-token", "refresh-token", "idp.example"} {
		if bytes.Contains(dump, []byte(clear)) {
			t.Errorf("the dump holds %q", clear)
		}
	}
}

func TestInstancesShareSessions(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	a, b := open(t, "redis://"+server.Addr()), open(t, "redis://"+server.Addr())
	r := record(time.Hour)
	r.Version = create(t, a, r)
	got, err := b.Get(t.Context(), r.ID)
	if err != nil || got.Version != r.Version {
		t.Fatalf("the other instance: Get = version %d, %v, want %d", got.Version, err, r.Version)
	}
	if _, err := b.Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), r); !errors.Is(err, session.ErrConflict) {
		t.Errorf("Update of what the other changed = %v, want ErrConflict", err)
	}
	if err := b.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get of what the other deleted = %v", err)
	}
}

func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	deleted := record(time.Hour)
	create(t, s, deleted)
	if err := s.Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	if out := server.Do("dbsize"); out != "0" {
		t.Errorf("after the only session was deleted there are %s keys", out)
	}
	// Entries that a crash left in an index go with the next session there.
	kept := record(time.Hour)
	index := "cloakroom:k:" + string(kept.Keys[0][:])
	server.Do("zadd", index, "1000", "stale-1", "2000", "stale-2")
	create(t, s, kept)
	if out := server.Do("zcard", index); out != "1" {
		t.Errorf("the index holds %s entries, want the living one", out)
	}
	if ttl := server.Do("pttl", index); strings.HasPrefix(ttl, "-") {
		t.Errorf("the index does not expire: %s", ttl)
	}
	if ttl := server.Do("pttl", "cloakroom:s:"+string(kept.ID[:])); strings.HasPrefix(ttl, "-") {
		t.Errorf("the record does not expire: %s", ttl)
	}
}

func TestAnIndexEntryThatLeadsNowhereIsIgnored(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	r := record(time.Hour)
	create(t, s, r)
	index := "cloakroom:k:" + string(r.Keys[0][:])
	other := record(time.Hour) // there, but under other keys
	create(t, s, other)
	later := fmt.Sprint(time.Now().Add(time.Hour).UnixMilli())
	server.Do("zadd", index, later, strings.Repeat("x", 32), later, "short", later, string(other.ID[:]))
	found, err := s.Find(t.Context(), r.Keys[0])
	if err != nil || len(found) != 1 || found[0].ID != r.ID {
		t.Errorf("Find = %d records, %v, want the one", len(found), err)
	}
}

func TestARecordThatIsNoneIsNotFound(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t)
	s := open(t, "redis://"+server.Addr())
	for name, value := range map[string]string{
		"empty": "", "short": "\x01abc", "of another format": "\x02" + strings.Repeat("a", 40),
		"with more keys than it has room for": "\x01" + strings.Repeat("a", 16) + "\x04" + "too short",
		"with more keys than there may be":    "\x01" + strings.Repeat("a", 16) + "\xff" + strings.Repeat("a", 5000),
	} {
		r := record(time.Hour)
		server.Do("set", "cloakroom:s:"+string(r.ID[:]), value)
		if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get of a record %s = %v", name, err)
		}
		if err := s.Delete(t.Context(), r.ID); err != nil {
			t.Errorf("Delete of a record %s = %v", name, err)
		}
	}
}

func open(t testing.TB, url string) *redis.Store {
	t.Helper()
	return openConfig(t, redis.Config{URL: secret.New(url)})
}

func openConfig(t testing.TB, c redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t testing.TB, s session.Store, r session.Record) session.Version {
	t.Helper()
	v, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatalf("Create = %v", err)
	}
	return v
}

func record(d time.Duration) session.Record {
	r := session.Record{Expires: time.Now().Add(d), Keys: make([]session.Key, 2), Data: make([]byte, 3500)}
	_, _ = rand.Read(r.ID[:])
	_, _ = rand.Read(r.Keys[0][:])
	_, _ = rand.Read(r.Keys[1][:])
	_, _ = rand.Read(r.Data)
	return r
}

const testPassword = "correct-horse"

// withUser signs the URL in as the documented user.
func withUser(url string) string {
	return strings.Replace(url, "://", "://cloakroom:"+testPassword+"@", 1)
}

func unique() string { return rand.Text() }

func sentinelURL(g *servers.RedisGroup) string {
	return "redis+sentinel://" + g.Addrs() + "/" + g.Name
}

func readAll(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
