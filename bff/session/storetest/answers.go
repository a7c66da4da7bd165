package storetest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
)

// Opened is a store as its package makes it.
type Opened interface {
	session.Store
	session.Finder
	Ping(ctx context.Context) error
	Close() error
}

// Telltale is what the text of a store's errors must begin with, and what it
// must never contain: the errors end up in a log.
type Telltale struct {
	Prefix  string
	Secrets []string
}

// NewRecord returns a record that lives for d, with two keys and as much data
// as a usual session has.
func NewRecord(d time.Duration) session.Record {
	r := Backend{Now: time.Now}.record(d)
	r.Data = randomData(3500)
	return r
}

// WantFailure checks that err says that the store failed, which is neither that
// the session is not there nor that another changed it, and that it says nothing
// about the session r.
func (w Telltale) WantFailure(t testing.TB, what string, err error, r session.Record) {
	t.Helper()
	for _, wrong := range []error{nil, session.ErrNotFound, session.ErrExists, session.ErrConflict, session.ErrTooLarge} {
		if errors.Is(err, wrong) {
			t.Errorf("%s = %v, want a failure of the store", what, err)
			return
		}
	}
	text := err.Error()
	if !strings.HasPrefix(text, w.Prefix) {
		t.Errorf("%s: the error does not say where it is from: %q", what, text)
	}
	for _, leak := range append(recordTraces(r), w.Secrets...) {
		if strings.Contains(text, leak) {
			t.Errorf("%s: the error says too much: %q", what, text)
		}
	}
}

// recordTraces are what a text must not have of r; nothing of an empty one.
func recordTraces(r session.Record) []string {
	if r.ID == (session.ID{}) {
		return nil
	}
	parts := [][]byte{r.ID[:], r.Data[:min(len(r.Data), 16)]}
	for _, key := range r.Keys {
		parts = append(parts, key[:])
	}
	var all []string
	for _, part := range parts {
		if len(part) >= 16 {
			all = append(all, traces(part)...)
			all = append(all, hex.EncodeToString(part[:4])) // a fingerprint
		}
	}
	return all
}

// WantDown checks that every operation fails as it must when there is no
// server. What r holds is the same afterwards, or updated if the server was only
// late.
func (w Telltale) WantDown(t testing.TB, s Opened, r session.Record) {
	t.Helper()
	other := NewRecord(time.Hour)
	_, err := s.Create(t.Context(), other)
	w.WantFailure(t, "Create", err, other)
	_, err = s.Get(t.Context(), r.ID)
	w.WantFailure(t, "Get", err, r)
	_, err = s.Update(t.Context(), r)
	w.WantFailure(t, "Update", err, r)
	w.WantFailure(t, "Delete", s.Delete(t.Context(), other.ID), other)
	_, err = s.Find(t.Context(), r.Keys[0])
	w.WantFailure(t, "Find", err, r)
	w.WantFailure(t, "Ping", s.Ping(t.Context()), r)
}

// downCalls is how many calls WantDown makes.
const downCalls = 6

// Recovers waits until s does all its work again, without having been opened
// anew.
func Recovers(t testing.TB, s session.Store) {
	t.Helper()
	servers.WaitFor(t, "the store to recover", func(ctx context.Context) error { return work(ctx, s) })
}

// Works checks that s does all its work.
func Works(t testing.TB, s session.Store) {
	t.Helper()
	if err := work(t.Context(), s); err != nil {
		t.Error(err)
	}
}

// work leads a session through its life.
func work(ctx context.Context, s session.Store) error {
	r := NewRecord(time.Hour)
	var err error
	if r.Version, err = s.Create(ctx, r); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	version, err := s.Update(ctx, r)
	if err != nil || version == r.Version {
		return fmt.Errorf("update: version %d after %d, %w", version, r.Version, err)
	}
	if _, err := s.Get(ctx, r.ID); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	if finder, ok := s.(session.Finder); ok {
		if found, err := finder.Find(ctx, r.Keys[1]); len(found) != 1 || err != nil {
			return fmt.Errorf("find: %d records, %w", len(found), err)
		}
	}
	if err := s.Delete(ctx, r.ID); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if _, err := s.Get(ctx, r.ID); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("get after the delete: %w", err)
	}
	return nil
}

// WantTooLarge checks that s refuses each record for its size, by a name of its
// own.
func WantTooLarge(t testing.TB, s session.Store, records ...session.Record) {
	t.Helper()
	for _, r := range records {
		if _, err := s.Create(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Create with %d bytes and %d keys = %v, want ErrTooLarge", len(r.Data), len(r.Keys), err)
		}
		if _, err := s.Update(t.Context(), r); !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("Update with %d bytes and %d keys = %v, want ErrTooLarge", len(r.Data), len(r.Keys), err)
		}
	}
}

// WithData is a record with so many bytes of data, WithKeys one with so many keys.
func WithData(size int) session.Record {
	r := NewRecord(time.Hour)
	r.Data = make([]byte, size)
	return r
}

func WithKeys(n int) session.Record {
	r := NewRecord(time.Hour)
	r.Keys = make([]session.Key, n)
	return r
}
