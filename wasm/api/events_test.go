package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloakroom/shared"
	"cloakroom/shared/problem"
	"cloakroom/wasm/api"
)

const typeEvents = "text/event-stream"

// turn is one answer of a server that is asked for the stream and for the user
// by turns.
type turn struct {
	path, contentType, body string
	status                  int
}

func streamed(body string) turn { return turn{shared.PathEvents, typeEvents, body, http.StatusOK} }

func present(state string, seconds int) turn {
	return turn{shared.PathUser, "application/json", fmt.Sprintf(
		`[{"type":"sub","value":"alice"},{"type":"bff:session_state","value":%q},{"type":"bff:session_expires_in","value":%d}]`, state, seconds), 200}
}

func refusal(t *testing.T, path string, code problem.Code) turn {
	t.Helper()
	return turn{path, problem.ContentType, problemBody(t, code, ""), problem.Kinds[code].Status}
}

// listening runs Events for session "s.1" against a server that answers with
// turns, and then holds a stream open. It returns what was heard and how Events
// ended; stop says after how many events ctx is ended, 0 for never.
func listening(t *testing.T, stop int, turns ...turn) (heard []string, err error) {
	t.Helper()
	next := make(chan turn, len(turns))
	for _, one := range turns {
		next <- one
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(shared.HeaderCSRF) != shared.ValueCSRF {
			t.Errorf("%s without the CSRF header (BBA-31)", r.URL)
		}
		select {
		case one := <-next:
			if r.URL.Path != one.path {
				t.Errorf("asked for %s, want %s", r.URL, one.path)
			}
			if r.URL.Path == shared.PathUser && r.URL.RawQuery != "slide=false" {
				t.Errorf("asking %s keeps the session alive", r.URL)
			}
			w.Header().Set("Content-Type", one.contentType)
			w.WriteHeader(one.status)
			_, _ = w.Write([]byte(one.body))
		default:
			w.Header().Set("Content-Type", typeEvents)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	client := api.New(server.URL)
	api.Hurry(client, func(int, time.Duration) {})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = client.Events(ctx, "s.1", func(event string, e shared.SessionEvent) {
		heard = append(heard, fmt.Sprint(event, " ", e.ExpiresIn))
		if len(heard) == stop {
			cancel()
		}
	})
	if len(next) > 0 {
		t.Errorf("%d answers were not asked for", len(next))
	}
	return heard, err
}

func TestEventsAreHeardUntilTheSessionIsOver(t *testing.T) {
	const ended = "event: session-ended\ndata: {}\n\n"
	for _, row := range []struct {
		name  string
		stop  int
		turns []turn
		want  []string
		err   error
	}{
		{name: "an end that is told", turns: []turn{streamed(ended)}, want: []string{"session-ended 0"}},
		{name: "a warning, then the end, and nothing after it",
			turns: []turn{streamed("event: session-expiring\ndata: {\"expires_in\":60}\n\n" + ended + ended)},
			want:  []string{"session-expiring 60", "session-ended 0"}},
		{name: "comments, other events, other fields and broken data are passed over",
			turns: []turn{streamed(": alive\n\nretry: 5\n\nevent: news\ndata: {}\n\nevent: session-expiring\ndata: {\n\ndata: {}\n\nid: 1\nevent:session-ended\ndata:{}\n\n")},
			want:  []string{"session-ended 0"}},
		{name: "a stream that breaks is opened again once it is known who is there",
			turns: []turn{streamed(": alive\n\n"), present("s.1", 90), streamed(ended)},
			want:  []string{"session-lasts 90", "session-ended 0"}},
		{name: "an end that the break swallowed is found by asking",
			turns: []turn{streamed(""), refusal(t, shared.PathUser, problem.SessionEnded)}, want: []string{"session-ended 0"}},
		{name: "a stream that is refused because nobody is signed in",
			turns: []turn{refusal(t, shared.PathEvents, problem.SessionRequired), refusal(t, shared.PathUser, problem.SessionRequired)}, want: []string{"session-ended 0"}},
		{name: "another session in this browser is the end of this one",
			turns: []turn{streamed(""), present("s.2", 90)}, want: []string{"session-ended 0"}},
		{name: "a server that is down for long ends nothing",
			turns: []turn{refusal(t, shared.PathEvents, problem.StoreUnavailable), refusal(t, shared.PathUser, problem.StoreUnavailable),
				refusal(t, shared.PathEvents, problem.ShuttingDown), refusal(t, shared.PathUser, problem.StoreUnavailable), streamed(ended)},
			want: []string{"session-ended 0"}},
		{name: "a page instead of a stream is no stream",
			turns: []turn{{shared.PathEvents, "text/html", ended, 200}, present("s.1", 5)}, stop: 1, want: []string{"session-lasts 5"}, err: context.Canceled},
		{name: "whoever stops listening is told so",
			turns: []turn{streamed(""), present("s.1", 5)}, stop: 1, want: []string{"session-lasts 5"}, err: context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			heard, err := listening(t, row.stop, row.turns...)
			if diff := cmp.Diff(row.want, heard); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
			if !errors.Is(err, row.err) {
				t.Errorf("ended with %v, want %v", err, row.err)
			}
		})
	}
}

func TestABrokenStreamIsTriedAgainMoreAndMoreSlowly(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := api.New(base)
	var waited []time.Duration
	api.Hurry(client, func(_ int, would time.Duration) {
		if waited = append(waited, would); len(waited) == 9 {
			cancel()
		}
	})
	if err := client.Events(ctx, "s.1", func(event string, _ shared.SessionEvent) { t.Errorf("heard %s of nobody", event) }); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	for i, d := range waited {
		whole := min(time.Second<<i, 30*time.Second)
		if d < whole/2 || d >= whole {
			t.Errorf("pause %d is %v, want from %v to %v", i, d, whole/2, whole)
		}
	}
}
