package servers

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// PostgresServer is a PostgreSQL server that asks for passwords and offers TLS.
type PostgresServer struct {
	*Process
	Port int
	Certificate
	// Data is the folder with its files.
	Data string
}

// The superusers of a PostgresServer and of a MariaDBServer.
const (
	PostgresUser, PostgresPassword = "postgres", "super-secret-postgres"
	MariaDBUser, MariaDBPassword   = "admin", "super-secret-mariadb"
)

// Postgres runs a new PostgreSQL server with the given settings, each as
// name=value.
func Postgres(t T, settings ...string) *PostgresServer {
	t.Helper()
	owner := Unprivileged(t, "postgres")
	dir := Dir(t, owner)
	p := &PostgresServer{Port: FreePort(t), Certificate: certificateOf(t, dir, owner), Data: filepath.Join(dir, "data")}

	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	give(t, owner, password)
	initdb := exec.Command(postgresProgram(t, "initdb"),
		"-D", p.Data, "-U", PostgresUser, "--pwfile="+password, "--auth=scram-sha-256", "--no-sync", "--no-instructions")
	initdb.Dir = dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}

	args := []string{"-D", p.Data, "-p", strconv.Itoa(p.Port), "-k", dir}
	settings = append([]string{
		"listen_addresses=127.0.0.1", "ssl=on", "ssl_cert_file=" + p.Cert, "ssl_key_file=" + p.Key,
		// Else a killed server leaves its memory in /dev/shm.
		"dynamic_shared_memory_type=mmap",
	}, settings...)
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	p.Process = Start(t, Command{
		Program: postgresProgram(t, "postgres"), Package: "postgresql", Args: args, Dir: dir, Credential: owner,
		Ready: func(ctx context.Context) error {
			isReady := exec.CommandContext(ctx, postgresProgram(t, "pg_isready"), "-h", "127.0.0.1", "-p", strconv.Itoa(p.Port))
			if out, err := isReady.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		},
	})
	// An immediate shutdown tidies up what a kill does not.
	t.Cleanup(func() {
		p.Cont()
		p.end(syscall.SIGQUIT)
	})
	return p
}

// certificateOf issues a certificate whose files belong to owner, as a server
// wants it of its key.
func certificateOf(t T, dir string, owner *syscall.Credential) Certificate {
	t.Helper()
	c := NewCertificate(t, dir)
	give(t, owner, c.CA, c.Cert, c.Key)
	return c
}

func give(t T, owner *syscall.Credential, files ...string) {
	t.Helper()
	if owner == nil {
		return
	}
	for _, file := range files {
		if err := os.Chown(file, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// postgresProgram finds what Debian keeps out of PATH, of the newest version.
func postgresProgram(t T, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is good
	if len(found) == 0 {
		return Program(t, name, "postgresql")
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// URL is how user reaches a database over loopback TCP.
func (p *PostgresServer) URL(user, password, database string, query url.Values) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Host: Address(p.Port), Path: database, RawQuery: query.Encode(),
	}).String()
}

// Kill ends the server and the processes it has for its clients, which would
// live on for a moment.
func (p *PostgresServer) Kill() {
	p.t.Helper()
	children := p.Children()
	p.Process.Kill()
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone by itself
	}
	WaitFor(p.t, "the children of postgres to end", func(context.Context) error {
		for _, pid := range children {
			if parentOf(pid) != 0 {
				return fmt.Errorf("process %d is still there", pid)
			}
		}
		return nil
	})
}

// Term asks the server to end its clients' connections and itself (a fast
// shutdown): on SIGTERM it would wait until they have gone.
func (p *PostgresServer) Term() { p.end(syscall.SIGINT) }

// Stop freezes the server with all its processes.
func (p *PostgresServer) Stop() {
	p.t.Helper()
	p.Process.Stop() // first, so that there are no new ones
	for _, pid := range p.Children() {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// Cont lets a frozen server go on.
func (p *PostgresServer) Cont() {
	p.t.Helper()
	for _, pid := range p.Children() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	p.Process.Cont()
}

// childrenOf returns the processes whose parent is pid.
func childrenOf(t T, pid int) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var children []int
	for _, entry := range entries {
		if child, err := strconv.Atoi(entry.Name()); err == nil && parentOf(child) == pid {
			children = append(children, child)
		}
	}
	return children
}

// parentOf reads a process's parent (proc(5)); 0 when there is no such process,
// or nothing but its entry.
func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything; the state and the parent follow.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 || string(fields[0]) == "Z" {
		return 0
	}
	parent, _ := strconv.Atoi(string(fields[1]))
	return parent
}
