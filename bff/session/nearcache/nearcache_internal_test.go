package nearcache

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloakroom/bff/session"
	"cloakroom/bff/session/memory"
)

// holding is a store whose answers wait, once they are read.
type holding struct {
	*memory.Store
	read, answer chan struct{}
}

func (h *holding) Get(ctx context.Context, id session.ID) (session.Record, error) {
	r, err := h.Store.Get(ctx, id)
	h.read <- struct{}{}
	<-h.answer
	return r, err
}

// A read that was put aside before it began may begin after the one that took
// its place: then two are under way, and a sign-out here must reach both.
func TestASignOutReachesEveryReadUnderWay(t *testing.T) {
	kept, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	backend := &holding{kept, make(chan struct{}), make(chan struct{})}
	s, err := New(backend, Config{MaxBytes: 1 << 20, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := session.Record{ID: session.ID{1}, Expires: time.Now().Add(time.Hour)}
	if _, err := kept.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := s.ask(context.Background(), r.ID)
			done <- err
		}()
		<-backend.read
	}
	if err := s.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	close(backend.answer)
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	go func() { <-backend.read }()
	if _, err := s.Get(t.Context(), r.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after the sign-out: %v", err)
	}
}

// failing is a store whose own work fails at once, and that tells of nothing.
type failing struct{ *memory.Store }

var errWork = errors.New("the port is taken")

func (failing) Run(context.Context) error { return errWork }
func (failing) Watch(ctx context.Context, _ func(session.ID, bool)) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAStoreWhoseWorkFailsIsHeardAtOnce(t *testing.T) {
	kept, err := memory.New(memory.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(failing{kept}, Config{MaxBytes: 1, MaxAge: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Run(ctx); !errors.Is(err, errWork) || ctx.Err() != nil {
		t.Errorf("Run = %v", err)
	}
}
