package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cloakroom/bff/bench/record"
	"cloakroom/bff/secret"
	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/redis"
	"cloakroom/bff/session/storetest"
)

// listeners are how many instances hear of the same writes, in turn.
var listeners = []int{0, 8, 32}

const (
	// pushWrites are enough for the kernel's clock of other processes, which ticks
	// each 10 ms.
	pushWrites  = 20_000
	pushCallers = 16
	pushRounds  = 3
)

// pushes are the processor time of a write, of Redis and of everybody else, by how
// many hear of it; in seconds.
type pushes struct{ redis, ours [pushRounds][]float64 }

// measurePush finds what it costs that a write is told to an instance more, and
// writes it to file as benchmarks. Every listener is the store that serves, with
// its Watch; they share this process, which costs less than one each.
func measurePush(ctx context.Context, file string, writes int, told io.Writer) error {
	var p pushes
	var failed error
	err := servers.Perform(ctx, told, func(s *servers.Stage) {
		server := servers.Redis(s)
		failed = p.measure(ctx, server, writes, told)
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	text := fmt.Sprintf("goos: linux\ncpu: %s\npkg: cloakroom/bff/bench/scale\n", record.Machine().CPU)
	most := len(listeners) - 1
	each := func(costs []float64) float64 { return (costs[most] - costs[0]) / float64(listeners[most]) / micro }
	for i := range pushRounds {
		text += fmt.Sprintf("BenchmarkPush/redis/server 1 %.4g us\nBenchmarkPush/redis/instance 1 %.4g us\n", each(p.redis[i]), each(p.ours[i]))
	}
	fmt.Fprint(told, text)
	return record.Write(file, []byte(text))
}

func (p *pushes) measure(ctx context.Context, server *servers.RedisServer, writes int, told io.Writer) error {
	for i := range pushRounds {
		for _, n := range listeners {
			redis, ours, err := writeBefore(ctx, server, writes, n)
			if err != nil {
				return err
			}
			fmt.Fprintf(told, "%d instances hear of a write: it takes %.1f µs of Redis, %.1f of all of us\n", n, redis/micro, ours/micro)
			p.redis[i], p.ours[i] = append(p.redis[i], redis), append(p.ours[i], ours)
		}
	}
	return nil
}

// writeBefore writes while so many listen, until all have heard of all of it.
func writeBefore(ctx context.Context, server *servers.RedisServer, writes, n int) (redisCPU, ours float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var watches sync.WaitGroup
	defer watches.Wait()
	defer cancel()
	var heard, ready atomic.Int64
	for range n {
		store, err := openRedis(server)
		if err != nil {
			return 0, 0, err
		}
		defer func() { _ = store.Close() }()
		watches.Go(func() {
			_ = store.Watch(ctx, func(_ session.ID, everything bool) {
				if everything {
					ready.Add(1)
				} else {
					heard.Add(1)
				}
			})
		})
	}
	store, err := openRedis(server)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = store.Close() }()
	crowd, err := storetest.NewCrowd()
	if err != nil {
		return 0, 0, err
	}
	records := make([]session.Record, pushCallers)
	for i := range records {
		records[i] = crowd.Record()
		if records[i].Version, err = store.Create(ctx, records[i]); err != nil {
			return 0, 0, err
		}
	}
	if err := until(ctx, func() bool { return ready.Load() >= int64(n) }); err != nil {
		return 0, 0, err
	}
	time.Sleep(200 * time.Millisecond) // news of the creations are not counted
	heard.Store(0)

	beganRedis, beganOurs := server.CPU(), ownCPU()
	each := writes / pushCallers
	failures := make(chan error, pushCallers)
	for i := range records {
		go func() {
			var err error
			for range each {
				if records[i].Version, err = store.Update(ctx, records[i]); err != nil {
					break
				}
			}
			failures <- err
		}()
	}
	for range records {
		err = errors.Join(err, <-failures)
	}
	if err != nil {
		return 0, 0, err
	}
	if err := until(ctx, func() bool { return heard.Load() >= int64(n*each*pushCallers) }); err != nil {
		return 0, 0, err
	}
	return (server.CPU() - beganRedis).Seconds() / float64(each*pushCallers), (ownCPU() - beganOurs).Seconds() / float64(each*pushCallers), nil
}

func openRedis(server *servers.RedisServer) (*redis.Store, error) {
	return redis.New(redis.Config{URL: secret.New("redis://" + server.Addr()), Timeout: time.Minute})
}

// until waits for what must come.
func until(ctx context.Context, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not every instance heard of every write: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// ownCPU is the processor time that this process has used so far.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // only for arguments that are not there (getrusage(2))
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
