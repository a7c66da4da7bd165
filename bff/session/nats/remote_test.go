package nats_test

import (
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session/nats"
	"cloakroom/bff/session/storetest"
)

// TestMain makes this test's program the instances that are killed.
func TestMain(m *testing.M) {
	// The tests wait for elections more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	storetest.Main(m, openInstance, leaderOf)
}

// plan is what an instance is told.
type plan struct {
	Listen   string
	Peers    []string
	StoreDir string
}

func openInstance(dir string) (storetest.Served, error) {
	file, err := os.Open(filepath.Join(dir, "plan"))
	if err != nil {
		return nil, err
	}
	var p plan
	if err := gob.NewDecoder(file).Decode(&p); err != nil {
		return nil, err
	}
	return nats.New(nats.Config{Cluster: nats.Cluster{
		Listen: p.Listen, Peers: p.Peers, StoreDir: p.StoreDir, Secret: secret.New(clusterSecret),
	}})
}

func leaderOf(ctx context.Context, s storetest.Served) (string, error) {
	status, err := s.(*nats.Store).Status(ctx)
	return status.Leader, err
}

// instance is a Store in a process of its own.
type instance struct {
	*storetest.Instance
	plan
}

// startInstances runs n processes that share their memory, or their disks.
func startInstances(t testing.TB, n int, onDisk bool) []*instance {
	t.Helper()
	var all []*instance
	for _, c := range prepareCluster(t, n) {
		dir := servers.Dir(t, nil)
		i := &instance{plan: plan{Listen: c.Cluster.Listen, Peers: c.Cluster.Peers}}
		if onDisk {
			i.StoreDir = filepath.Join(dir, "store")
		}
		file, err := os.Create(filepath.Join(dir, "plan"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(gob.NewEncoder(file).Encode(i.plan), file.Close()); err != nil {
			t.Fatal(err)
		}
		i.Instance = storetest.StartInstance(t, dir)
		all = append(all, i)
	}
	for _, i := range all {
		i.WaitReady()
	}
	return all
}
