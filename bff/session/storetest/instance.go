package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
)

// instanceOf makes the test's own program an Instance, at home in the folder it
// names.
const instanceOf = "CLOAKROOM_TEST_INSTANCE_OF"

// Served is a store in a process of its own, which is all there is of its
// server: one that must be killed with the process that uses it.
type Served interface {
	session.Store
	session.Finder
	Ping(ctx context.Context) error
}

// Main is the TestMain of a package whose tests start an Instance. open opens
// the store that is at home in a folder; if it is a session.Runner, it runs. say
// is what else an Instance can be asked for; nil is nothing.
func Main(m *testing.M, open func(dir string) (Served, error), say func(ctx context.Context, s Served) (string, error)) {
	if dir := os.Getenv(instanceOf); dir != "" {
		fmt.Fprintln(os.Stderr, serve(dir, open, say))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve does what it is asked over a socket until the process is killed.
func serve(dir string, open func(string) (Served, error), say func(context.Context, Served) (string, error)) error {
	store, err := open(dir)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &Desk{store, say}); err != nil {
		return err
	}
	socket := filepath.Join(dir, "socket")
	_ = os.Remove(socket) // of the one before
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go server.Accept(l)
	if runner, ok := store.(session.Runner); ok {
		return runner.Run(context.Background())
	}
	select {}
}

// Desk offers a store over net/rpc, which wants its names exported.
type Desk struct {
	store Served
	say   func(ctx context.Context, s Served) (string, error)
}

// Reply is an answer of a Desk. Sentinels travel by their index.
type Reply struct {
	Records  []session.Record
	Version  session.Version
	Saying   string
	Failure  string
	Sentinel int
}

var sentinels = []error{nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrTooLarge}

func (r *Reply) fail(err error) error {
	for i, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			r.Sentinel = i
			return nil
		}
	}
	r.Failure = err.Error()
	return nil
}

func (r *Reply) err() error {
	if r.Failure != "" {
		return errors.New(r.Failure)
	}
	return sentinels[r.Sentinel]
}

func (d *Desk) Create(r session.Record, out *Reply) (err error) {
	out.Version, err = d.store.Create(context.Background(), r)
	return out.fail(err)
}

func (d *Desk) Get(id session.ID, out *Reply) error {
	r, err := d.store.Get(context.Background(), id)
	out.Records = []session.Record{r}
	return out.fail(err)
}

func (d *Desk) Update(r session.Record, out *Reply) (err error) {
	out.Version, err = d.store.Update(context.Background(), r)
	return out.fail(err)
}

func (d *Desk) Delete(id session.ID, out *Reply) error {
	return out.fail(d.store.Delete(context.Background(), id))
}

func (d *Desk) Find(key session.Key, out *Reply) (err error) {
	out.Records, err = d.store.Find(context.Background(), key)
	return out.fail(err)
}

func (d *Desk) Ping(_ bool, out *Reply) error { return out.fail(d.store.Ping(context.Background())) }

func (d *Desk) Say(_ bool, out *Reply) (err error) {
	out.Saying, err = d.say(context.Background(), d.store)
	return out.fail(err)
}

// Instance is a store in a process of its own, which can be killed.
type Instance struct {
	t   testing.TB
	dir string
	cmd *exec.Cmd
}

// StartInstance runs the store that is at home in dir, until the test ends. The
// path of dir must be short: a socket goes there. It does not wait.
func StartInstance(t testing.TB, dir string) *Instance {
	t.Helper()
	i := &Instance{t: t, dir: dir}
	i.launch()
	t.Cleanup(i.Kill)
	return i
}

func (i *Instance) launch() {
	i.t.Helper()
	i.cmd = exec.Command(os.Args[0])
	i.cmd.Env = append(os.Environ(), instanceOf+"="+i.dir, "TMPDIR="+i.dir)
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
}

// Kill is SIGKILL: nobody says goodbye.
func (i *Instance) Kill() {
	if i.cmd.ProcessState == nil {
		_ = i.cmd.Process.Kill()
		_ = i.cmd.Wait()
	}
}

// Restart runs it again after a kill, and waits.
func (i *Instance) Restart() {
	i.t.Helper()
	i.launch()
	i.WaitReady()
}

// WaitReady returns when the store says that it works.
func (i *Instance) WaitReady() {
	i.t.Helper()
	servers.WaitFor(i.t, "an instance", i.Ping)
}

// rpcTimeout is longer than a store's own, so that this is what fails.
const rpcTimeout = 5 * time.Second

func (i *Instance) call(ctx context.Context, method string, argument any) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(i.dir, "socket"))
	if err != nil {
		return Reply{}, fmt.Errorf("instance: it is down: %w", err)
	}
	client := rpc.NewClient(conn)
	defer func() { _ = client.Close() }()
	var reply Reply
	call := client.Go("Store."+method, argument, &reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return Reply{}, fmt.Errorf("instance: it died: %w", call.Error)
		}
		return reply, reply.err()
	case <-ctx.Done():
		return Reply{}, fmt.Errorf("instance: it hangs: %w", ctx.Err())
	}
}

var _ Served = (*Instance)(nil)

func (i *Instance) Create(ctx context.Context, r session.Record) (session.Version, error) {
	reply, err := i.call(ctx, "Create", r)
	return reply.Version, err
}

func (i *Instance) Get(ctx context.Context, id session.ID) (session.Record, error) {
	reply, err := i.call(ctx, "Get", id)
	if err != nil {
		return session.Record{}, err
	}
	return reply.Records[0], nil
}

func (i *Instance) Update(ctx context.Context, r session.Record) (session.Version, error) {
	reply, err := i.call(ctx, "Update", r)
	return reply.Version, err
}

func (i *Instance) Delete(ctx context.Context, id session.ID) error {
	_, err := i.call(ctx, "Delete", id)
	return err
}

func (i *Instance) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	reply, err := i.call(ctx, "Find", key)
	return reply.Records, err
}

// Ping returns nil when the store says that it works.
func (i *Instance) Ping(ctx context.Context) error {
	_, err := i.call(ctx, "Ping", false)
	return err
}

// Say asks for what the package's Main said it can be asked for.
func (i *Instance) Say(ctx context.Context) (string, error) {
	reply, err := i.call(ctx, "Say", false)
	return reply.Saying, err
}
