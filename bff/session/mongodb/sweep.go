package mongodb

import (
	"context"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// sweepSlack is how long a TTL index has for what expired: it goes about once a
// minute. Where there is one, the sweep finds nothing, at the price of a look
// into the index; so no instance needs to keep the others from it.
const sweepSlack = 5 * time.Minute

// Run sweeps out what has expired and no TTL index removed, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.config.SweepEvery/2 + rand.N(s.config.SweepEvery)):
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.config.Log.Warn("sweeping expired sessions failed", "error", err)
		}
	}
}

func (s *Store) sweep(ctx context.Context) error {
	return s.call(ctx, "sweep", func(ctx context.Context, c *mongo.Collection) error {
		before := bson.NewDateTimeFromTime(s.config.Now().Add(-sweepSlack))
		_, err := c.DeleteMany(ctx, bson.D{{Key: "expires", Value: bson.D{{Key: "$lte", Value: before}}}})
		return err
	})
}
