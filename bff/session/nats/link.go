package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

var (
	errClosed = errors.New("the store is closed")
	errNotRun = errors.New("not ready: the embedded server does not run")
	errLost   = errors.New("not ready: the bucket was lost as soon as it was found")
)

// link holds the connection and the bucket, and opens what is missing when it
// is first needed, and again when it was lost for good. A connection that broke
// comes back by itself.
type link struct {
	// open returns a bucket on conn, or on a new connection when conn is nil or
	// closed. It returns the connection also when there is no bucket.
	open func(conn *nats.Conn) (*bucket, *nats.Conn, error)

	mu     sync.Mutex
	conn   *nats.Conn
	bucket *bucket
	closed bool
	cuts   int // how often the connection was cut
	// opening is closed when the attempt under way has ended, in err.
	opening chan struct{}
	err     error
}

// get returns the bucket. All callers share one attempt to open it, and each
// waits no longer than its ctx.
func (l *link) get(ctx context.Context) (*bucket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	if l.closed || l.bucket != nil && !l.conn.IsClosed() {
		defer l.mu.Unlock()
		if l.closed {
			return nil, errClosed
		}
		return l.bucket, nil
	}
	if l.opening == nil {
		l.opening = make(chan struct{})
		go l.attempt(l.opening, l.conn, l.cuts)
	}
	opening := l.opening
	l.mu.Unlock()

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("not ready: %w", ctx.Err())
	case <-opening:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed
	case l.bucket == nil: // without err, another caller has made it forgotten meanwhile
		return nil, cmp.Or(l.err, errLost)
	}
	return l.bucket, nil
}

func (l *link) attempt(opening chan struct{}, conn *nats.Conn, cuts int) {
	b, made, err := l.open(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if made != nil && l.cuts != cuts {
		made.Close()
		b, made, err = nil, nil, errNotRun
	}
	l.bucket, l.err, l.opening = b, err, nil
	if made != nil {
		l.conn = made
	}
	close(opening)
}

// forget makes the next call look for the bucket again.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket = nil
}

// cut ends the connection; the next call makes a new one.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
	}
	l.conn, l.bucket = nil, nil
	l.cuts++
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cut()
}

// The connection notices a server that went silent after two pings.
const (
	pingEvery     = 5 * time.Second
	pingsAtMost   = 2
	reconnectWait = 200 * time.Millisecond
)

// connect opens a connection to the embedded server or to that of the URL.
func (s *Store) connect() (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("cloakroom"),
		nats.Timeout(s.config.Timeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		// What cannot be sent now fails now: it must not happen later, unseen.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(pingsAtMost),
		nats.IgnoreAuthErrorAbort(), // passwords get changed on both sides, one after the other
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.config.Log.Warn("nats connection", "error", err)
		}),
	}
	if !s.config.URL.Empty() {
		return nats.Connect(s.target.servers, append(options, s.target.options...)...)
	}
	server := s.embedded.Load()
	if server == nil {
		return nil, errNotRun
	}
	return nats.Connect("", append(options, nats.InProcessServer(server), nats.UserInfo(server.user, server.password))...)
}
