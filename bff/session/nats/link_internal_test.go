package nats

import (
	"errors"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestABucketThatIsForgottenAtOnceIsAnError, and not a bucket that is none: one
// caller finds it gone while others still wait for the attempt that opened it.
func TestABucketThatIsForgottenAtOnceIsAnError(t *testing.T) {
	var l link
	l.open = func(conn *nats.Conn) (*bucket, *nats.Conn, error) { return &bucket{}, &nats.Conn{}, nil }
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for range 200 {
				if b, err := l.get(t.Context()); b == nil && err == nil {
					t.Error("neither a bucket nor an error")
				} else if err != nil && !errors.Is(err, errLost) {
					t.Error(err)
				}
				l.forget()
			}
		})
	}
	callers.Wait()
}
