package topology

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloakroom/bff/servers"
	"cloakroom/shared/lab"
)

// durable is what package session/redis asks of a server that outlives its
// restart.
var durable = []string{"appendonly yes", "appendfsync always", "maxmemory-policy noeviction"}

func redisNode(r *servers.RedisServer, name string) *storeNode {
	return &storeNode{Node: lab.Node{Kind: lab.NodeStore, Name: name, Address: r.Addr(), State: lab.NodeUp}, process: r, redis: r}
}

func redisNodes(all []*servers.RedisServer, name string) []*storeNode {
	var nodes []*storeNode
	for i, r := range all {
		nodes = append(nodes, redisNode(r, fmt.Sprintf("%s-%d", name, i+1)))
	}
	return nodes
}

// startRedis runs one server.
func startRedis(w *World) *store {
	r := servers.Redis(w.stage, durable...)
	s := redisStore(w, redisNodes([]*servers.RedisServer{r}, "redis"))
	s.target = r.Addr()
	s.session = func(address string) string { return fmt.Sprintf("store: redis, url: %q", "redis://"+address) }
	return s
}

// startDenylist runs one server for what is not in the browser.
func startDenylist(w *World) *store {
	s := startRedis(w)
	s.session = func(address string) string {
		return fmt.Sprintf("store: cookie, denylist: {store: redis, url: %q}", "redis://"+address)
	}
	s.held = nil // it has none of a session while that lasts
	return s
}

// startSentinel runs a primary and two replicas, which both confirm each write, so
// that no failover brings back who signed out.
func startSentinel(w *World) *store {
	g := servers.RedisSentinel(w.stage, durable...)
	s := redisStore(w, redisNodes(g.Servers, "redis"))
	data := s.nodes
	s.nodes = append(s.nodes, redisNodes(g.Sentinels, "sentinel")...)
	s.session = func(string) string {
		return fmt.Sprintf("store: redis, url: %q", "redis+sentinel://"+g.Addrs()+"/"+g.Name+"?wait=2")
	}
	s.whole = func() { g.WaitReplicas(2) }
	s.primary = func() *storeNode { return nodeOf(data, g.Primary()) }
	s.another = func(old *storeNode) {
		servers.WaitFor(w.stage, "a replica to take over", func(context.Context) error {
			for _, sentinel := range g.Sentinels {
				told, err := sentinel.Try("sentinel", "get-master-addr-by-name", g.Name)
				if err != nil {
					return err
				}
				if strings.HasSuffix(told, strconv.Itoa(old.redis.Port)) {
					return errors.New("a Sentinel still names the one that was killed")
				}
			}
			role, err := g.Primary().Try("role")
			if err == nil && !strings.HasPrefix(role, "master") {
				err = errors.New("it is a replica still")
			}
			return err
		})
	}
	return s
}

// startCluster runs three primaries, each with a replica that confirms writes.
func startCluster(w *World) *store {
	c := servers.RedisCluster(w.stage, durable...)
	s := redisStore(w, redisNodes(c.Nodes, "redis"))
	s.session = func(string) string {
		return fmt.Sprintf("store: redis, url: %q", "redis+cluster://"+c.Addrs()+"?wait=1")
	}
	s.whole = func() { c.WaitWhole(3) }
	const key = "any"
	s.primary = func() *storeNode { return nodeOf(s.nodes, c.PrimaryOf(key)) }
	s.another = func(old *storeNode) { c.WaitAnother(key, old.redis) }
	return s
}

func nodeOf(nodes []*storeNode, r *servers.RedisServer) *storeNode {
	for _, n := range nodes {
		if n.redis == r {
			return n
		}
	}
	return nil
}

// weigh says how many bytes all keys take, and how many are sessions. Keys may
// hold any bytes, so they are better not sent.
const weigh = `
local bytes, sessions = 0, 0
for _, key in ipairs(redis.call("KEYS", "*")) do
	bytes = bytes + (redis.call("MEMORY", "USAGE", key) or 0)
	if string.sub(key, 1, 12) == "cloakroom:s:" then sessions = sessions + 1 end
end
return bytes .. " " .. sessions`

// redisStore is what all kinds of Redis have in common.
func redisStore(w *World, data []*storeNode) *store {
	s := &store{nodes: data, from: "what Redis says of each of its keys (MEMORY USAGE)"}
	// on does something at every primary that runs.
	on := func(f func(r *servers.RedisServer) error) error {
		var errs []error
		for _, n := range data {
			role, err := n.redis.Try("role")
			if err != nil {
				continue // it is down
			}
			if strings.HasPrefix(role, "master") {
				errs = append(errs, f(n.redis))
			}
		}
		return errors.Join(errs...)
	}
	command := func(args ...string) func() error {
		return func() error {
			return on(func(r *servers.RedisServer) error {
				_, err := r.Try(args...)
				return err
			})
		}
	}
	s.flush = command("flushall", "sync")
	s.fill = command("config", "set", "maxmemory", "1")
	s.ease = command("config", "set", "maxmemory", "0")
	s.held = func(context.Context) (bytes, sessions int64, err error) {
		err = on(func(r *servers.RedisServer) error {
			text, err := r.Try("eval", weigh, "0")
			if err != nil {
				return err
			}
			var b, n int64
			if _, err := fmt.Sscan(text, &b, &n); err != nil {
				return err
			}
			bytes, sessions = bytes+b, sessions+n
			return nil
		})
		return bytes, sessions, err
	}
	return s
}
