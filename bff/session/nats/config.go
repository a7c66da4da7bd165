package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/secret"
)

// Config of a Store: URL or Cluster.Listen is needed.
type Config struct {
	// URL is that of a NATS cluster, nats://user:password@host1:4222,host2:4222 or
	// nats://token@host. tls instead of nats insists on TLS. Parameters: ca_file,
	// cert_file, key_file, creds_file, domain, bucket (cloakroom), and for a
	// bucket that is not there yet storage, which is file (the default) or memory.
	URL secret.String
	// Cluster embeds a server instead.
	Cluster Cluster
	// Replicas is how many servers keep each session. 0 means 3, or as many as
	// there are.
	Replicas int
	// MaxBytes bounds the bucket, markers and index included, when it is made.
	// 0 means 256 MiB of a Cluster, and no bound elsewhere.
	MaxBytes int64
	// Timeout bounds each operation; 0 means 2 s.
	Timeout time.Duration
	// Now is the clock; nil means time.Now. The server has one of its own.
	Now func() time.Time
	// Log gets what no caller hears of; nil discards it.
	Log *slog.Logger
}

// Cluster is the embedded server and those it works with.
type Cluster struct {
	// Listen is the address at which the other servers reach this one; without
	// Peers nothing listens.
	Listen string
	// Peers are the addresses of all servers, with or without this one. An odd
	// number keeps working when the smaller half is lost.
	Peers []string
	// Name of this server, the same after a restart; empty means Listen, with
	// the host's name if that has none.
	Name string
	// Secret is what a server must know to join: at least 16 bytes, needed with
	// Peers. Whoever joins may read and change everything that is kept.
	Secret secret.String
	// StoreDir keeps the sessions on disk; empty means in memory.
	StoreDir string
	// CertFile, KeyFile and CAFile protect the way between the servers; every
	// server shows a certificate of that authority. Certificate and key are read
	// anew for each connection. Without, whoever sits in between may join.
	CertFile, KeyFile, CAFile string
}

const (
	defaultTimeout  = 2 * time.Second
	defaultReplicas = 3
	defaultMaxBytes = 256 << 20
	leastSecret     = 16
)

func (c *Config) complete() error {
	var problems []error
	if c.Timeout < 0 || c.Replicas < 0 || c.MaxBytes < 0 {
		problems = append(problems, errors.New("bounds must not be negative"))
	}
	if c.Replicas > 5 {
		problems = append(problems, errors.New("more than 5 replicas are not possible"))
	}
	switch {
	case c.URL.Empty() && c.Cluster.Listen == "":
		problems = append(problems, errors.New("needs a URL, or an address for the embedded server to listen on"))
	case !c.URL.Empty() && c.Cluster.Listen != "":
		problems = append(problems, errors.New("takes a URL or an embedded server, not both"))
	case c.URL.Empty():
		problems = append(problems, c.Cluster.complete())
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(problems...)
}

// complete checks c, puts this server among its Peers, and names it.
func (c *Cluster) complete() error {
	var problems []error
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return fmt.Errorf("cluster: listen: %w", err)
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "localhost"
	}
	if c.Name == "" {
		c.Name = net.JoinHostPort(host, port)
		if wildcard(host) {
			c.Name = net.JoinHostPort(machine, port)
		}
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		problems = append(problems, errors.New("cluster: a name has no spaces"))
	}
	if (c.CertFile == "") != (c.KeyFile == "") || (c.CertFile == "") != (c.CAFile == "") {
		problems = append(problems, errors.New("cluster: TLS needs a certificate, its key and the authority's certificate"))
	}
	c.Peers = slices.Clone(c.Peers)
	self := false
	for _, peer := range c.Peers {
		peerHost, peerPort, err := splitAddress(peer)
		if err != nil || wildcard(peerHost) {
			problems = append(problems, errors.New("cluster: peers are host:port"))
			continue
		}
		short, _, _ := strings.Cut(peerHost, ".")
		self = self || peer == c.Listen || peer == c.Name ||
			peerPort == port && wildcard(host) && (peerHost == machine || short == machine)
	}
	if slices.Sort(c.Peers); len(slices.Compact(c.Peers)) != len(c.Peers) {
		problems = append(problems, errors.New("cluster: a peer is named twice"))
	}
	if len(c.Peers) > 0 && !self {
		// The first vote counts who is named: this server, too.
		own := c.Listen
		if wildcard(host) {
			own = net.JoinHostPort("127.0.0.1", port)
		}
		c.Peers = append(c.Peers, own)
	}
	if len(c.Peers) > 1 && c.Secret.Len() < leastSecret {
		problems = append(problems, fmt.Errorf("cluster: needs a secret of at least %d bytes", leastSecret))
	}
	return errors.Join(problems...)
}

// alone reports whether there are no other servers.
func (c *Cluster) alone() bool { return len(c.Peers) < 2 }

func splitAddress(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil || !regexp.MustCompile(`^[0-9]{1,5}$`).MatchString(port) || port == "0" {
		return "", "", errors.New("not host:port")
	}
	return host, port, nil
}

func wildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
