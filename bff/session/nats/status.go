package nats

import (
	"context"
	"errors"

	"github.com/nats-io/nats-server/v2/server"
)

// Status is how the bucket is kept at one moment.
type Status struct {
	// Leader is the server through which reads and writes go; empty while there
	// is none.
	Leader string
	// Followers are the other servers that keep the bucket.
	Followers []Follower
	// Bytes are what the bucket takes on each, of at most MaxBytes, or -1.
	Bytes, MaxBytes int64
}

// Follower is a server that keeps a copy.
type Follower struct {
	Name string
	// Current is set when it has what the leader has; Offline when it is not
	// reached.
	Current, Offline bool
}

// Status asks the leader.
func (s *Store) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	status, err := s.status(ctx)
	if err != nil {
		return Status{}, s.failed("status", err)
	}
	return status, nil
}

func (s *Store) status(ctx context.Context) (Status, error) {
	b, err := s.link.get(ctx)
	if err != nil {
		return Status{}, err
	}
	info, err := b.stream.Info(ctx)
	if err != nil {
		return Status{}, err
	}
	status := Status{Bytes: int64(info.State.Bytes), MaxBytes: info.Config.MaxBytes}
	if info.Cluster == nil { // a server that stands alone
		status.Leader = b.conn.ConnectedServerName()
		return status, nil
	}
	status.Leader = info.Cluster.Leader
	for _, replica := range info.Cluster.Replicas {
		status.Followers = append(status.Followers, Follower{Name: replica.Name, Current: replica.Current, Offline: replica.Offline})
	}
	return status, nil
}

// Ping reports whether sessions can be had, and, of an embedded server, whether
// it has all of them: until then no other may be stopped.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	status, err := s.status(ctx)
	if err == nil && status.Leader == "" {
		err = errors.New("not ready: the bucket has no leader")
	}
	if err == nil && s.config.URL.Empty() {
		err = s.caughtUp(status)
	}
	if err != nil {
		return s.failed("ping", err)
	}
	return nil
}

// caughtUp hears the leader and the server itself: of one that came back empty
// the leader may still believe for a moment what was true before.
func (s *Store) caughtUp(status Status) error {
	catchingUp := errors.New("not ready: this server is still catching up")
	for _, f := range status.Followers {
		if f.Name == s.config.Cluster.Name && (f.Offline || !f.Current) {
			return catchingUp
		}
	}
	own := s.embedded.Load()
	if own == nil {
		return errNotRun
	}
	if !s.config.Cluster.alone() && !(own.JetStreamIsCurrent() && own.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, s.target.stream())) {
		return catchingUp
	}
	return nil
}
