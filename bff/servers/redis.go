package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const redisPackage = "redis-server"

// RedisServer is one redis-server: alone, of a group or of a Cluster.
type RedisServer struct {
	*Process
	Port int
	// Dir holds its files: dump.rdb, appendonlydir.
	Dir string
	t   T
}

// Redis starts one server. lines are of its configuration; without any, it
// keeps nothing on disk.
func Redis(t T, lines ...string) *RedisServer {
	t.Helper()
	r := launchRedis(t, FreePort(t), nil, lines...)
	r.WaitReady()
	return r
}

// launchRedis starts a server on port with lines of configuration, which may
// override those here, and extra arguments.
func launchRedis(t T, port int, args []string, lines ...string) *RedisServer {
	t.Helper()
	r := &RedisServer{Port: port, Dir: Dir(t, nil), t: t}
	config := append([]string{
		fmt.Sprintf("port %d", port), "bind 127.0.0.1", "dir " + r.Dir, "daemonize no", `save ""`,
		"repl-diskless-sync-delay 0", "repl-ping-replica-period 1",
	}, lines...)
	file := filepath.Join(r.Dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Process = Launch(t, Command{
		Program: "redis-server", Package: redisPackage, Args: append([]string{file}, args...), Dir: r.Dir, Ready: r.ready,
	})
	return r
}

// Addr is host and port.
func (r *RedisServer) Addr() string { return Address(r.Port) }

// Do runs a command, whose arguments may be any bytes, and returns its reply,
// the elements of an array on lines of their own. It fails the test when it
// cannot.
func (r *RedisServer) Do(args ...string) string {
	r.t.Helper()
	reply, err := r.Try(args...)
	if err != nil {
		r.t.Fatalf("redis: %q: %v", args, err)
	}
	return reply
}

// Try is Do for a command that may fail.
func (r *RedisServer) Try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return r.call(ctx, args...)
}

