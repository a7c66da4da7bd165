package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Config of a Store. URL is needed.
type Config struct {
	// URL is MongoDB's connection string, mongodb://user:password@host1,host2/database
	// or mongodb+srv://..., with its parameters. Without a database it is cloakroom.
	// Parameters that would weaken what a failover must hold are refused.
	URL secret.String
	// Timeout bounds each operation; 0 means 2 s.
	Timeout time.Duration
	// SweepEvery is how often Run looks for what a TTL index left; 0 means 10
	// minutes.
	SweepEvery time.Duration
	// Now is the clock; nil means time.Now. A TTL index goes by the server's.
	Now func() time.Time
	// Log gets what no caller hears of; nil discards it.
	Log *slog.Logger
}

// Store keeps records in MongoDB.
type Store struct {
	config Config
	link   link
}

var (
	_ session.Store  = (*Store)(nil)
	_ session.Finder = (*Store)(nil)
	_ session.Runner = (*Store)(nil)
)

const (
	defaultTimeout    = 2 * time.Second
	defaultSweepEvery = 10 * time.Minute
	collectionName    = "sessions"
)

// New returns a Store. It connects on first use.
func New(c Config) (*Store, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t, err := parseURL(c.URL.Reveal())
	if c.Timeout < 0 || c.SweepEvery < 0 {
		err = errors.Join(err, errors.New("bounds must not be negative"))
	}
	if err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	if t.open {
		c.Log.Warn("the connection to mongodb is not protected against whoever sits in between")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = defaultSweepEvery
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{config: c, link: link{target: t, timeout: c.Timeout, log: c.Log}}, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
	defer cancel()
	return s.link.close(ctx)
}

// Ping reports whether sessions can be had: connected, signed in, the indexes
// there, and a primary that answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context, c *mongo.Collection) error {
		_, err := s.find(ctx, c, session.ID{})
		if errors.Is(err, session.ErrNotFound) {
			return nil
		}
		return err
	})
}

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Version, error) {
	version := newVersion()
	fields, err := encode(&r, version)
	if err != nil {
		return 0, err
	}
	document := append(bson.D{{Key: "_id", Value: idValue(r.ID)}}, fields...)
	err = s.call(ctx, "create", func(ctx context.Context, c *mongo.Collection) error {
		for range createAttempts {
			_, err := c.InsertOne(ctx, document)
			if !mongo.IsDuplicateKeyError(err) {
				return err
			}
			// What expired may be there until the TTL index gets to it.
			leftover := bson.D{{Key: "_id", Value: idValue(r.ID)}, {Key: "expires", Value: bson.D{{Key: "$lte", Value: s.now()}}}}
			result, err := c.ReplaceOne(ctx, leftover, document)
			if err != nil || result.MatchedCount == 1 {
				return err
			}
			if _, err := s.find(ctx, c, r.ID); err == nil {
				return session.ErrExists
			} else if !errors.Is(err, session.ErrNotFound) {
				return err
			}
		}
		return session.ErrExists // others come and go under this ID
	})
	return given(version, err)
}

// createAttempts bounds how often Create tries when what is in its way
// vanishes.
const createAttempts = 3

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, id session.ID) (r session.Record, err error) {
	err = s.call(ctx, "get", func(ctx context.Context, c *mongo.Collection) (err error) {
		r, err = s.find(ctx, c, id)
		return err
	})
	return r, err
}

// Update implements session.Store.
func (s *Store) Update(ctx context.Context, r session.Record) (session.Version, error) {
	version := newVersion()
	fields, err := encode(&r, version)
	if err != nil {
		return 0, err
	}
	err = s.call(ctx, "update", func(ctx context.Context, c *mongo.Collection) error {
		current := append(s.live(r.ID), bson.E{Key: "version", Value: int64(r.Version)})
		result, err := c.UpdateOne(ctx, current, bson.D{{Key: "$set", Value: fields}})
		if err != nil || result.MatchedCount == 1 {
			return err
		}
		if _, err := s.find(ctx, c, r.ID); err != nil {
			return err
		}
		return session.ErrConflict
	})
	return given(version, err)
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	return s.call(ctx, "delete", func(ctx context.Context, c *mongo.Collection) error {
		_, err := c.DeleteOne(ctx, bson.D{{Key: "_id", Value: idValue(id)}})
		return err
	})
}

