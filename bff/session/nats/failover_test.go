package nats_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest"
)

// TestNothingIsLostWhenInstancesAreKilled kills the leader of three under load
// and lets it come back; in memory empty-handed, and then the others in turn.
func TestNothingIsLostWhenInstancesAreKilled(t *testing.T) {
	t.Parallel()
	for name, onDisk := range map[string]bool{"in memory": false, "on disk": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := startInstances(t, 3, onDisk)
			kills := 3
			if onDisk {
				kills = 1
			}
			storetest.RunChaos(t, storetest.Chaos{
				Telltale: storetest.Telltale{Secrets: told.Secrets},
				Stores:   []session.Store{all[0], all[1], all[2]},
				Hurt: func(t *testing.T, l *storetest.Load) {
					first := leaderAmong(t, all)
					for n := range kills {
						killed, left := all[(first+n)%3], all[(first+n+1)%3]
						killed.Kill()
						l.WaitFailure(storetest.Reading)
						began := time.Now()
						storetest.Recovers(t, left)
						t.Logf("one killed: the others work again after %v", time.Since(began).Round(time.Millisecond))
						l.Wait(storetest.Changing, 20)
						l.Wait(storetest.Ending, 20)
						killed.Restart() // it has caught up: the next may go
					}
				},
			})
		})
	}
}

// leaderAmong says which of the instances leads.
func leaderAmong(t *testing.T, all []*instance) int {
	t.Helper()
	var name string
	servers.WaitFor(t, "a leader to be known", func(ctx context.Context) (err error) {
		name, err = all[0].Say(ctx) // a follower that lags for a moment is not asked
		return err
	})
	i := slices.IndexFunc(all, func(i *instance) bool { return i.Listen == name })
	if i < 0 {
		t.Fatalf("no instance is the leader %q", name)
	}
	return i
}

// TestADeployGoesThroughOneByOne stops each server in good order.
func TestADeployGoesThroughOneByOne(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, nil)
	kept := record(time.Hour)
	kept.Version = create(t, c.nodes[0].store, kept)
	for i, n := range c.nodes {
		n.stop()
		_, err := n.store.Get(t.Context(), kept.ID)
		told.WantFailure(t, "Get on a stopped server", err, kept)
		began := time.Now()
		other := c.nodes[(i+1)%3].store
		storetest.Recovers(t, other)
		t.Logf("one stopped: the others work again after %v", time.Since(began).Round(time.Millisecond))
		got, err := other.Get(t.Context(), kept.ID)
		if err != nil || got.Version != kept.Version {
			t.Fatalf("Get = version %d, %v, want %d", got.Version, err, kept.Version)
		}
		n.start()
		n.waitReady()
	}
}

func TestBeforeEnoughServersMetOperationsFailAndSaySo(t *testing.T) {
	t.Parallel()
	configs := prepareCluster(t, 3)
	stopped, err := nats.New(configs[0])
	if err != nil {
		t.Fatal(err)
	}
	r := record(time.Hour)
	began := time.Now()
	told.WantDown(t, stopped, r)
	if took := time.Since(began); took > time.Second {
		t.Errorf("without a server six operations took %v to fail", took)
	}
	configs[0].Timeout = 500 * time.Millisecond
	first := startNode(t, configs[0])
	told.WantDown(t, first.store, r)
	second := startNode(t, configs[1])
	third := startNode(t, configs[2])
	for _, n := range []*node{first, second, third} {
		n.waitReady()
	}
	if _, err := first.store.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

func TestWithoutMostServersNothingIsAcknowledged(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, nil)
	r := record(time.Hour)
	r.Version = create(t, c.nodes[0].store, r)
	c.nodes[1].stop()
	c.nodes[2].stop()
	left := c.nodes[0].store
	_, err := left.Create(t.Context(), record(time.Hour))
	told.WantFailure(t, "Create", err, r)
	_, err = left.Update(t.Context(), r)
	told.WantFailure(t, "Update", err, r)
	told.WantFailure(t, "Delete", left.Delete(t.Context(), r.ID), r)
	// Two that come back empty cannot outvote the one that knows.
	c.nodes[1].start()
	c.nodes[2].start()
	storetest.Recovers(t, left)
	// What failed may have happened or not, but no half of it: one or the other.
	if _, err := left.Get(t.Context(), r.ID); err != nil && !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
}

func TestWhoDoesNotKnowTheSecretStaysOut(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, nil)
	config := nats.Config{Timeout: 300 * time.Millisecond, Cluster: nats.Cluster{
		Listen: listen(t), Secret: secret.New("another-secret-altogether"),
		Peers: []string{c.nodes[0].config.Cluster.Listen, c.nodes[1].config.Cluster.Listen},
	}}
	outsider := startNode(t, config)
	r := record(time.Hour)
	create(t, c.nodes[0].store, r)
	for range 5 {
		_, err := outsider.store.Get(t.Context(), r.ID)
		told.WantFailure(t, "Get of the one outside", err, r)
	}
}

func TestAnAddressInUseEndsRun(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 2, nil)
	config := c.nodes[0].config
	config.Cluster.Name = "another"
	s, err := nats.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Run(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Run = %v, want that the address is in use", err)
	}
}

// TestWatchTellsOfWhatOthersDid on a cluster, and tells that it missed
// something when it may have.
func TestWatchTellsOfWhatOthersDid(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, nil)
	heard := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- c.nodes[0].store.Watch(ctx, func(id session.ID, everything bool) {
			if everything {
				heard <- "everything"
			} else {
				heard <- id.Fingerprint()
			}
		})
	}()
	next := func() string {
		t.Helper()
		select {
		case h := <-heard:
			return h
		case <-time.After(time.Minute):
			t.Fatal("nothing is heard")
			return ""
		}
	}
	// News comes at least once: a watcher that had to connect anew hears some of
	// it again. While servers find each other, or have no time, it may be cut off:
	// then it is told of everything, which is true of what happened meanwhile too.
	expect := func(want string) {
		t.Helper()
		for told := next(); told != want && told != "everything"; {
			told = next()
		}
	}
	expect("everything")
	r := record(time.Hour)
	r.Version = create(t, c.nodes[1].store, r)
	expect(r.ID.Fingerprint())
	if _, err := c.nodes[2].store.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	expect(r.ID.Fingerprint())
	if err := c.nodes[1].store.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	expect(r.ID.Fingerprint())

	c.nodes[0].stop() // the watcher's own server
	c.nodes[0].start()
	expect("everything")
	for len(heard) > 0 {
		<-heard
	}
	r = record(time.Hour)
	recoversCreate(t, c.nodes[1].store, r)
	expect(r.ID.Fingerprint())
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch = %v", err)
	}
}

func recoversCreate(t *testing.T, s *nats.Store, r session.Record) {
	t.Helper()
	servers.WaitFor(t, "a session to be created", func(ctx context.Context) error {
		_, err := s.Create(ctx, r)
		if errors.Is(err, session.ErrExists) {
			return nil // an attempt that seemed to fail
		}
		return err
	})
}

func TestStatusNamesTheServers(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, nil)
	status, err := c.nodes[1].store.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{status.Leader}
	for _, f := range status.Followers {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	var want []string
	for _, n := range c.nodes {
		want = append(want, n.config.Cluster.Listen)
	}
	slices.Sort(want)
	if fmt.Sprint(names) != fmt.Sprint(want) || status.MaxBytes != 256<<20 {
		t.Errorf("Status = %+v, want the servers %v", status, want)
	}
}
