package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// NATSServer is one nats-server with JetStream.
type NATSServer struct {
	*Process
	Port int
	// Dir holds its files.
	Dir string
}

// NATS starts one server, built from the module that is required anyway. lines
// are added to its configuration.
func NATS(t T, lines ...string) *NATSServer {
	t.Helper()
	n := launchNATS(t, lines...)
	n.WaitReady()
	return n
}

func launchNATS(t T, lines ...string) *NATSServer {
	t.Helper()
	n := &NATSServer{Port: FreePort(t), Dir: Dir(t, nil)}
	config := append([]string{
		"listen: " + n.Addr(),
		"server_name: " + n.name(),
		fmt.Sprintf("jetstream { store_dir: %q, max_mem: 4GB, max_file: 4GB }", n.Dir),
	}, lines...)
	file := filepath.Join(n.Dir, "nats.conf")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Process = Launch(t, Command{
		Program: Build(t, "", "github.com/nats-io/nats-server/v2", "nats-server"), Args: []string{"-c", file}, Dir: n.Dir, Ready: n.ready,
	})
	return n
}

// NATSServers are a cluster.
type NATSServers []*NATSServer

// NATSCluster starts n servers that know each other.
func NATSCluster(t T, n int) NATSServers {
	t.Helper()
	var ports, routes []string
	for range n {
		port := fmt.Sprint(FreePort(t))
		ports, routes = append(ports, port), append(routes, fmt.Sprintf("%q", "nats://127.0.0.1:"+port))
	}
	var all NATSServers
	for _, port := range ports {
		all = append(all, launchNATS(t, fmt.Sprintf("cluster { name: cloakroom, listen: 127.0.0.1:%s, routes: [%s] }", port, strings.Join(routes, ", "))))
	}
	for _, server := range all {
		server.WaitReady()
	}
	return all
}

// Addrs are the servers' addresses, separated by commas.
func (all NATSServers) Addrs() string {
	var addrs []string
	for _, n := range all {
		addrs = append(addrs, n.Addr())
	}
	return strings.Join(addrs, ",")
}

// Named returns the server that calls itself so, or nil.
func (all NATSServers) Named(name string) *NATSServer {
	for _, n := range all {
		if n.name() == name {
			return n
		}
	}
	return nil
}

func (n *NATSServer) name() string { return fmt.Sprintf("server-%d", n.Port) }

// Addr is host and port.
func (n *NATSServer) Addr() string { return Address(n.Port) }

// ready waits for the line with which every connection begins.
func (n *NATSServer) ready(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "INFO ") {
		err = fmt.Errorf("it says %q", line)
	}
	return err
}
