package memcached

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"
)

const (
	scheme        = "memcached://"
	defaultPort   = "11211"
	defaultPrefix = "cloakroom:"
	maxPrefix     = 100
	maxServers    = 64
)

// parseURL reads a URL; see Config.URL for its form. No error repeats it.
func parseURL(text string) (servers, string, error) {
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return nil, "", errors.New("the URL must start with " + scheme)
	}
	hosts, query, _ := strings.Cut(rest, "?")
	hosts = strings.TrimSuffix(hosts, "/")
	var problems []error
	all, err := parseServers(hosts)
	problems = append(problems, err)
	prefix, err := parsePrefix(query)
	return all, prefix, errors.Join(append(problems, err)...)
}

func parseServers(hosts string) (servers, error) {
	var all servers
	seen := map[string]bool{}
	for host := range strings.SplitSeq(hosts, ",") {
		name, number, err := net.SplitHostPort(host)
		if err != nil { // no port; an IPv6 address stands in brackets
			name, number = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), defaultPort
		}
		if p, err := strconv.ParseUint(number, 10, 16); err != nil || p == 0 || name == "" || strings.ContainsAny(name, "[]/@ ") {
			return nil, errors.New("hosts must be host:port, separated by commas; there is no user or password")
		}
		address := net.JoinHostPort(name, number)
		if seen[address] {
			return nil, errors.New("a host is there twice")
		}
		seen[address] = true
		all = append(all, newServer(address))
	}
	if len(all) > maxServers {
		return nil, fmt.Errorf("there may be %d hosts", maxServers)
	}
	return all, nil
}

func parsePrefix(query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("the parameters after ? are malformed")
	}
	for name := range values {
		if name != "prefix" {
			return "", fmt.Errorf("parameter %q is unknown; known: prefix", name)
		}
	}
	if !values.Has("prefix") {
		return defaultPrefix, nil
	}
	prefix := values.Get("prefix")
	if len(prefix) > maxPrefix || strings.ContainsFunc(prefix, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf("prefix must be up to %d visible ASCII characters", maxPrefix)
	}
	return prefix, nil
}

// servers picks one for each key, by rendezvous hashing: a key belongs to the
// server that scores highest for it, so that every instance agrees whatever
// the order of its list, and a change of the list moves only what it must.
// Names are resolved when a connection is made, not before.
type servers []*server

type server struct {
	address string
	seed    uint64
}

var (
	_ memcache.ServerSelector = servers(nil)
	_ net.Addr                = (*server)(nil)
)

func newServer(address string) *server {
	return &server{address: address, seed: hash(address)}
}

func (s *server) Network() string { return "tcp" }
func (s *server) String() string  { return s.address }

// PickServer implements memcache.ServerSelector.
func (all servers) PickServer(key string) (net.Addr, error) {
	h := hash(key)
	best := all[0]
	for _, s := range all[1:] {
		if a, b := mix(h^s.seed), mix(h^best.seed); a > b || a == b && s.address > best.address {
			best = s
		}
	}
	return best, nil
}

// Each implements memcache.ServerSelector.
func (all servers) Each(f func(net.Addr) error) error {
	for _, s := range all {
		if err := f(s); err != nil {
			return fmt.Errorf("%s: %w", s.address, err)
		}
	}
	return nil
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails (package hash)
	return h.Sum64()
}

// mix spreads every bit over all others (the finalizer of MurmurHash3): FNV's
// own high bits hardly depend on the last characters.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
