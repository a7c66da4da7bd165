package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for a server: generous, since a loaded machine
// is no failure.
const patience = 60 * time.Second

// Command says how to run a server.
type Command struct {
	// Program is found in PATH; Package is the Debian package that has it.
	Program, Package string
	Args             []string
	// Dir is the working directory; empty means the test's.
	Dir string
	// Env is its whole environment; nil means the test's.
	Env []string
	// Output takes what the server prints; nil means that Log does.
	Output *os.File
	// Credential is whom to run as; nil means whoever runs the test.
	Credential *syscall.Credential
	// Ready returns nil once the server does its work.
	Ready func(ctx context.Context) error
}

// Process is a server that lives until its test ends.
type Process struct {
	t       T
	command Command
	log     buffer

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed once cmd has ended
}

// Start runs c and returns when it is ready.
func Start(t T, c Command) *Process {
	t.Helper()
	p := Launch(t, c)
	p.WaitReady()
	return p
}

// Launch runs c and does not wait until it is ready: for servers that wait for
// each other.
func Launch(t T, c Command) *Process {
	t.Helper()
	c.Program = Program(t, c.Program, c.Package)
	p := &Process{t: t, command: c}
	p.launch()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", c.Program, tail(p.Log(), 4000))
		}
	})
	return p
}

// Program returns the path of a program, or fails the test.
func Program(t T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		// Debian keeps some servers out of a user's PATH.
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%s is not installed: apt-get install %s", name, debianPackage)
	}
	return path
}

// Installed reports whether a server's program is here.
func Installed(name string) bool {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if _, err := exec.LookPath(path); err == nil {
			return true
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is good
	return len(found) > 0
}

func (p *Process) launch() {
	p.t.Helper()
	cmd := exec.Command(p.command.Program, p.command.Args...)
	cmd.Dir, cmd.Env = p.command.Dir, p.command.Env
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if p.command.Output != nil {
		cmd.Stdout, cmd.Stderr = p.command.Output, p.command.Output
	}
	// Should the tests die, their servers must not outlive them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: p.command.Credential}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.command.Program, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
}

// WaitReady returns when the server is ready, and fails the test when it ends
// instead.
func (p *Process) WaitReady() {
	p.t.Helper()
	_, done := p.current()
	WaitFor(p.t, p.command.Program+" to be ready", func(ctx context.Context) error {
		select {
		case <-done:
			p.t.Fatalf("%s ended at once:\n%s", p.command.Program, p.Log())
		default:
		}
		return p.command.Ready(ctx)
	})
}

// Restart runs the same command again, after the server ended.
func (p *Process) Restart() {
	p.t.Helper()
	p.launch()
	p.WaitReady()
}

// Kill ends the server without a chance to save anything (SIGKILL) and waits.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Term asks the server to end (SIGTERM) and waits.
func (p *Process) Term() { p.end(syscall.SIGTERM) }

// Stop freezes the server (SIGSTOP): it keeps its connections and says nothing.
// The signal takes a moment to reach every thread; Stop returns after that.
func (p *Process) Stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	cmd, _ := p.current()
	WaitFor(p.t, p.command.Program+" to be frozen", func(context.Context) error {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", cmd.Process.Pid))
		if err != nil {
			return err
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			// After the name in parentheses comes the state; T is stopped (proc(5)).
			if _, state, ok := bytes.Cut(stat, []byte(") ")); err == nil && ok && state[0] != 'T' {
				return fmt.Errorf("a thread is in state %c", state[0])
			}
		}
		return nil
	})
}

// Cont lets a frozen server go on (SIGCONT).
func (p *Process) Cont() { p.signal(syscall.SIGCONT) }

// PID is the process's number.
func (p *Process) PID() int {
	cmd, _ := p.current()
	return cmd.Process.Pid
}

// Path is the file of its program.
func (p *Process) Path() string { return p.command.Program }

// Log returns what the server has printed so far.
func (p *Process) Log() string { return p.log.String() }

func (p *Process) end(s syscall.Signal) {
	p.t.Helper()
	p.signal(s)
	_, done := p.current()
	select {
	case <-done:
	case <-time.After(patience):
		p.t.Errorf("%s does not end on %v", p.command.Program, s)
	}
}

func (p *Process) signal(s syscall.Signal) {
	p.t.Helper()
	cmd, _ := p.current()
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("%v to %s: %v", s, p.command.Program, err)
	}
}

func (p *Process) current() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd, p.done
}

// WaitFor tries condition until it returns nil, and fails the test with its
// last error when that takes too long.
func WaitFor(t T, what string, condition func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	var last error // of an attempt that was not cut short by the end of patience
	for {
		err := condition(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v for %s: %v", patience, what, last)
		case <-again.C:
		}
	}
}

// Accepts is a condition: something listens on address.
func Accepts(network, address string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// Ports of a server are drawn from below those the system gives to outgoing
// connections (32768 and up on Linux), so that nothing takes a port while its
// server is down.
const lowestPort, highestPort = 12000, 32000

// FreePort returns a loopback port that nothing listens on, and that is nobody
// else's until the test ends: not of another test of this process, nor of
// another process that asks here. A name in Linux's abstract namespace stands
// for it (unix(7)), which lives as long as who holds it.
func FreePort(t T) int {
	t.Helper()
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		claim, err := net.Listen("unix", fmt.Sprintf("@cloakroom/port/%d", port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", Address(port))
		if err != nil {
			_ = claim.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = claim.Close() })
		return port
	}
	t.Fatal("no free port")
	return 0
}

// Address is the loopback address of port.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Dir returns a new folder with a short path, so that a Unix socket fits into
// it (108 bytes, unix(7)), owned by whom the server runs as.
func Dir(t T, owner *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "srv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Unprivileged returns the credential of the system user name when the test
// runs as root, whom some servers refuse to run as; otherwise nil.
func Unprivileged(t T, name string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// buffer is a log that is written and read at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
