package memcached_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/memcached"
	"cloakroom/bff/session/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	suite(t, servers.Memcached(t))
}

func TestStoreOnTwoServers(t *testing.T) {
	t.Parallel()
	a, b := servers.Memcached(t), servers.Memcached(t)
	suite(t, a, b)
	for _, server := range []*servers.MemcachedServer{a, b} {
		if server.Stat("cmd_set") == 0 {
			t.Error("one server has got nothing")
		}
	}
}

// suite runs the contract, each rule under a prefix of its own.
func suite(t *testing.T, all ...*servers.MemcachedServer) {
	backend := storetest.Backend{Open: func(t *testing.T) session.Store {
		return open(t, url(all...)+"?prefix="+rand.Text())
	}}
	storetest.Run(t, backend)
	storetest.RunConcurrent(t, backend)
}

func TestTheOrderOfTheServersDoesNotMatter(t *testing.T) {
	t.Parallel()
	x, y := servers.Memcached(t), servers.Memcached(t)
	a, b := open(t, url(x, y)), open(t, url(y, x))
	for range 50 {
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
		if found, err := a.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
			t.Errorf("Find = %d records, %v", len(found), err)
		}
	}
}

// When memory is short the server drops what was used longest ago, and says so
// to nobody. What is left is whole.
func TestEvictionEndsTheOldestSessions(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t, "-m", "8")
	s := open(t, url(server))
	shared := record(0).Keys[0]
	var all []session.Record
	for range 4000 {
		r := record(time.Hour)
		if len(all)%4 == 0 {
			r.Keys[0] = shared
		}
		create(t, s, r)
		all = append(all, r)
	}
	if server.Stat("evictions") == 0 {
		t.Fatal("nothing was evicted: this test needs more sessions")
	}
	if _, err := s.Get(t.Context(), all[0].ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get of the oldest = %v, want ErrNotFound", err)
	}
	if _, err := s.Update(t.Context(), all[0]); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Update of the oldest = %v, want ErrNotFound: it must not come back", err)
	}
	live := 0
	for _, r := range all {
		got, err := s.Get(t.Context(), r.ID)
		switch {
		case err == nil && !bytes.Equal(got.Data, r.Data):
			t.Error("a session that is left is not whole")
		case err == nil && r.Keys[0] == shared:
			live++
		case err != nil && !errors.Is(err, session.ErrNotFound):
			t.Fatalf("Get = %v", err)
		}
	}
	if _, err := s.Get(t.Context(), all[len(all)-1].ID); err != nil {
		t.Errorf("Get of the newest = %v", err)
	}
	found, err := s.Find(t.Context(), shared)
	if err != nil || len(found) != live {
		t.Errorf("Find = %d records, %v, want the %d that are left", len(found), err, live)
	}
}

func TestALostIndexEntryIsWrittenAgainByTheNextUpdate(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	r := record(time.Hour)
	r.Version = create(t, s, r)
	server.Do("delete " + indexName(r.Keys[0]) + "\r\n")
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 0 {
		t.Fatalf("Find without the index = %d records, %v", len(found), err)
	}
	if _, err := s.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
		t.Errorf("Find after the update = %d records, %v", len(found), err)
	}
}

func TestAnIndexIsBoundedAndHealsItself(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	var passed atomic.Int64
	s := openConfig(t, memcached.Config{URL: secret.New(url(server)), Now: func() time.Time {
		return time.Now().Add(time.Duration(passed.Load()))
	}})
	r := record(3 * time.Hour)
	index := indexName(r.Keys[0])
	const limit, entrySize = 2000, 40
	// A full index whose entries lead nowhere, as after a crash of all others.
	entries := make([]byte, limit*entrySize)
	_, _ = rand.Read(entries)
	for i := range limit {
		at := time.Now()
		putTime(entries[i*entrySize+32:], at.Add(2*time.Hour))
		putTime(entries[i*entrySize+36:], at)
	}
	server.Do(fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", index, len(entries), entries))
	if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create = %v, want ErrTooLarge: the other records may be about to be written", err)
	}
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get of what was refused = %v", err)
	}
	passed.Store(int64(2 * time.Minute))
	create(t, s, r)
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
		t.Errorf("Find = %d records, %v, want the one", len(found), err)
	}
	if n := valueLen(t, server, index); n != entrySize {
		t.Errorf("the index has %d bytes, want those of one entry", n)
	}
	if err := s.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if reply := server.Do("get " + index + "\r\n"); reply != "END" {
		t.Errorf("an index without entries is left: %s", reply)
	}
}

