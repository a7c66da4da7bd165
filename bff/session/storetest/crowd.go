package storetest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"cloakroom/bff/secret"
	"cloakroom/bff/session"
)

// Crowd makes the records of many users, each with three tokens of the size
// they have in life, as a session.Manager hands them to its store.
type Crowd struct{ sealed []session.Record }

// What the tokens of a Crowd measure, in bytes: 3.5 KB in all.
const (
	accessSize  = 1200
	refreshSize = 1000
	idSize      = 1300
)

// CrowdTokens is what the tokens of a record measure, in bytes, within a hundredth.
const CrowdTokens = accessSize + refreshSize + idSize

// crowdLife is how long the records of a Crowd live: longer than any
// measurement.
const crowdLife = 12 * time.Hour

// NewCrowd seals some sessions, whose Data the records share.
func NewCrowd() (*Crowd, error) {
	var shelf shelf
	manager, err := session.New(&shelf, session.Config{
		Keys: session.EphemeralKeyRing(), Lifetimes: session.Lifetimes{Idle: crowdLife, Absolute: crowdLife},
	})
	if err != nil {
		return nil, fmt.Errorf("storetest: crowd: %w", err)
	}
	for i := range 64 {
		_, err := manager.Create(context.Background(), Someone(i))
		if err != nil {
			return nil, fmt.Errorf("storetest: crowd: %w", err)
		}
	}
	return &Crowd{shelf.records}, nil
}

// Someone is a session as a sign-in leaves it.
func Someone(i int) session.Session {
	now := time.Now()
	return session.Session{
		Issuer: "https://idp.example.com", Subject: fmt.Sprintf("user-%08d", i), SID: rand.Text(),
		Claims:   fmt.Appendf(nil, `[{"type":"sub","value":"user-%08d"},{"type":"name","value":"User %d"},{"type":"email","value":"user%d@example.com"}]`, i, i, i),
		AuthTime: now,
		Device:   session.Device{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", Address: "192.0.2.0/24"},
		Tokens: session.Tokens{
			Access: JWT(accessSize), Refresh: JWT(refreshSize), ID: JWT(idSize),
			AccessExpires: now.Add(5 * time.Minute), Scopes: []string{"openid", "profile", "email", "offline_access"},
		},
	}
}

// Record returns the record of another user: its ID and its keys are new. Data
// is shared with other records and must not be changed; under this ID nothing
// opens it, which a store cannot tell.
func (c *Crowd) Record() session.Record {
	id := newID()
	r := c.sealed[int(id[0])%len(c.sealed)]
	r.ID = id
	keys := make([]session.Key, len(r.Keys))
	for i := range keys {
		keys[i] = newKey()
	}
	r.Keys = keys
	return r
}

// JWT returns a token of about size bytes, at least 750, that looks like a
// provider's in all but its signature: what its user may do where takes what is
// left of it, and does not compress.
func JWT(size int) secret.String {
	header := fmt.Sprintf(`{"alg":"RS256","typ":"JWT","kid":"%s"}`, Noise(43))
	now := time.Now().Unix()
	payload := fmt.Appendf(nil, `{"exp":%d,"iat":%d,"jti":"%s","iss":"https://idp.example.com","sub":"%s","azp":"app","resource_access":{"orders":{"roles":["`,
		now+300, now, Noise(32), Noise(32))
	const end = `"]}}}`
	for left := (size-344)*3/4 - len(header) - len(end); len(payload) < left; {
		payload = fmt.Appendf(payload, `%s","`, Noise(min(16, left-len(payload))))
	}
	payload = append(payload, end...)
	signature := make([]byte, 256)
	_, _ = rand.Read(signature)
	encode := base64.RawURLEncoding.EncodeToString
	return secret.New(encode([]byte(header)) + "." + encode(payload) + "." + encode(signature))
}

// Noise is text that does not compress.
func Noise(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)[:size]
}

// shelf keeps what a Manager creates, in order.
type shelf struct{ records []session.Record }

func (s *shelf) Create(_ context.Context, r session.Record) (session.Version, error) {
	s.records = append(s.records, r)
	return 1, nil
}

func (s *shelf) Get(context.Context, session.ID) (session.Record, error) {
	return session.Record{}, session.ErrNotFound
}

func (s *shelf) Update(context.Context, session.Record) (session.Version, error) {
	return 0, session.ErrNotFound
}

func (s *shelf) Delete(context.Context, session.ID) error { return nil }
