package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// MemcachedServer is one memcached.
type MemcachedServer struct {
	*Process
	Port int
	t    T
}

// Memcached starts a server, with 64 MB unless args say else.
func Memcached(t T, args ...string) *MemcachedServer {
	t.Helper()
	m := &MemcachedServer{Port: FreePort(t), t: t}
	args = append([]string{"-l", "127.0.0.1", "-p", strconv.Itoa(m.Port), "-U", "0", "-c", "1024"}, args...)
	// It refuses to be root, and if it changed user itself (-u) it would outlive
	// a test that dies: that clears Pdeathsig (prctl(2)).
	nobody := Unprivileged(t, "nobody")
	m.Process = Start(t, Command{
		Program: "memcached", Package: "memcached", Args: args, Dir: Dir(t, nobody), Credential: nobody,
		Ready: func(ctx context.Context) error {
			_, err := m.call(ctx, "version\r\n", 1)
			return err
		},
	})
	return m
}

// Addr is host and port.
func (m *MemcachedServer) Addr() string { return Address(m.Port) }

// Do sends a command with its data, and returns the first line of the reply.
func (m *MemcachedServer) Do(command string) string {
	m.t.Helper()
	reply, err := m.call(context.Background(), command, 1)
	if err != nil {
		m.t.Fatalf("memcached: %v", err)
	}
	return reply[0]
}

// Stat returns one of the server's counters.
func (m *MemcachedServer) Stat(name string) int {
	m.t.Helper()
	lines, err := m.call(context.Background(), "stats\r\n", 0)
	if err != nil {
		m.t.Fatalf("memcached: %v", err)
	}
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "STAT "+name+" "); ok {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}
	m.t.Fatalf("memcached has no counter %s", name)
	return 0
}

// call sends a command and reads n lines, or all to END when n is 0.
func (m *MemcachedServer) call(ctx context.Context, command string, n int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.Addr())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte(command)); err != nil {
		return nil, err
	}
	var lines []string
	for scanner := bufio.NewScanner(conn); ; {
		if !scanner.Scan() {
			return nil, fmt.Errorf("after %d lines: %w", len(lines), scanner.Err())
		}
		line := scanner.Text()
		if n == 0 && line == "END" {
			return lines, nil
		}
		if lines = append(lines, line); len(lines) == n {
			return lines, nil
		}
	}
}
