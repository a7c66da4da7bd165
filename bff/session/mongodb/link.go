package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

var errClosed = errors.New("the store is closed")

// link makes the client on first use, and then makes sure of the indexes. The
// client finds its servers, and finds them again, by itself.
type link struct {
	target  target
	timeout time.Duration
	log     *slog.Logger

	mu     sync.Mutex
	client *mongo.Client
	ready  *mongo.Collection // its indexes are there
	closed bool
	// opening is closed when the attempt under way has ended, in err.
	opening chan struct{}
	err     error
}

// get returns the collection. All callers share one attempt to make it ready,
// and each waits no longer than its ctx.
func (l *link) get(ctx context.Context) (*mongo.Collection, error) {
	l.mu.Lock()
	if l.closed || l.ready != nil {
		defer l.mu.Unlock()
		if l.closed {
			return nil, errClosed
		}
		return l.ready, nil
	}
	if l.opening == nil {
		l.opening = make(chan struct{})
		go l.attempt(l.opening)
	}
	opening := l.opening
	l.mu.Unlock()

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("connect: %w", ctx.Err())
	case <-opening:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed
	case l.ready == nil:
		return nil, l.err
	}
	return l.ready, nil
}

func (l *link) attempt(opening chan struct{}) {
	c, err := l.open()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.opening = err, nil
	if err == nil && !l.closed {
		l.ready = c
	}
	close(opening)
}

func (l *link) open() (*mongo.Collection, error) {
	client, err := l.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	c := client.Database(l.target.database).Collection(collectionName)
	return c, l.ensure(ctx, c)
}

// connect makes the client, which connects in the background.
func (l *link) connect() (*mongo.Client, error) {
	l.mu.Lock()
	client := l.client
	l.mu.Unlock()
	if client != nil {
		return client, nil
	}
	journaled := true
	o := options.Client().ApplyURI(l.target.url).
		SetAppName("cloakroom").
		SetTimeout(l.timeout).
		SetConnectTimeout(l.timeout).
		SetServerSelectionTimeout(l.timeout).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}).
		SetReadConcern(l.target.reads).
		SetReadPreference(readpref.Primary())
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, errors.New("connect: the URL's name is not found, or its settings do not fit together")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		go func() { _ = client.Disconnect(context.Background()) }()
		return nil, errClosed
	}
	l.client = client
	return client, nil
}

func (l *link) close(ctx context.Context) error {
	l.mu.Lock()
	client := l.client
	l.client, l.ready, l.closed = nil, nil, true
	l.mu.Unlock()
	if client == nil {
		return nil
	}
	if err := client.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongodb: close: %w", err)
	}
	return nil
}

// Names of the indexes. What is in them never changes under a name.
const (
	indexExpires = "cloakroom_expires_v1"
	indexKeys    = "cloakroom_keys_v1"
)

// Codes of the server.
const (
	codeUnauthorized      = 13
	codeNamespaceNotFound = 26
	codeNotImplemented    = 238
)

// ensure makes the indexes unless they are there. Several instances may do so
// at once: to make what is there is no error.
func (l *link) ensure(ctx context.Context, c *mongo.Collection) error {
	there, err := indexes(ctx, c)
	if is(err, codeUnauthorized) {
		l.log.Warn("the user of mongodb may not list the indexes: are they there?")
		return nil
	}
	if err != nil || there[indexExpires] && there[indexKeys] {
		return err
	}
	expires := mongo.IndexModel{
		Keys:    bson.D{{Key: "expires", Value: 1}},
		Options: options.Index().SetName(indexExpires).SetExpireAfterSeconds(0),
	}
	_, err = c.Indexes().CreateOne(ctx, expires)
	if is(err, codeNotImplemented) {
		l.log.Warn("this server has no TTL indexes; the store sweeps by itself")
		expires.Options = options.Index().SetName(indexExpires)
		_, err = c.Indexes().CreateOne(ctx, expires)
	}
	if err == nil {
		_, err = c.Indexes().CreateOne(ctx, mongo.IndexModel{
			Keys: bson.D{{Key: "keys", Value: 1}}, Options: options.Index().SetName(indexKeys),
		})
	}
	if is(err, codeUnauthorized) {
		return errors.New("the indexes are missing, and the user may not make them")
	}
	return err
}

// indexes returns the names of those that are there.
func indexes(ctx context.Context, c *mongo.Collection) (map[string]bool, error) {
	specifications, err := c.Indexes().ListSpecifications(ctx)
	if is(err, codeNamespaceNotFound) {
		return nil, nil
	}
	names := map[string]bool{}
	for _, s := range specifications {
		names[s.Name] = true
	}
	return names, err
}

func is(err error, code int) bool {
	var e mongo.ServerError
	return errors.As(err, &e) && e.HasErrorCode(code)
}
