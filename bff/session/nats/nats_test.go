package nats_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest"
)

func TestStoreAlone(t *testing.T) {
	t.Parallel()
	n := startNode(t, nats.Config{Cluster: nats.Cluster{Listen: listen(t)}})
	n.waitReady()
	suite(t, func(*testing.T) session.Store { return n.store })
}

func TestStoreOnAClusterInMemory(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, patient)
	suite(t, func(*testing.T) session.Store { return c.inTurn() })
}

func TestStoreOnAClusterOnDiskWithTLS(t *testing.T) {
	t.Parallel()
	certificate := servers.NewCertificate(t, t.TempDir())
	c := startCluster(t, 3, func(c *nats.Config) {
		patient(c)
		c.Cluster.StoreDir = t.TempDir()
		c.Cluster.CertFile, c.Cluster.KeyFile, c.Cluster.CAFile = certificate.Cert, certificate.Key, certificate.CA
	})
	suite(t, func(*testing.T) session.Store { return c.inTurn() })
}

// patient is for what is tested by its answers: three servers under the race
// detector, on a machine that does other work too, take their time.
func patient(c *nats.Config) { c.Timeout = 20 * time.Second }

func suite(t *testing.T, open func(t *testing.T) session.Store) {
	storetest.Run(t, storetest.Backend{Open: open})
	storetest.RunConcurrent(t, storetest.Backend{Open: open})
}

// inTurn sends each call to another instance: what one did the next must see.
func (c *cluster) inTurn() session.Store { return &inTurn{nodes: c.nodes} }

type inTurn struct {
	nodes []*node
	calls atomic.Int64
}

func (s *inTurn) next() *nats.Store { return s.nodes[int(s.calls.Add(1))%len(s.nodes)].store }

func (s *inTurn) Create(ctx context.Context, r session.Record) (session.Version, error) {
	return s.next().Create(ctx, r)
}
func (s *inTurn) Get(ctx context.Context, id session.ID) (session.Record, error) {
	return s.next().Get(ctx, id)
}
func (s *inTurn) Update(ctx context.Context, r session.Record) (session.Version, error) {
	return s.next().Update(ctx, r)
}
func (s *inTurn) Delete(ctx context.Context, id session.ID) error { return s.next().Delete(ctx, id) }
func (s *inTurn) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	return s.next().Find(ctx, key)
}

func TestTheDiskTellsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, nats.Config{Cluster: nats.Cluster{Listen: listen(t), StoreDir: dir}})
	n.waitReady()
	storetest.RunDump(t, n.store, map[string]storetest.Remains{
		"files": func(t *testing.T) iter.Seq[[]byte] {
			n.stop()
			return servers.Files(t, dir)
		},
	})
}

// TestAnOutsideServerCanReadNothing of what goes through it: its memory and
// its files.
func TestAnOutsideServerCanReadNothing(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t)
	storetest.RunDump(t, open(t, "nats://"+server.Addr()), map[string]storetest.Remains{
		"memory": func(t *testing.T) iter.Seq[[]byte] { return server.Memory(t) },
		"files":  func(t *testing.T) iter.Seq[[]byte] { return servers.Files(t, server.Dir) },
	})
}

func TestADiskKeepsSessionsOverARestart(t *testing.T) {
	t.Parallel()
	config := nats.Config{Cluster: nats.Cluster{Listen: listen(t), StoreDir: t.TempDir()}}
	n := startNode(t, config)
	n.waitReady()
	kept, gone := record(time.Hour), record(time.Hour)
	kept.Version = create(t, n.store, kept)
	create(t, n.store, gone)
	if err := n.store.Delete(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	n.stop()
	_, err := n.store.Get(t.Context(), kept.ID)
	told.WantFailure(t, "Get without a server", err, kept)

	n.start() // the same Store
	n.waitReady()
	if got, err := n.store.Get(t.Context(), kept.ID); err != nil || got.Version != kept.Version || !bytes.Equal(got.Data, kept.Data) {
		t.Errorf("Get = version %d, %v, want %d", got.Version, err, kept.Version)
	}
	if _, err := n.store.Get(t.Context(), gone.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get of the deleted = %v", err)
	}
}

func TestAFullBucketRefusesSessionsAndLetsPeopleSignOut(t *testing.T) {
	t.Parallel()
	for name, nodes := range map[string]int{"alone": 1, "on a cluster": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, nodes, func(c *nats.Config) { c.MaxBytes = 256 << 10 })
			s := c.inTurn()
			var kept []session.Record
			for {
				r := record(time.Hour)
				var err error
				if r.Version, err = s.Create(t.Context(), r); err != nil {
					told.WantFailure(t, "Create", err, r)
					break
				}
				kept = append(kept, r)
			}
			for i := range kept { // the last bytes
				small := record(time.Hour)
				small.Keys, small.Data = nil, nil
				if _, err := s.Create(t.Context(), small); err != nil {
					break
				} else if i == len(kept)-1 {
					t.Fatal("the bucket takes any number of records")
				}
			}
			// A server alone sees that an update needs no more room.
			if version, err := s.Update(t.Context(), kept[0]); err == nil && nodes == 1 {
				kept[0].Version = version
			} else {
				told.WantFailure(t, "Update", err, kept[0])
			}
			for _, r := range kept {
				if _, err := s.Get(t.Context(), r.ID); err != nil {
					t.Fatalf("Get of one of %d kept = %v", len(kept), err)
				}
			}
			for _, r := range kept {
				if err := s.Delete(t.Context(), r.ID); err != nil {
					t.Fatalf("Delete = %v", err)
				}
				if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrNotFound) {
					t.Fatalf("Update of the deleted = %v", err)
				}
			}
			create(t, s, record(time.Hour))
		})
	}
}

func TestARecordLargerThanAMessageIsRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, nats.Config{Cluster: nats.Cluster{Listen: listen(t)}})
	n.waitReady()
	r := record(time.Hour)
	r.Data = make([]byte, 2<<20)
	if _, err := n.store.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create = %v, want ErrTooLarge", err)
	}
	r.Data = nil
	r.Version = create(t, n.store, r)
	r.Data = make([]byte, 2<<20)
	if _, err := n.store.Update(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Update = %v, want ErrTooLarge", err)
	}
}

// node is an instance with an embedded server.
type node struct {
	t      testing.TB
	config nats.Config
	store  *nats.Store
	cancel context.CancelFunc
	done   chan error
}

// startNode runs one server. A folder for the disk is one of its own.
func startNode(t testing.TB, c nats.Config) *node {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	n := &node{t: t, config: c}
	var err error
	if n.store, err = nats.New(c); err != nil {
		t.Fatal(err)
	}
	n.start()
	t.Cleanup(func() {
		n.stop()
		_ = n.store.Close()
	})
	return n
}

func (n *node) start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.done = cancel, make(chan error, 1)
	go func() { n.done <- n.store.Run(ctx) }()
}

// stop ends the server in good order; a second time it does nothing.
func (n *node) stop() {
	n.t.Helper()
	if n.cancel == nil {
		return
	}
	n.cancel()
	n.cancel = nil
	select {
	case err := <-n.done:
		if !errors.Is(err, context.Canceled) {
			n.t.Errorf("Run = %v", err)
		}
	case <-time.After(time.Minute):
		n.t.Fatal("Run does not end")
	}
}

func (n *node) waitReady() {
	n.t.Helper()
	servers.WaitFor(n.t, "the embedded server", n.store.Ping)
}

// cluster is instances in one process.
type cluster struct{ nodes []*node }

const clusterSecret = "correct-horse-battery"

func startCluster(t testing.TB, n int, change func(*nats.Config)) *cluster {
	t.Helper()
	c := prepareCluster(t, n)
	for i := range c {
		if change != nil {
			change(&c[i])
		}
	}
	running := &cluster{}
	for i := range c {
		running.nodes = append(running.nodes, startNode(t, c[i]))
	}
	for _, n := range running.nodes {
		n.waitReady()
	}
	return running
}

func prepareCluster(t testing.TB, n int) []nats.Config {
	t.Helper()
	var peers []string
	for len(peers) < n {
		if peer := listen(t); !slices.Contains(peers, peer) {
			peers = append(peers, peer)
		}
	}
	configs := make([]nats.Config, n)
	for i := range configs {
		configs[i].Cluster = nats.Cluster{Listen: peers[i], Secret: secret.New(clusterSecret)}
		if n > 1 {
			configs[i].Cluster.Peers = peers
		}
	}
	return configs
}

func listen(t testing.TB) string {
	t.Helper()
	return servers.Address(servers.FreePort(t))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil { // afterwards it is the servers' farewell
		w.t.Logf("%s", b)
	}
	return len(b), nil
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

// told is what an error of a store must and must not say.
var told = storetest.Telltale{Prefix: "nats: ", Secrets: []string{"word?1", "word%3F1", clusterSecret, "$KV"}}