// call speaks the Redis protocol (RESP2) on a connection of its own.
func (r *RedisServer) call(ctx context.Context, args ...string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	request := fmt.Sprintf("*%d\r\n", len(args))
	for _, arg := range args {
		request += fmt.Sprintf("$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(conn))
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil || len(line) < 3 {
		return "", fmt.Errorf("reply %q: %w", line, err)
	}
	kind, text := line[0], strings.TrimSuffix(line[1:], "\r\n")
	if kind == '+' || kind == ':' {
		return text, nil
	}
	if kind == '-' {
		return "", errors.New(text)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	}
	var elements []string
	for range n {
		element, err := readReply(r)
		if err != nil {
			return "", err
		}
		elements = append(elements, element)
	}
	return strings.Join(elements, "\n"), nil
}

// ready waits for an answer to PING, also one that asks for a password.
func (r *RedisServer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := r.call(ctx, "PING")
	if err != nil && strings.HasPrefix(err.Error(), "NOAUTH") {
		return nil
	}
	return err
}

// RedisGroup is a primary and its replicas, watched by Sentinels.
type RedisGroup struct {
	// Name is the primary's, under which the Sentinels know it.
	Name               string
	Servers, Sentinels []*RedisServer
}

// RedisSentinel starts a primary, two replicas and three Sentinels that need
// two votes. lines are added to the servers' configuration.
func RedisSentinel(t T, lines ...string) *RedisGroup {
	t.Helper()
	g := &RedisGroup{Name: "cloakroom"}
	for i := range 3 {
		config := lines
		if i > 0 {
			config = append([]string{fmt.Sprintf("replicaof 127.0.0.1 %d", g.Servers[0].Port)}, lines...)
		}
		g.Servers = append(g.Servers, launchRedis(t, FreePort(t), nil, config...))
	}
	for _, s := range g.Servers {
		s.WaitReady()
	}
	for range 3 {
		g.Sentinels = append(g.Sentinels, launchRedis(t, FreePort(t), []string{"--sentinel"},
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", g.Name, g.Servers[0].Port),
			fmt.Sprintf("sentinel down-after-milliseconds %s 1000", g.Name),
			fmt.Sprintf("sentinel failover-timeout %s 5000", g.Name),
		))
	}
	for _, s := range g.Sentinels {
		WaitFor(t, "the Sentinels to see each other and the replicas", func(context.Context) error {
			out, err := s.Try("sentinel", "master", g.Name)
			if fields := pairs(out); err != nil || fields["num-other-sentinels"] != "2" || fields["num-slaves"] != "2" {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		})
	}
	return g
}

// Addrs are the Sentinels' addresses, separated by commas.
func (g *RedisGroup) Addrs() string { return join(g.Sentinels) }

// Primary returns the server that the first Sentinel holds for the primary.
func (g *RedisGroup) Primary() *RedisServer {
	out := g.Sentinels[0].Do("sentinel", "get-master-addr-by-name", g.Name)
	for _, s := range g.Servers {
		if strings.HasSuffix(out, strconv.Itoa(s.Port)) {
			return s
		}
	}
	g.Sentinels[0].t.Fatalf("no server is the primary: %s", out)
	return nil
}

// WaitReplicas returns when the primary has n replicas that keep up with it.
func (g *RedisGroup) WaitReplicas(n int) {
	t := g.Servers[0].t
	t.Helper()
	WaitFor(t, "the replicas to follow", func(context.Context) error {
		out, err := g.Primary().Try("info", "replication")
		if err != nil || strings.Count(out, "state=online") < n {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
}

// RedisNodes is a Cluster.
type RedisNodes struct{ Nodes []*RedisServer }

// RedisCluster starts a Cluster of three primaries with a replica each. lines
// are added to the servers' configuration.
func RedisCluster(t T, lines ...string) *RedisNodes {
	t.Helper()
	c := &RedisNodes{}
	for range 6 {
		c.Nodes = append(c.Nodes, launchRedis(t, FreePort(t), nil, append([]string{
			"cluster-enabled yes", "cluster-node-timeout 2000", fmt.Sprintf("cluster-port %d", FreePort(t)),
		}, lines...)...))
	}
	create := []string{"--cluster", "create"}
	for _, n := range c.Nodes {
		n.WaitReady()
		create = append(create, n.Addr())
	}
	create = append(create, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.Command(Program(t, "redis-cli", "redis-tools"), create...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(create, " "), err, out)
	}
	c.WaitWhole(3)
	return c
}

// Addrs are the nodes' addresses, separated by commas.
func (c *RedisNodes) Addrs() string { return join(c.Nodes) }

// WaitWhole returns when every node that runs says that all slots are covered,
// and n replicas follow their primaries.
func (c *RedisNodes) WaitWhole(n int) {
	t := c.Nodes[0].t
	t.Helper()
	WaitFor(t, "the Cluster to be whole", func(context.Context) error {
		following := 0
		for _, node := range c.Nodes {
			out, err := node.Try("cluster", "info")
			if err != nil {
				continue
			}
			if !strings.Contains(out, "cluster_state:ok") {
				return errors.New(out)
			}
			if out, _ := node.Try("info", "replication"); strings.Contains(out, "master_link_status:up") {
				following++
			}
		}
		if following < n {
			return fmt.Errorf("%d replicas follow", following)
		}
		return nil
	})
}

// PrimaryOf returns the node that serves key.
func (c *RedisNodes) PrimaryOf(key string) *RedisServer {
	t := c.Nodes[0].t
	t.Helper()
	if n := c.primaryOf(key); n != nil {
		return n
	}
	t.Fatal("no node serves the key")
	return nil
}

// WaitAnother returns when another node than old serves key.
func (c *RedisNodes) WaitAnother(key string, old *RedisServer) {
	t := c.Nodes[0].t
	t.Helper()
	WaitFor(t, "another node to serve the key", func(context.Context) error {
		if n := c.primaryOf(key); n == nil || n == old {
			return errors.New("none does")
		}
		return nil
	})
}

func (c *RedisNodes) primaryOf(key string) *RedisServer {
	for _, n := range c.Nodes {
		role, err := n.Try("role")
		if err != nil || !strings.HasPrefix(role, "master") {
			continue
		}
		if _, err := n.Try("exists", key); err == nil { // and not MOVED
			return n
		}
	}
	return nil
}

func join(all []*RedisServer) string {
	addrs := make([]string, len(all))
	for i, s := range all {
		addrs[i] = s.Addr()
	}
	return strings.Join(addrs, ",")
}

// pairs reads lines of name and value in turn.
func pairs(out string) map[string]string {
	lines, m := strings.Split(out, "\n"), map[string]string{}
	for i := 0; i+1 < len(lines); i += 2 {
		m[strings.TrimSpace(lines[i])] = strings.TrimSpace(lines[i+1])
	}
	return m
}
