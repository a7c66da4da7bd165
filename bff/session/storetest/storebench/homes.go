package main

import (
	"context"
	"database/sql"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/file"
	"cloakroom/bff/session/memcached"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/mongodb"
	"cloakroom/bff/session/mysql"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/nearcache"
	"cloakroom/bff/session/postgres"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/sqlite"
)

// home is a store that runs, with its server if it has one.
type home struct {
	session.Store
	version string // of the server or of the library
	server  *servers.Process
	// bytes is what the store takes at present.
	bytes func(ctx context.Context) (int64, error)
}

// cpu is the processor time of the server so far.
func (h home) cpu() time.Duration {
	if h.server == nil {
		return 0
	}
	return h.server.CPU()
}

// kind is a row of the table.
type kind struct {
	name, label string
	open        func(s *stage) home
	// most bounds the sessions, where more would take for ever; 0 is no bound.
	most int
}

// kinds are in the order of the table. Every server is as it is installed,
// unless its function says else; those with a disk wait for it.
var kinds = []kind{
	{name: "memory", label: "memory", open: openMemory},
	{name: "file", label: "file", open: openFile},
	{name: "sqlite", label: "sqlite", open: openSQLite},
	{name: "redis", label: "redis, nothing on disk", open: func(s *stage) home { return openRedis(s).home() }},
	{name: "redis-near", label: "redis with near cache", open: func(s *stage) home { return near(s, openRedis(s)) }},
	{name: "memcached", label: "memcached", open: openMemcached},
	{name: "postgres", label: "postgres", open: func(s *stage) home { return openPostgres(s).home() }},
	{name: "postgres-near", label: "postgres with near cache", open: func(s *stage) home { return near(s, openPostgres(s)) }},
	{name: "mysql", label: "mysql (MariaDB)", open: openMySQL},
	{name: "mongodb", label: "mongodb (FerretDB on SQLite)", open: openMongoDB, most: 1000},
	{name: "nats", label: "nats, one outside server, on disk", open: openNATS},
	{name: "nats-cluster", label: "nats, three instances' memory, in one process", open: openNATSCluster},
}

// timeout of every store: a machine that stalls for a moment is slow, not down.
const timeout = 30 * time.Second

func openMemory(s *stage) home {
	store, err := memory.New(memory.Config{MaxBytes: 8 << 30})
	s.Must(err)
	s.background(store)
	return home{Store: store, version: runtime.Version(), bytes: func(context.Context) (int64, error) { return resident() }}
}

