package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cloakroom/bff/session"
)

// bucket is the stream under a key-value bucket. The client's own key-value
// calls give updates no expiry and read from any replica.
type bucket struct {
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	get    string // subject of the API that reads from the leader
}

// open finds the bucket or makes it.
func (s *Store) open(conn *nats.Conn) (*bucket, *nats.Conn, error) {
	if conn == nil || conn.IsClosed() {
		var err error
		if conn, err = s.connect(); err != nil {
			if errors.Is(err, errNotRun) {
				return nil, nil, err
			}
			return nil, nil, fmt.Errorf("connect: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
	defer cancel()
	b, err := s.find(ctx, conn)
	if err != nil {
		return nil, conn, fmt.Errorf("not ready: %w", err)
	}
	return b, conn, nil
}

func (s *Store) find(ctx context.Context, conn *nats.Conn) (*bucket, error) {
	api := "$JS.API."
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncTimeout(s.config.Timeout))
	if s.target.domain != "" {
		api = "$JS." + s.target.domain + ".API."
		js, err = jetstream.NewWithDomain(conn, s.target.domain, jetstream.WithPublishAsyncTimeout(s.config.Timeout))
	}
	if err != nil {
		return nil, err
	}
	name := s.target.stream()
	stream, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = s.create(ctx, js)
	}
	if err != nil {
		return nil, err
	}
	if c := stream.CachedInfo().Config; !c.AllowMsgTTL || c.MaxMsgsPerSubject != 1 || c.Retention != jetstream.LimitsPolicy {
		return nil, errors.New("the bucket is of another kind: it must have limit markers (a TTL for each message) and a history of 1")
	}
	return &bucket{conn: conn, js: js, stream: stream, get: api + "STREAM.MSG.GET." + name}, nil
}

// codeNotClustered is the server's answer to more than one replica when it
// stands alone.
const codeNotClustered jetstream.ErrorCode = 10074

// create makes the bucket. Others may do so at the same time: to create what
// is there with the same settings succeeds.
func (s *Store) create(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	c := s.bucketConfig()
	stream, err := js.CreateStream(ctx, c)
	var e *jetstream.APIError
	if errors.As(err, &e) && e.ErrorCode == codeNotClustered && s.config.Replicas == 0 {
		c.Replicas = 1
		stream, err = js.CreateStream(ctx, c)
	}
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // with other settings
		return js.Stream(ctx, c.Name)
	}
	return stream, err
}

func (s *Store) bucketConfig() jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:              s.target.stream(),
		Subjects:          []string{s.prefix + ">"},
		MaxMsgsPerSubject: 1,
		MaxBytes:          s.config.MaxBytes,
		// A full bucket refuses; to push out the oldest would sign people out
		// without a word, or drop half an index.
		Discard:     jetstream.DiscardNew,
		AllowMsgTTL: true,
		AllowRollup: true,
		DenyDelete:  true,
		Replicas:    s.config.Replicas,
	}
	if s.target.memory {
		c.Storage = jetstream.MemoryStorage
	}
	if c.Replicas == 0 {
		c.Replicas = defaultReplicas
		if s.config.URL.Empty() {
			c.Replicas = min(defaultReplicas, max(1, len(s.config.Cluster.Peers)))
		}
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = -1
		if s.config.URL.Empty() {
			c.MaxBytes = defaultMaxBytes
		}
	}
	return c
}

// expect makes a message be refused unless sequence is the last of its subject.
func expect(sequence uint64) nats.Header {
	return nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(sequence, 10)}}
}

// deleted makes a message a marker.
func deleted() nats.Header { return nats.Header{"KV-Operation": {"PURGE"}} }

// send publishes a message that lives for life, and does not wait.
func (b *bucket) send(subject string, data []byte, life time.Duration, header nats.Header) (jetstream.PubAckFuture, error) {
	if header == nil {
		header = nats.Header{}
	}
	// The server counts in seconds, and would keep what has none for ever. To
	// the millisecond the expiry is checked on reading.
	header[jetstream.MsgTTLHeader] = []string{strconv.FormatInt(int64(max(1, math.Ceil(life.Seconds()))), 10)}
	return b.js.PublishMsgAsync(&nats.Msg{Subject: subject, Header: header, Data: data})
}

// await returns when all messages are stored on most replicas, or the first
// failure.
func await(ctx context.Context, futures ...jetstream.PubAckFuture) error {
	for _, future := range futures {
		if _, err := wait(ctx, future); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, future jetstream.PubAckFuture) (uint64, error) {
	select {
	case ack := <-future.Ok():
		return ack.Sequence, nil
	case err := <-future.Err():
		return 0, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// message is what the leader holds last of a subject.
type message struct {
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// marker reports whether the message stands for a deletion, by us or by the
// server.
func (m *message) marker() bool {
	return bytes.Contains(m.Header, []byte("KV-Operation:")) || bytes.Contains(m.Header, []byte(jetstream.MarkerReasonHeader+":"))
}

// last asks the leader for the last message in the place of id. ErrNotFound
// when there is none.
func (s *Store) last(ctx context.Context, b *bucket, id session.ID) (message, error) {
	request := `{"last_by_subj":"` + s.recordSubject(id) + `"}`
	reply, err := b.conn.RequestWithContext(ctx, b.get, []byte(request))
	if err != nil {
		return message{}, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *message            `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return message{}, errors.New("the server's answer is malformed")
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return message{}, session.ErrNotFound
	case answer.Error != nil:
		return message{}, answer.Error
	case answer.Message == nil:
		return message{}, errors.New("the server's answer is empty")
	}
	return *answer.Message, nil
}
