package nats_test

import (
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest/servers"
)

// The tests run themselves as the instances that get killed.
const instanceVariable = "CLOAKROOM_TEST_INSTANCE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(instanceVariable); dir != "" {
		fmt.Println(serveInstance(dir))
		os.Exit(1)
	}
	// The tests wait for elections more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// plan is what an instance is told.
type plan struct {
	Listen   string
	Peers    []string
	StoreDir string
}

// serveInstance runs a Store until the process is killed, and does what it is
// asked over a socket.
func serveInstance(dir string) error {
	file, err := os.Open(filepath.Join(dir, "plan"))
	if err != nil {
		return err
	}
	var p plan
	if err := gob.NewDecoder(file).Decode(&p); err != nil {
		return err
	}
	store, err := nats.New(nats.Config{Cluster: nats.Cluster{
		Listen: p.Listen, Peers: p.Peers, StoreDir: p.StoreDir, Secret: secret.New(clusterSecret),
	}})
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &Instance{store}); err != nil {
		return err
	}
	socket := filepath.Join(dir, "socket")
	_ = os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go server.Accept(l)
	return store.Run(context.Background())
}

// Instance offers a Store over net/rpc. Sentinels travel by their index.
type Instance struct{ store *nats.Store }

type Reply struct {
	Records []session.Record
	Version session.Version
	Leader  string
	Failure string
	Kind    int
}

var kinds = []error{nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrTooLarge}

func (r *Reply) fail(err error) error {
	for i, kind := range kinds {
		if err != nil && errors.Is(err, kind) {
			r.Kind = i
			return nil
		}
	}
	if err != nil {
		r.Failure = err.Error()
	}
	return nil
}

func (r *Reply) err() error {
	if r.Failure != "" {
		return errors.New(r.Failure)
	}
	return kinds[r.Kind]
}

func (i *Instance) Create(r session.Record, out *Reply) (err error) {
	out.Version, err = i.store.Create(context.Background(), r)
	return out.fail(err)
}

func (i *Instance) Get(id session.ID, out *Reply) error {
	r, err := i.store.Get(context.Background(), id)
	out.Records = []session.Record{r}
	return out.fail(err)
}

func (i *Instance) Update(r session.Record, out *Reply) (err error) {
	out.Version, err = i.store.Update(context.Background(), r)
	return out.fail(err)
}

func (i *Instance) Delete(id session.ID, out *Reply) error {
	return out.fail(i.store.Delete(context.Background(), id))
}

func (i *Instance) Find(key session.Key, out *Reply) (err error) {
	out.Records, err = i.store.Find(context.Background(), key)
	return out.fail(err)
}

func (i *Instance) Ping(_ bool, out *Reply) error {
	if err := i.store.Ping(context.Background()); err != nil {
		return out.fail(err)
	}
	status, err := i.store.Status(context.Background())
	out.Leader = status.Leader
	return out.fail(err)
}

// instance is a Store in a process of its own.
type instance struct {
	t   testing.TB
	dir string
	*plan
	cmd *exec.Cmd
}

// startInstances runs n processes that share their memory, or their disks.
func startInstances(t testing.TB, n int, onDisk bool) []*instance {
	t.Helper()
	var all []*instance
	for _, c := range prepareCluster(t, n) {
		i := &instance{t: t, dir: servers.Dir(t, nil), plan: &plan{Listen: c.Cluster.Listen, Peers: c.Cluster.Peers}}
		if onDisk {
			i.StoreDir = filepath.Join(i.dir, "store")
		}
		file, err := os.Create(filepath.Join(i.dir, "plan"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(gob.NewEncoder(file).Encode(i.plan), file.Close()); err != nil {
			t.Fatal(err)
		}
		i.start()
		t.Cleanup(i.kill)
		all = append(all, i)
	}
	for _, i := range all {
		i.waitReady()
	}
	return all
}

func (i *instance) start() {
	i.t.Helper()
	i.cmd = exec.Command(os.Args[0])
	i.cmd.Env = append(os.Environ(), instanceVariable+"="+i.dir, "TMPDIR="+i.dir)
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
}

// kill is SIGKILL: nobody says goodbye.
func (i *instance) kill() {
	if i.cmd.ProcessState == nil {
		_ = i.cmd.Process.Kill()
		_ = i.cmd.Wait()
	}
}

func (i *instance) waitReady() {
	i.t.Helper()
	servers.WaitFor(i.t, "an instance", func(ctx context.Context) error {
		_, err := i.leader(ctx)
		return err
	})
}

// leader asks which server leads; an error unless the instance is ready.
func (i *instance) leader(ctx context.Context) (string, error) {
	reply, err := i.call(ctx, "Ping", false)
	return reply.Leader, err
}

// patience with an instance is longer than its own timeout.
const rpcTimeout = 5 * time.Second

func (i *instance) call(ctx context.Context, method string, argument any) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(i.dir, "socket"))
	if err != nil {
		return Reply{}, fmt.Errorf("nats: the instance is down: %w", err)
	}
	client := rpc.NewClient(conn)
	defer func() { _ = client.Close() }()
	var reply Reply
	call := client.Go("Store."+method, argument, &reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return Reply{}, fmt.Errorf("nats: the instance died: %w", call.Error)
		}
		return reply, reply.err()
	case <-ctx.Done():
		return Reply{}, fmt.Errorf("nats: the instance hangs: %w", ctx.Err())
	}
}

var _ session.Store = (*instance)(nil)

func (i *instance) Create(ctx context.Context, r session.Record) (session.Version, error) {
	reply, err := i.call(ctx, "Create", r)
	return reply.Version, err
}

func (i *instance) Get(ctx context.Context, id session.ID) (session.Record, error) {
	reply, err := i.call(ctx, "Get", id)
	if err != nil {
		return session.Record{}, err
	}
	return reply.Records[0], nil
}

func (i *instance) Update(ctx context.Context, r session.Record) (session.Version, error) {
	reply, err := i.call(ctx, "Update", r)
	return reply.Version, err
}

func (i *instance) Delete(ctx context.Context, id session.ID) error {
	_, err := i.call(ctx, "Delete", id)
	return err
}

func (i *instance) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	reply, err := i.call(ctx, "Find", key)
	return reply.Records, err
}