// Find implements session.Finder.
func (s *Store) Find(ctx context.Context, key session.Key) (found []session.Record, err error) {
	err = s.call(ctx, "find", func(ctx context.Context, c *mongo.Collection) error {
		cursor, err := c.Find(ctx, bson.D{{Key: "keys", Value: keyValue(key)}, s.unexpired()})
		if err != nil {
			return err
		}
		defer func() { _ = cursor.Close(ctx) }()
		for cursor.Next(ctx) {
			if r, err := decode(cursor.Current); err == nil {
				found = append(found, r)
			}
		}
		return cursor.Err()
	})
	return found, err
}

// find returns the record of id that has not expired.
func (s *Store) find(ctx context.Context, c *mongo.Collection, id session.ID) (session.Record, error) {
	raw, err := c.FindOne(ctx, s.live(id)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return session.Record{}, session.ErrNotFound
	}
	if err != nil {
		return session.Record{}, err
	}
	return decode(raw)
}

// live is the filter for the record of id that has not expired.
func (s *Store) live(id session.ID) bson.D {
	return bson.D{{Key: "_id", Value: idValue(id)}, s.unexpired()}
}

func (s *Store) unexpired() bson.E {
	return bson.E{Key: "expires", Value: bson.D{{Key: "$gt", Value: s.now()}}}
}

func (s *Store) now() bson.DateTime { return bson.NewDateTimeFromTime(s.config.Now()) }

// call runs one operation on the collection, its indexes being there.
//
// What has begun is not broken off when the caller leaves, only when Timeout or
// the caller's deadline comes: a broken-off call costs its connection, and
// browsers that hang up must not cost the server a new one each.
func (s *Store) call(ctx context.Context, verb string, operation func(context.Context, *mongo.Collection) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mongodb: %s: %w", verb, err)
	}
	end := s.deadline(ctx)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), end)
	defer cancel()
	c, err := s.link.get(ctx)
	if err == nil {
		err = operation(ctx, c)
	}
	return failure(verb, err)
}

func (s *Store) deadline(ctx context.Context) time.Time {
	end := time.Now().Add(s.config.Timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		return deadline
	}
	return end
}

func given(v session.Version, err error) (session.Version, error) {
	if err != nil {
		return 0, err
	}
	return v, nil
}

// failure names the operation that failed. Of what the server says only the
// codes are kept: its texts quote the document.
func failure(verb string, err error) error {
	for _, answer := range []error{session.ErrNotFound, session.ErrExists, session.ErrConflict} {
		if errors.Is(err, answer) {
			return answer
		}
	}
	var command mongo.CommandError
	var write mongo.WriteException
	switch {
	case err == nil:
		return nil
	case mongo.IsTimeout(err) && !errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("mongodb: %s: %w", verb, context.DeadlineExceeded)
	case errors.As(err, &write) && write.WriteConcernError != nil:
		return fmt.Errorf("mongodb: %s: not confirmed by most members: error %d", verb, write.WriteConcernError.Code)
	case errors.As(err, &write) && len(write.WriteErrors) > 0:
		return fmt.Errorf("mongodb: %s: the server refused: error %d", verb, write.WriteErrors[0].Code)
	case errors.As(err, &command) && command.Code != 0:
		return fmt.Errorf("mongodb: %s: the server refused: error %d %s", verb, command.Code, command.Name)
	default:
		return fmt.Errorf("mongodb: %s: %w", verb, err)
	}
}