// resident is what this process has in RAM, in bytes: the store's slabs are not
// in the heap.
func resident() (int64, error) {
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("storebench: %w", err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
		return 0, fmt.Errorf("storebench: statm %q: %w", statm, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

func openFile(s *stage) home {
	dir := s.dir()
	store, err := file.New(file.Config{Path: filepath.Join(dir, "sessions"), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	s.background(store)
	return home{Store: store, version: "bbolt " + moduleVersion("go.etcd.io/bbolt"), bytes: sizeOf(dir)}
}

func openSQLite(s *stage) home {
	dir := s.dir()
	store, err := sqlite.New(sqlite.Config{Path: filepath.Join(dir, "sessions"), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	s.background(store)
	return home{Store: store, version: "SQLite " + ask(s, "sqlite", ":memory:", "SELECT sqlite_version()"), bytes: sizeOf(dir)}
}

// shared is a home that several instances may share, so that a local copy may
// stand in front.
type shared struct {
	store interface {
		nearcache.Backend
		session.Runner
	}
	rest home
}

func (s shared) home() home {
	s.rest.Store = s.store
	return s.rest
}

// near puts a near cache of the size and age that the README proposes in front.
func near(s *stage, behind shared) home {
	cache, err := nearcache.New(behind.store, nearcache.Config{MaxBytes: 64 << 20, MaxAge: 2 * time.Second})
	s.Must(err)
	s.background(cache)
	h := behind.home()
	h.Store = cache
	return h
}

// redisStore has no work of its own.
type redisStore struct{ *redis.Store }

func (redisStore) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func openRedis(s *stage) shared {
	server := servers.Redis(s)
	store, err := redis.New(redis.Config{URL: secret.New("redis://" + server.Addr()), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	info := func(section, name string) string {
		_, rest, _ := strings.Cut(server.Do("info", section), "\n"+name+":")
		value, _, _ := strings.Cut(rest, "\r")
		return value
	}
	return shared{redisStore{store}, home{
		version: "Redis " + info("server", "redis_version"), server: server.Process,
		bytes: func(context.Context) (int64, error) { return strconv.ParseInt(info("memory", "used_memory"), 10, 64) },
	}}
}

func openMemcached(s *stage) home {
	server := servers.Memcached(s, "-m", "1024") // else it would throw out what it has no room for
	store, err := memcached.New(memcached.Config{URL: secret.New("memcached://" + server.Addr()), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	return home{
		Store: store, version: "memcached " + strings.TrimPrefix(server.Do("version\r\n"), "VERSION "), server: server.Process,
		bytes: func(context.Context) (int64, error) {
			if server.Stat("evictions") > 0 {
				return 0, errors.New("it has thrown out sessions")
			}
			return int64(server.Stat("bytes")), nil
		},
	}
}

func openPostgres(s *stage) shared {
	server := servers.Postgres(s)
	dsn := server.URL(servers.PostgresUser, servers.PostgresPassword, "postgres", url.Values{"sslmode": {"disable"}})
	store, err := postgres.New(postgres.Config{URL: secret.New(dsn), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	conn, err := pgx.Connect(s.Context(), dsn)
	s.Must(err)
	s.Cleanup(func() { _ = conn.Close(context.Background()) })
	var version string
	s.Must(conn.QueryRow(s.Context(), "SHOW server_version").Scan(&version))
	return shared{store, home{
		version: "PostgreSQL " + number(version), server: server.Process,
		bytes: func(ctx context.Context) (n int64, err error) {
			err = conn.QueryRow(ctx, "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND relname LIKE 'cloakroom%'").Scan(&n)
			return n, err
		},
	}}
}

func openMySQL(s *stage) home {
	server := servers.MariaDB(s)
	root := server.DSN(servers.MariaDBUser, servers.MariaDBPassword, "", "")
	ask(s, "mysql", root, "CREATE DATABASE cloakroom")
	version := ask(s, "mysql", root, "SELECT version()")
	store, err := mysql.New(mysql.Config{
		URL: secret.New(server.DSN(servers.MariaDBUser, servers.MariaDBPassword, "cloakroom", "")), Timeout: timeout,
	})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	s.background(store)
	return home{
		Store: store, version: "MariaDB " + number(version), server: server.Process,
		bytes: sizeOf(filepath.Join(server.Data, "cloakroom")), // one file a table
	}
}

// openMongoDB runs what can be had as source. It reads all documents to find one
// by an _id that is binary, so its figures are no guide to MongoDB.
func openMongoDB(s *stage) home {
	server := servers.FerretDB(s, nil)
	address := "mongodb://" + server.Addr() + "/sessions"
	store, err := mongodb.New(mongodb.Config{URL: secret.New(address), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	s.background(store)
	build, err := buildinfo.ReadFile(server.Path())
	s.Must(err)
	return home{Store: store, version: "FerretDB " + versionIn(build, "github.com/FerretDB/FerretDB"), server: server.Process, bytes: sizeOf(server.Dir)}
}

func openNATS(s *stage) home {
	server := servers.NATS(s)
	store, err := nats.New(nats.Config{URL: secret.New("nats://" + server.Addr()), Timeout: timeout})
	s.Must(err)
	s.Cleanup(func() { _ = store.Close() })
	return home{Store: store, version: natsVersion(), server: server.Process, bytes: bucket(store)}
}

func openNATSCluster(s *stage) home {
	var peers []string
	for range 3 {
		peers = append(peers, servers.Address(servers.FreePort(s)))
	}
	var stores []*nats.Store
	for _, listen := range peers {
		store, err := nats.New(nats.Config{MaxBytes: 4 << 30, Timeout: timeout, Cluster: nats.Cluster{
			Listen: listen, Peers: peers, Secret: secret.New("a secret of this run alone"),
		}})
		s.Must(err)
		s.Cleanup(func() { _ = store.Close() })
		s.background(store)
		stores = append(stores, store)
	}
	for _, store := range stores {
		servers.WaitFor(s, "the instances to meet", store.Ping)
	}
	return home{Store: stores[0], version: natsVersion(), bytes: bucket(stores[0])}
}

// bucket is what the sessions take on each server that keeps them.
func bucket(store *nats.Store) func(ctx context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		status, err := store.Status(ctx)
		return status.Bytes, err
	}
}

func natsVersion() string { return "NATS " + moduleVersion("github.com/nats-io/nats-server/v2") }

// sizeOf adds up the files in a folder.
func sizeOf(dir string) func(context.Context) (int64, error) {
	return func(context.Context) (total int64, err error) {
		err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err == nil {
				total += info.Size()
			}
			return err
		})
		return total, err
	}
}

// ask returns the one value that statement gives, or nothing.
func ask(s *stage, driver, dsn, statement string) (value string) {
	db, err := sql.Open(driver, dsn)
	s.Must(err)
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(s.Context(), statement).Scan(&value); !errors.Is(err, sql.ErrNoRows) {
		s.Must(err)
	}
	return value
}

// number is the version in what a server calls its version.
func number(text string) string { return regexp.MustCompile(`\d+(\.\d+)*`).FindString(text) }

// moduleVersion is that of a module in this program.
func moduleVersion(path string) string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return versionIn(build, path)
}

// versionIn is that of a module in a program.
func versionIn(build *debug.BuildInfo, path string) string {
	for _, module := range build.Deps {
		if module.Path == path {
			return number(module.Version)
		}
	}
	return "of unknown version"
}
