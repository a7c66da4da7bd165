package property

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"cloakroom/shared/lab"
)

// wire is what the browser sends with one call.
func (s *subject) wire(ctx context.Context, m *lab.Measure) error {
	if err := s.present(ctx); err != nil {
		return err
	}
	call, ok := s.world.LastCall(s.strategy.ID)
	if !ok {
		return fmt.Errorf("property: the page made no call")
	}
	note(m, "the head of the page's %s as it arrived was written again as in HTTP/1.1, request line and all, and counted", call.Method)
	for _, name := range []string{"Cookie", "Authorization", "DPoP"} {
		if n := len(strings.Join(call.Header.Values(name), "; ")); n > 0 {
			note(m, "%d bytes of it are the value of %s", n, name)
		}
	}
	is(m, float64(call.Head), "%d B", call.Head)
	return nil
}

const (
	warm     = 20  // calls before anything is measured
	measured = 300 // calls, each way
)

// calls are what many calls cost.
type calls struct {
	cpu     time.Duration // of one call, at the application's server
	how     string        // it was found
	through time.Duration // median
	direct  time.Duration // median, straight to the API
}

func (s *subject) cpu(ctx context.Context, m *lab.Measure) error {
	if s.callsItself(m) {
		return nil
	}
	c, err := s.call(ctx)
	if err != nil {
		return err
	}
	note(m, "%d calls one after the other on one connection; %s", measured, c.how)
	is(m, microseconds(c.cpu), "%.0f µs", microseconds(c.cpu))
	return nil
}

func (s *subject) latency(ctx context.Context, m *lab.Measure) error {
	if s.callsItself(m) {
		return nil
	}
	c, err := s.call(ctx)
	if err != nil {
		return err
	}
	note(m, "%d calls through the application's server and as many straight to the API, in turns, on a connection each", measured)
	note(m, "medians: %.0f µs through the server, %.0f µs straight", microseconds(c.through), microseconds(c.direct))
	added := microseconds(c.through - c.direct)
	is(m, added, "%.0f µs", added)
	return nil
}

// callsItself finds nothing to measure where no server is in between.
func (s *subject) callsItself(m *lab.Measure) bool {
	if s.strategy.TokensInPage {
		note(m, "the page calls the API itself: there is no server in between")
		is(m, 0, "none")
	}
	return s.strategy.TokensInPage
}

// call measures once what cpu and latency tell of.
func (s *subject) call(ctx context.Context) (*calls, error) {
	if s.calls != nil {
		return s.calls, nil
	}
	if err := s.present(ctx); err != nil {
		return nil, err
	}
	copied, ok := s.world.LastCall(s.strategy.ID)
	if !ok {
		return nil, fmt.Errorf("property: the page made no call")
	}
	through, err := http.NewRequestWithContext(ctx, copied.Method, copied.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("property: call: %w", err)
	}
	through.Header = copied.Header.Clone()
	direct, err := http.NewRequestWithContext(ctx, http.MethodGet, s.world.API()+"/orders", nil)
	if err != nil {
		return nil, fmt.Errorf("property: call: %w", err)
	}
	direct.Header.Set("Authorization", "Bearer "+s.world.Issued().Access)
	return s.measureCalls(ctx, through, direct)
}

func (s *subject) measureCalls(ctx context.Context, through, direct *http.Request) (*calls, error) {
	server, process := s.world.Server(s.strategy.ID)
	// Past the world's own proxy, which no deployment has.
	dial := s.world.Transport().DialContext
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if process && address == through.URL.Host {
			return new(net.Dialer).DialContext(ctx, network, server.Address())
		}
		return dial(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	times := func(n int, r *http.Request) (took []time.Duration, err error) {
		for range n {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			start := time.Now()
			status, err := exchange(transport, r)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("property: a call was answered %d", status)
			}
			if err != nil {
				return nil, err
			}
			took = append(took, time.Since(start))
		}
		return took, nil
	}
	for _, r := range []*http.Request{through, direct} {
		if _, err := times(warm, r); err != nil {
			return nil, err
		}
	}
	c := &calls{how: "the server's process was looked at before and after"}
	var slow, fast []time.Duration
	before := time.Duration(0)
	if process {
		before = server.CPU()
	}
	for range measured {
		one, err := times(1, through)
		if err != nil {
			return nil, err
		}
		other, err := times(1, direct)
		if err != nil {
			return nil, err
		}
		slow, fast = append(slow, one...), append(fast, other...)
	}
	c.through, c.direct = median(slow), median(fast)
	if process {
		c.cpu = (server.CPU() - before) / measured
		s.calls = c
		return c, nil
	}
	c.how = "the server is part of the lab's process, which was looked at before and after, less as many calls straight to the API"
	for i, r := range []*http.Request{direct, through} {
		before := used()
		if _, err := times(measured, r); err != nil {
			return nil, err
		}
		c.cpu += time.Duration(2*i-1) * (used() - before) / measured
	}
	s.calls = c
	return c, nil
}

// used is the processor time of this process so far.
func used() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const (
	visitors = 200 // who sign in while memory is looked at
	early    = 200 // who did before, so that memory that was free is full
)

// memory has many victims sign in.
func (s *subject) memory(ctx context.Context, m *lab.Measure) error {
	if s.strategy.Public {
		note(m, "the server of the page has files and no sessions")
		is(m, 0, "none")
		return nil
	}
	if err := s.present(ctx); err != nil {
		return err
	}
	door, err := s.door(ctx)
	if err != nil {
		return err
	}
	server, process := s.world.Server(s.strategy.ID)
	store, ok := s.world.Store(s.strategy.ID)
	if !ok && !process {
		return s.held(ctx, m, door)
	}
	size, what := server.Memory, "the server's resident memory"
	if ok {
		size, what = store.Size, "the store"
	}
	if err := door.enter(ctx, early); err != nil {
		return err
	}
	before, err := size()
	if err != nil {
		return fmt.Errorf("property: memory: %w", err)
	}
	if err := door.enter(ctx, visitors); err != nil {
		return err
	}
	after, err := size()
	if err != nil {
		return fmt.Errorf("property: memory: %w", err)
	}
	note(m, "%d victims signed in after %d others; %s grew from %d to %d bytes", visitors, early, what, before, after)
	perSession(m, after-before)
	return nil
}

// held finds what an application that the world serves has in memory: a fresh
// one is entered, and what is freed when it is dropped, it held.
func (s *subject) held(ctx context.Context, m *lab.Measure, door *door) error {
	freed := func(n int) (int64, error) {
		back, err := s.world.Another(s.strategy)
		if err != nil {
			return 0, err
		}
		if err := door.enter(ctx, n); err != nil {
			back()
			return 0, err
		}
		before := heap()
		back()
		return before - heap(), nil
	}
	empty, err := freed(0)
	if err != nil {
		return err
	}
	full, err := freed(visitors)
	if err != nil {
		return err
	}
	note(m, "%d victims signed in at a fresh server, which is part of the lab's process; when it was dropped %d bytes of the heap were freed, and %d when nobody had signed in", visitors, full, empty)
	perSession(m, full-empty)
	return nil
}

// perSession makes a finding of how much visitors have brought.
func perSession(m *lab.Measure, grown int64) {
	each := float64(grown) / visitors
	if each < 1 {
		is(m, 0, "none that can be seen")
		return
	}
	is(m, each, "%.0f B", each)
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
