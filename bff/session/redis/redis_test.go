package redis_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest"
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

// TestWhoHasARecordIsSparedTheRest: only who has its present state is.
func TestWhoHasARecordIsSparedTheRest(t *testing.T) {
	t.Parallel()
	s, ctx := open(t, "redis://"+servers.Redis(t).Addr()), t.Context()
	crowd, err := storetest.NewCrowd()
	if err != nil {
		t.Fatal(err)
	}
	r := crowd.Record()
	if r.Version, err = s.Create(ctx, r); err != nil {
		t.Fatal(err)
	}
	have := session.MarkOf(r.Version, r.Data)
	if got, err := s.GetUnless(ctx, r.ID, have); err != nil || got.Data != nil || got.Keys != nil || got.Version != r.Version || got.ID != r.ID {
		t.Errorf("whoever has it gets %d bytes at version %d, %v", len(got.Data), got.Version, err)
	}
	r.Data = crowd.Record().Data
	if r.Version, err = s.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	for name, had := range map[string]session.Mark{"the state before": have, "none": {}} {
		if got, err := s.GetUnless(ctx, r.ID, had); err != nil || !bytes.Equal(got.Data, r.Data) || got.Version != r.Version {
			t.Errorf("whoever has %s gets %d bytes at version %d, %v", name, len(got.Data), got.Version, err)
		}
	}
	if err := s.Delete(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetUnless(ctx, r.ID, session.MarkOf(r.Version, r.Data)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("whoever has one that is gone: %v", err)
	}
}

// TestTheServerCanReadNothing looks for a real session in all the server has:
// its memory, and both kinds of file it may write.
func TestTheServerCanReadNothing(t *testing.T) {
	t.Parallel()
	server := servers.Redis(t, "appendonly yes", "rdbcompression no")
	storetest.RunDump(t, open(t, "redis://"+server.Addr()), map[string]storetest.Remains{
		"memory": func(t *testing.T) iter.Seq[[]byte] { return server.Memory(t) },
		"append-only file": func(t *testing.T) iter.Seq[[]byte] {
			return servers.Files(t, filepath.Join(server.Dir, "appendonlydir"))
		},
		"snapshot": func(t *testing.T) iter.Seq[[]byte] {
			server.Do("save")
			return servers.Files(t, filepath.Join(server.Dir, "dump.rdb"))
		},
	})
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

func record(d time.Duration) session.Record { return storetest.NewRecord(d) }

const testPassword = "correct-horse"

// withUser signs the URL in as the documented user.
func withUser(url string) string {
	return strings.Replace(url, "://", "://cloakroom:"+testPassword+"@", 1)
}

func unique() string { return rand.Text() }

func sentinelURL(g *servers.RedisGroup) string {
	return "redis+sentinel://" + g.Addrs() + "/" + g.Name
}
