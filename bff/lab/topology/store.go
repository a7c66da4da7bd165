package topology

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// store is what keeps the sessions, if that is outside the servers.
type store struct {
	nodes []*storeNode
	// target is the one address of the store, which a relay leads to; empty:
	// clients find its nodes by themselves.
	target string
	// session is the store's part of a server's config, given how that server
	// reaches target.
	session func(address string) string
	// whole returns when the store is as it was made, after nodes came back; nil:
	// at once.
	whole func()
	// primary is the node that failover kills, and another returns when one has
	// taken its place; nil: there is none.
	primary func() *storeNode
	another func(than *storeNode)
	// flush deletes everything. fill leaves no memory, and ease undoes that; nil: it
	// cannot be.
	flush, fill, ease func() error
	// held is what the sessions take, in bytes, and how many there are; from says how
	// that was found.
	held func(ctx context.Context) (bytes, sessions int64, err error)
	from string
}

// storeNode is one process of a store.
type storeNode struct {
	lab.Node
	process interface {
		Kill()
		Term()
		Restart()
	}
	redis *servers.RedisServer // nil: it is none
}

var kinds = map[lab.StoreKind]struct {
	// program is what runs it, and debian where that is; empty: it is built.
	program, debian string
	start           func(w *World) *store
}{
	lab.Redis:         {"redis-server", "redis-server", startRedis},
	lab.RedisSentinel: {"redis-server", "redis-server", startSentinel},
	lab.RedisCluster:  {"redis-server", "redis-server", startCluster},
	lab.InBrowser:     {"redis-server", "redis-server", startDenylist},
	lab.Memcached:     {"memcached", "memcached", startMemcached},
	lab.SQL:           {"postgres", "postgresql", startSQL},
	lab.Document:      {"", "", startDocument},
}

// Missing says what has to be installed for a topology behind a balancer; nil:
// nothing.
func Missing(t lab.Topology, balancer string) error {
	var problems []error
	need := func(program, debian string) {
		if !servers.Installed(program) {
			problems = append(problems, fmt.Errorf("topology: %s is not installed: apt-get install %s", program, debian))
		}
	}
	if kind, ok := kinds[t.Kind]; ok {
		if kind.program == "" {
			problems = append(problems, builds("FerretDB"))
		} else {
			need(kind.program, kind.debian)
		}
	}
	switch balancer {
	case "", lab.Embedded:
	case "haproxy":
		need("haproxy", "haproxy")
	case "nginx":
		need("nginx", "nginx")
		need("envsubst", "gettext-base")
	case "caddy":
		problems = append(problems, builds("Caddy"))
	default:
		problems = append(problems, fmt.Errorf("topology: there is no balancer %q; there are: %s", balancer, strings.Join(lab.Balancers(), " ")))
	}
	return errors.Join(problems...)
}

// Prepare builds what is built for some topologies, one after the other, so that
// it is there when they start.
func Prepare(ctx context.Context, topologies []lab.Topology, balancer string, progress io.Writer) error {
	err := servers.Perform(ctx, progress, func(stage *servers.Stage) {
		if balancer == "caddy" {
			servers.Build(stage, "bff/servers/caddy", ".", "caddy")
		}
		for _, t := range topologies {
			if t.Kind == lab.Document {
				servers.Build(stage, "bff/servers/ferretdb", ".", "ferretdb")
			}
		}
	})
	if err != nil {
		return fmt.Errorf("topology: %w", err)
	}
	return nil
}

// builds returns nil if programs of this project's modules can be built.
func builds(name string) error {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("topology: %s is built by Go, which is not installed", name)
	}
	folder := filepath.Dir(strings.TrimSpace(string(mod)))
	if module, err := exec.Command("go", "-C", folder, "list", "-m").Output(); err != nil || strings.TrimSpace(string(module)) != "cloakroom" {
		return fmt.Errorf("topology: %s is built from the source of this project: start it in the project's folder", name)
	}
	return nil
}

// section is the session section of a server's config. keys is its ring, and
// address how it reaches the store, where that has one.
func (w *World) section(i *server, keys string) string {
	return fmt.Sprintf("session: {%s, keys: %s}\n", w.keeps(i), keys)
}

// keeps says where sessions are kept.
func (w *World) keeps(i *server) string {
	switch w.topology.Kind {
	case lab.InMemory:
		return fmt.Sprintf("store: memory, max_bytes: %d", memoryBytes)
	case lab.InFile:
		return fmt.Sprintf("store: file, url: %q", filepath.Join(i.dir, sessionFile))
	case lab.Replicated:
		var quoted []string
		for _, peer := range w.peers {
			quoted = append(quoted, fmt.Sprintf("%q", peer))
		}
		return fmt.Sprintf("store: nats, max_bytes: 64MiB, cluster: {listen: %q, peers: [%s], secret: %q}", i.peer, strings.Join(quoted, ", "), w.parties.secret.Reveal())
	}
	address := w.store.target
	if i.relay != nil {
		address = i.relay.addr()
	}
	text := w.store.session(address)
	if w.topology.NearCache {
		text += ", near_cache: {size: 16MiB, max_age: 2s}"
	}
	return text
}

// sessionFile is where a server keeps them that does so in a file.
const sessionFile = "sessions"

// memoryBytes bounds the memory of a server that keeps sessions itself, so that
// it can be filled: the least there can be.
const memoryBytes = 1 << 20
