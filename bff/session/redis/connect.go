package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

var errClosed = errors.New("redis: the store is closed")

// connection opens the client on first use, since rueidis wants a server for
// that, and keeps trying as long as it is asked. Once open, the client
// reconnects by itself.
type connection struct {
	options rueidis.ClientOption

	mu     sync.Mutex
	client rueidis.Client
	closed bool
	// opening is closed when the attempt under way has ended, in err.
	opening chan struct{}
	err     error
}

// get returns the client. All callers share one attempt to open it, and each
// waits no longer than its ctx.
func (c *connection) get(ctx context.Context) (rueidis.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.client != nil || c.closed {
		defer c.mu.Unlock()
		if c.closed {
			return nil, errClosed
		}
		return c.client, nil
	}
	if c.opening == nil {
		c.opening = make(chan struct{})
		go c.open(c.opening)
	}
	opening := c.opening
	c.mu.Unlock()

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("connect: %w", ctx.Err())
	case <-opening:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case c.client == nil:
		return nil, fmt.Errorf("connect: %w", c.err)
	}
	return c.client, nil
}

func (c *connection) open(opening chan struct{}) {
	client, err := rueidis.NewClient(c.options)
	if err != nil && client != nil {
		client.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.opening = err, nil
	if err == nil && c.closed {
		go client.Close() // may wait for the server
	} else if err == nil {
		c.client = client
	}
	close(opening)
}

func (c *connection) close() {
	c.mu.Lock()
	client := c.client
	c.client, c.closed = nil, true
	c.mu.Unlock()
	if client != nil {
		client.Close()
	}
}

// Buffers of a connection: a few sessions at once. The driver's own half
// megabyte each way suits bulk loads.
const bufferSize = 64 << 10

// topologyRefresh is how often the client asks the Sentinels or the Cluster
// who the primary is, should it have missed the news.
const topologyRefresh = 5 * time.Second

func tune(o rueidis.ClientOption, timeout time.Duration) rueidis.ClientOption {
	o.Dialer.Timeout = timeout
	o.ConnWriteTimeout = timeout
	o.ReadBufferEachConn, o.WriteBufferEachConn = bufferSize, bufferSize
	o.DialCtxFn = dialTogether
	o.DisableCache = true // and so no CLIENT TRACKING: nothing is cached here
	o.ClientSetInfo = rueidis.DisableClientSetInfo
	o.RetryDelay = retryDelay
	o.ClusterOption.ShardsRefreshInterval = topologyRefresh
	if o.Sentinel.MasterSet != "" {
		o.Sentinel.TopologyRefreshInterval = topologyRefresh
		o.Sentinel.Dialer.Timeout = timeout
	}
	return o
}

// retryDelay lets a lost connection, or a Cluster between two primaries, pass
// unnoticed, but not a server that is down: its callers should hear of it.
func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	const first, last = 10 * time.Millisecond, 3
	if attempts > last {
		return -1 // no more
	}
	return first << (2 * (attempts - 1)) // 10, 40, 160 ms
}
