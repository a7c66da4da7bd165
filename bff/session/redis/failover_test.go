package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/storetest"
)

// With wait at the number of replicas, a failover loses nothing that was
// acknowledged. The price: no writes until as many replicas are back.
func TestNothingIsLostInAFailoverBySentinel(t *testing.T) {
	t.Parallel()
	group := servers.RedisSentinel(t, documentedUser(t, "+role"))
	group.WaitReplicas(2)
	s := open(t, withUser(sentinelURL(group))+"?wait=2")
	storetest.RunChaos(t, storetest.Chaos{Telltale: told, Stores: storetest.One(s), Hurt: func(t *testing.T, l *storetest.Load) {
		// The primary dies with writes that no replica has.
		old := group.Primary()
		replicas := slices.DeleteFunc(slices.Clone(group.Servers), func(r *servers.RedisServer) bool { return r == old })
		for _, r := range replicas {
			r.Stop()
		}
		old.Do("client", "kill", "type", "replica") // or it would be in their sockets
		l.WaitFailure(storetest.Ending)
		l.WaitFailure(storetest.Changing)
		old.Kill()
		for _, r := range replicas {
			r.Cont()
		}
		l.WaitFailure(storetest.Reading)
		servers.WaitFor(t, "another primary", func(context.Context) error {
			if group.Primary() == old {
				return errors.New("the dead one still is it")
			}
			return nil
		})
		l.Wait(storetest.Reading, 100)
		old.Restart()
		// The Sentinels would do this too, but take their time to make sure.
		old.Do("replicaof", "127.0.0.1", fmt.Sprint(group.Primary().Port))
		group.WaitReplicas(2)
	}})
}

func TestNothingIsLostWhenAPrimaryOfAClusterIsKilled(t *testing.T) {
	t.Parallel()
	cluster := servers.RedisCluster(t, documentedUser(t, "+cluster|slots", "+cluster|shards"))
	s := open(t, withUser("redis+cluster://"+cluster.Addrs())+"?wait=1")
	storetest.RunChaos(t, storetest.Chaos{Telltale: told, Stores: storetest.One(s), Hurt: func(_ *testing.T, l *storetest.Load) {
		const key = "cloakroom:s:of somebody"
		old := cluster.PrimaryOf(key)
		old.Kill()
		l.WaitFailure(storetest.Reading)
		l.WaitFailure(storetest.Ending)
		// Until then nobody may restart it: it would be the primary still, empty.
		cluster.WaitAnother(key, old)
		cluster.WaitWhole(2)
		l.Wait(storetest.Reading, 100)
		old.Restart()
		cluster.WaitWhole(3)
	}})
}

// A delete that too few replicas confirmed has failed, and fails again until
// they do: it must not succeed because there is nothing left to delete.
func TestADeleteIsRepeatedUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	primary := servers.Redis(t)
	replica := servers.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", primary.Port))
	servers.WaitFor(t, "the replica to follow", func(context.Context) error {
		out, err := primary.Try("wait", "1", "1")
		if err != nil || out != "1" {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	url := "redis://" + primary.Addr() + "?wait=1"
	r := record(time.Hour)
	r.Version = create(t, open(t, url), r)

	replica.Stop()
	told.WantFailure(t, "the first Delete", open(t, url).Delete(t.Context(), r.ID), r)
	told.WantFailure(t, "the second Delete", open(t, url).Delete(t.Context(), r.ID), r)
	_, err := open(t, url).Create(t.Context(), record(time.Hour))
	told.WantFailure(t, "Create", err, r)
	replica.Cont()
	servers.WaitFor(t, "the delete to be confirmed", func(ctx context.Context) error {
		return open(t, url).Delete(ctx, r.ID)
	})
	if _, err := open(t, "redis://"+primary.Addr()).Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
}

// documentedUser is the user of doc.go as a line of the server's configuration.
func documentedUser(t *testing.T, more ...string) string {
	t.Helper()
	line := "user"
	for _, word := range documentedACL(t, testPassword, more...)[2:] {
		line += " " + word
	}
	return line
}
