package nats

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"cloakroom/bff/session"
)

// Between two attempts to listen.
const leastPause, mostPause = 100 * time.Millisecond, 5 * time.Second

// Watch calls changed for every record that any instance created, updated or
// deleted, until ctx ends; records that expired are not told of. After it began
// to listen, the first time and after every loss, it calls changed with
// everything set and no ID: anything may have changed unheard. A server that
// went silent is noticed within twice Timeout; until then, and until it is back,
// there is no news, so what relies on it needs a bound of its own.
//
// The calls come one after the other; a slow one delays the next.
func (s *Store) Watch(ctx context.Context, changed func(id session.ID, everything bool)) error {
	pause := leastPause
	for told := false; ; {
		heard, err := s.listen(ctx, changed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if heard {
			pause, told = leastPause, false
		}
		if !told { // once an outage
			s.config.Log.Warn("watching for changed sessions failed", "error", fmt.Errorf("nats: watch: %w", err))
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, mostPause)
	}
}

// listen serves one consumer until it breaks; heard tells whether there was
// one. The bucket is its log: what was stored since the consumer was made
// comes, in order, and not before it was stored.
func (s *Store) listen(ctx context.Context, changed func(session.ID, bool)) (heard bool, err error) {
	messages, err := s.consume(ctx)
	if err != nil {
		return false, err
	}
	defer messages.Stop()
	changed(session.ID{}, true)
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return true, err
		}
		if id, ok := idOf(m.Subject()); ok {
			changed(id, false)
		}
	}
}

func (s *Store) consume(ctx context.Context) (jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	b, err := s.link.get(ctx)
	if err != nil {
		return nil, err
	}
	consumer, err := b.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: s.prefix + "s.*",
		DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy:     jetstream.AckNonePolicy,
		HeadersOnly:   true,
		Replicas:      1, MemoryStorage: true,
		InactiveThreshold: time.Minute, // a watcher that died leaves nothing behind
	})
	if err != nil {
		return nil, s.failed("watch", err)
	}
	// Silence for two heartbeats is a failure.
	beat := max(500*time.Millisecond, min(s.config.Timeout, 30*time.Second))
	return consumer.Messages(jetstream.PullExpiry(4*beat), jetstream.PullHeartbeat(beat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
}
