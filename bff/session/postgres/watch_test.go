package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"cloakroom/bff/servers"
	"cloakroom/bff/session"
	"cloakroom/bff/session/postgres"
)

// news is one call of a watcher.
type news struct {
	ID         session.ID
	Everything bool
}

// watch starts to watch with s; what it hears arrives in the channel.
func watch(t *testing.T, s *postgres.Store) <-chan news {
	t.Helper()
	heard := make(chan news, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Watch(ctx, func(id session.ID, everything bool) { heard <- news{id, everything} })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch = %v", err)
		}
	})
	wantNews(t, heard, news{Everything: true})
	return heard
}

func wantNews(t *testing.T, heard <-chan news, want news) {
	t.Helper()
	select {
	case got := <-heard:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("news (-want +got):\n%s", diff)
		}
	case <-time.After(time.Minute):
		t.Fatalf("nothing was heard, want %+v", want)
	}
}

func TestAWatcherHearsWhatOthersDo(t *testing.T) {
	t.Parallel()
	w := start(t)
	dsn := w.schema(t)
	near, far := open(t, dsn), open(t, dsn)
	heard := watch(t, near)

	r := create(t, far, record())                         // nobody can have a copy of what is new
	if _, err := far.Update(t.Context(), r); err != nil { // no news
		t.Fatal(err)
	}
	if err := far.Delete(t.Context(), record().ID); err != nil { // nor is this: it deletes nothing
		t.Fatal(err)
	}
	own := create(t, near, record())
	if err := near.Delete(t.Context(), own.ID); err != nil {
		t.Fatal(err)
	}
	wantNews(t, heard, news{ID: own.ID})
	if err := far.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	wantNews(t, heard, news{ID: r.ID})
}

func TestAWatcherBelievesNoStrangers(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.schema(t))
	heard := watch(t, s)
	for _, payload := range []string{"", "zz", strings.Repeat("z", 64), strings.Repeat("ab", 33), strings.Repeat("ab", 3000)} {
		w.admin(t, "NOTIFY cloakroom_sessions, '"+payload+"'")
	}
	r := create(t, s, record())
	if err := s.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	wantNews(t, heard, news{ID: r.ID})
}

func TestAWatcherThatLostItsServerSaysSo(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := open(t, w.schema(t), short)
	r := create(t, s, record())
	heard := watch(t, s)
	conn := w.connect(t, nil)

	t.Run("silence is no loss", func(t *testing.T) {
		first := w.heartbeatAfter(t, conn, time.Time{})
		w.heartbeatAfter(t, conn, first)
		select {
		case got := <-heard:
			t.Errorf("heard %+v", got)
		default:
		}
	})
	for _, c := range []struct {
		name   string
		happen func(t *testing.T)
	}{
		{"its connection is ended", func(t *testing.T) {
			w.admin(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query IN ('"+listening+"', '-- ping') AND pid <> pg_backend_pid()")
		}},
		{"the server is killed", func(*testing.T) {
			w.Kill()
			w.Restart()
		}},
		{"the server is frozen for longer than its patience", func(t *testing.T) {
			w.Stop()
			for range 4 { // half a second each; two make the watcher's patience
				_, err := s.Get(t.Context(), r.ID)
				told.WantFailure(t, "Get", err, r)
			}
			w.Cont()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.happen(t)
			wantNews(t, heard, news{Everything: true})
			servers.WaitFor(t, "the store to recover", func(ctx context.Context) error { // without making news
				_, err := s.Create(ctx, record())
				return err
			})
			r := create(t, s, record())
			if err := s.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			wantNews(t, heard, news{ID: r.ID})
		})
	}
}

// listening is what a watcher's connection did last, until its first heartbeat.
const listening = "LISTEN cloakroom_sessions"

// heartbeatAfter waits until a watcher asked its server whether it is there,
// later than last, and returns when that was.
func (w *world) heartbeatAfter(t *testing.T, conn *pgx.Conn, last time.Time) (at time.Time) {
	t.Helper()
	servers.WaitFor(t, "a heartbeat", func(ctx context.Context) error {
		return conn.QueryRow(ctx, "SELECT query_start FROM pg_stat_activity WHERE query = '-- ping' AND query_start > $1", last).Scan(&at)
	})
	return at
}
