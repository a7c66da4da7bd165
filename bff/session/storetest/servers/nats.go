package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
func NATS(t testing.TB, lines ...string) *NATSServer {
	t.Helper()
	n := &NATSServer{Port: FreePort(t), Dir: Dir(t, nil)}
	config := append([]string{
		"listen: " + n.Addr(),
		fmt.Sprintf("jetstream { store_dir: %q, max_mem: 4GB, max_file: 4GB }", n.Dir),
	}, lines...)
	file := filepath.Join(n.Dir, "nats.conf")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Process = Start(t, Command{
		Program: Build(t, "", "github.com/nats-io/nats-server/v2", "nats-server"), Args: []string{"-c", file}, Dir: n.Dir, Ready: n.ready,
	})
	return n
}

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