func TestAnIndexThatIsNoneIsEmpty(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	r := record(time.Hour)
	server.Do("set " + indexName(r.Keys[0]) + " 0 0 5\r\nhello\r\n")
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 0 {
		t.Errorf("Find = %d records, %v", len(found), err)
	}
	create(t, s, r)
	if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
		t.Errorf("Find = %d records, %v, want the one", len(found), err)
	}
}

func TestARecordThatIsNoneIsNotFound(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	s := open(t, url(server))
	for name, value := range map[string]string{
		"empty": "", "short": "\x01abc", "of another format": "\x02" + strings.Repeat("a", 40),
		"with more keys than it has room for": "\x01" + strings.Repeat("a", 16) + "\x04" + "too short",
		"with more keys than there may be":    "\x01" + strings.Repeat("a", 16) + "\xff" + strings.Repeat("a", 5000),
	} {
		r := record(time.Hour)
		server.Do(fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", recordName(r.ID), len(value), value))
		if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get of a record %s = %v", name, err)
		}
		create(t, s, r) // and it is in nobody's way
	}
}

func TestARecordTooLargeIsRefusedAndTheOldOneStays(t *testing.T) {
	t.Parallel()
	s := open(t, url(servers.Memcached(t)))
	r := record(time.Hour)
	r.Version = create(t, s, r)
	large := r
	large.Data = make([]byte, 2<<20)
	if _, err := s.Update(t.Context(), large); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Update = %v, want ErrTooLarge", err)
	}
	if got, err := s.Get(t.Context(), r.ID); err != nil || got.Version != r.Version {
		t.Errorf("Get of what was to be replaced = version %d, %v", got.Version, err)
	}
	large.ID = record(0).ID
	if _, err := s.Create(t.Context(), large); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create = %v, want ErrTooLarge", err)
	}
}

// memcached takes more than thirty days for a time in 1970.
func TestALongSessionIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, url(servers.Memcached(t)))
	const day = 24 * time.Hour
	for _, d := range []time.Duration{30*day - 3*time.Second, 30*day - time.Second, 30 * day, 31 * day, 365 * day, 30 * 365 * day} {
		r := record(d)
		create(t, s, r)
		if _, err := s.Get(t.Context(), r.ID); err != nil {
			t.Errorf("Get of one that lives for %v = %v", d, err)
		}
		if found, err := s.Find(t.Context(), r.Keys[0]); err != nil || len(found) != 1 {
			t.Errorf("Find of one that lives for %v = %d records, %v", d, len(found), err)
		}
	}
}

// TestTheServerCanReadNothing looks for a real session in all the server has,
// which is its memory with the slabs, and in what goes to it over the wire.
func TestTheServerCanReadNothing(t *testing.T) {
	t.Parallel()
	server := servers.Memcached(t)
	tap := startTap(t, server.Addr())
	s := open(t, "memcached://"+tap.addr)
	storetest.RunDump(t, s, map[string]storetest.Remains{
		"memory": func(t *testing.T) iter.Seq[[]byte] { return server.Memory(t) },
		"wire":   func(*testing.T) iter.Seq[[]byte] { return slices.Values([][]byte{tap.sent()}) },
	})
	if server.Stat("curr_items") != 3 {
		t.Errorf("%d items, want a record and two indexes", server.Stat("curr_items"))
	}
}

func url(all ...*servers.MemcachedServer) string {
	addrs := make([]string, len(all))
	for i, s := range all {
		addrs[i] = s.Addr()
	}
	return "memcached://" + strings.Join(addrs, ",")
}

func recordName(id session.ID) string {
	return "cloakroom:s:" + base64.RawURLEncoding.EncodeToString(id[:])
}

func indexName(key session.Key) string {
	return "cloakroom:k:" + base64.RawURLEncoding.EncodeToString(key[:])
}

func valueLen(t *testing.T, server *servers.MemcachedServer, name string) (n int) {
	t.Helper()
	var flags int
	var key string
	reply := server.Do("get " + name + "\r\n")
	if _, err := fmt.Sscanf(reply, "VALUE %s %d %d", &key, &flags, &n); err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	return n
}

func putTime(b []byte, at time.Time) {
	s := uint32(at.Unix())
	b[0], b[1], b[2], b[3] = byte(s>>24), byte(s>>16), byte(s>>8), byte(s)
}

func open(t testing.TB, url string) *memcached.Store {
	t.Helper()
	return openConfig(t, memcached.Config{URL: secret.New(url)})
}

func openConfig(t testing.TB, c memcached.Config) *memcached.Store {
	t.Helper()
	s, err := memcached.New(c)
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
