package storetest_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
	"cloakroom/bff/session/storetest"
)

// brokenBy names the fault of the store that TestASoundStorePasses has.
const brokenBy = "STORETEST_BROKEN_BY"

// TestASoundStorePasses runs RunChaos and RunDump on a store that cannot but
// pass, or, started again with brokenBy in its environment, on one with a fault.
func TestASoundStorePasses(t *testing.T) {
	fault := os.Getenv(brokenBy)
	t.Run("chaos", func(t *testing.T) {
		s := newFaulty(t, fault)
		storetest.RunChaos(t, storetest.Chaos{
			Telltale: storetest.Telltale{Prefix: "faulty: "}, Stores: storetest.One(s), Hurt: storetest.KillAndRestart(s), Guests: 80,
		})
	})
	t.Run("dump", func(t *testing.T) {
		s := newFaulty(t, fault)
		storetest.RunDump(t, s, map[string]storetest.Remains{"what it wrote": func(*testing.T) iter.Seq[[]byte] { return slices.Values(s.written) }})
	})
}

// TestWhatIsBrokenIsSeen breaks what each check is for.
func TestWhatIsBrokenIsSeen(t *testing.T) {
	for fault, complaint := range map[string]string{
		"forgets a write when it dies":        "which had",
		"forgets a session when it dies":      "a session that nobody ended is not found",
		"is deaf to a delete":                 "a session that had ended is back",
		"lets an update bring a session back": "a session that had ended",
		"serves another's record":             "a session that nobody ended is not found",
		"serves an old record":                "a session was served at change",
		"has an index that misses":            "without the one that lives",
		"is not found while it is down":       "a session that nobody ended is not found",
		"conflicts while it is down":          "want a failure of the store",
		"says whom it is about":               "the error says too much",
		"does not say where it failed":        "the error does not say where it is from",
		"writes the subject":                  "in clear: ",
		"writes the tokens in hex":            "in clear: ",
		"writes the claims in base64":         "in clear: ",
		"writes nothing":                      "this test looks in the wrong place",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestASoundStorePasses$")
			again.Env = append(os.Environ(), brokenBy+"="+fault)
			out, err := again.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), complaint) {
				t.Errorf("%v, want a failure that says %q:\n%s", err, complaint, out)
			}
		})
	}
}

// faulty is a store in memory which stands for one on a server.
type faulty struct {
	*memory.Store
	fault string
	down  atomic.Bool

	mu      sync.Mutex
	written [][]byte
	first   map[session.ID]session.Record
	some    session.ID
	deleted chan struct{} // closed and replaced at every delete
}

func newFaulty(t *testing.T, fault string) *faulty {
	t.Helper()
	s, err := memory.New(memory.Config{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return &faulty{Store: s, fault: fault, first: map[session.ID]session.Record{}, deleted: make(chan struct{})}
}

func (s *faulty) Kill() { s.down.Store(true) }

func (s *faulty) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, first := range s.first {
		current, err := s.Store.Get(context.Background(), id)
		switch {
		case err != nil:
		case s.fault == "forgets a session when it dies":
			_ = s.Store.Delete(context.Background(), id)
		case s.fault == "forgets a write when it dies":
			first.Version = current.Version
			_, _ = s.Store.Update(context.Background(), first)
		}
	}
	s.down.Store(false)
}

// fails is what a call about id gets while the server is down.
func (s *faulty) fails(id session.ID) error {
	switch {
	case !s.down.Load():
		return nil
	case s.fault == "is not found while it is down":
		return session.ErrNotFound
	case s.fault == "conflicts while it is down":
		return session.ErrConflict
	case s.fault == "says whom it is about":
		return fmt.Errorf("faulty: no answer about %x", id[:])
	case s.fault == "does not say where it failed":
		return errors.New("no answer")
	}
	return errors.New("faulty: no answer")
}

func (s *faulty) Create(ctx context.Context, r session.Record) (session.Version, error) {
	if err := s.fails(r.ID); err != nil {
		return 0, err
	}
	v, err := s.Store.Create(ctx, r)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.first[r.ID], s.some = r, r.ID
	}
	return v, err
}

func (s *faulty) Get(ctx context.Context, id session.ID) (session.Record, error) {
	if err := s.fails(id); err != nil {
		return session.Record{}, err
	}
	s.mu.Lock()
	first, some := s.first[id], s.some
	s.mu.Unlock()
	r, err := s.Store.Get(ctx, id)
	switch {
	case err != nil:
	case s.fault == "serves another's record" && len(r.Keys) == 2: // a real one
		return s.Store.Get(ctx, some)
	case s.fault == "serves an old record":
		r.Data = slices.Clone(first.Data)
	}
	return r, err
}

func (s *faulty) Update(ctx context.Context, r session.Record) (session.Version, error) {
	if err := s.fails(r.ID); err != nil {
		return 0, err
	}
	s.mu.Lock()
	switch text := "marker-in-clear"; s.fault {
	case "writes the subject":
		s.written = append(s.written, []byte(text))
	case "writes the tokens in hex":
		s.written = append(s.written, []byte(hex.EncodeToString([]byte(text))))
	case "writes the claims in base64":
		s.written = append(s.written, []byte(base64.StdEncoding.EncodeToString([]byte(text))))
	}
	if s.fault != "writes nothing" {
		s.written = append(s.written, r.Data)
	}
	deleted := s.deleted
	s.mu.Unlock()
	if s.fault == "lets an update bring a session back" {
		select { // it takes its time
		case <-deleted:
		case <-time.After(time.Millisecond):
		}
	}
	v, err := s.Store.Update(ctx, r)
	if errors.Is(err, session.ErrNotFound) && s.fault == "lets an update bring a session back" {
		return s.Store.Create(ctx, r)
	}
	return v, err
}

func (s *faulty) Delete(ctx context.Context, id session.ID) error {
	if err := s.fails(id); err != nil || s.fault == "is deaf to a delete" && s.old(id) {
		return err
	}
	err := s.Store.Delete(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.deleted)
	s.deleted = make(chan struct{})
	return err
}

// old says that it is not about the last record that was created.
func (s *faulty) old(id session.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return id != s.some
}

func (s *faulty) Find(ctx context.Context, key session.Key) ([]session.Record, error) {
	if err := s.fails(session.ID{}); err != nil {
		return nil, err
	}
	found, err := s.Store.Find(ctx, key)
	if s.fault == "has an index that misses" && len(found) > 0 && found[0].ID[0]%8 == 0 {
		found = found[1:]
	}
	return found, err
}
