package login

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"cloakroom/bff/events"
	"cloakroom/bff/session"
	"cloakroom/shared"
	"cloakroom/shared/problem"
)

const (
	// maxTabs is how many event streams a session can have on this instance.
	maxTabs = 16
	// keepAlive is how often a stream says something: proxies on the way cut
	// what is silent for a minute, some for half of one.
	keepAlive = 20 * time.Second
	// writeTimeout is how long a tab may take to read what it is told.
	writeTimeout = 10 * time.Second
)

// Events tells a tab that its session is expiring and that it has ended:
// GET /bff/events, a stream of server-sent events. It never slides the session.
//
// The stream ends after session-ended, and without it when this instance stops:
// an EventSource then comes back by itself, to another one. It does so after an
// answer of 200 only, so one that comes during a drain gets a stream that ends
// at once, and not a 503.
func (e *Endpoints) Events(w http.ResponseWriter, r *http.Request) error {
	ticket, _, err := e.config.Desk.Admit(r)
	if err != nil {
		return err
	}
	id := ticket.ID()
	if !e.tabs.enter(id) {
		return problem.New(problem.RateLimited, fmt.Errorf("login: more than %d event streams", maxTabs))
	}
	defer e.tabs.leave(id)
	watch := e.config.Events.Watch(id)
	defer watch.Close()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back
	s := stream{w, http.NewResponseController(w)}
	// Tabs that were sent away together do not come back together.
	if !s.send(": watching\nretry: %d\n\n", 1000+rand.IntN(4000)) {
		return nil
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		ok := true
		select {
		case <-r.Context().Done():
			return nil
		case <-tick.C:
			ok = s.send(":\n\n")
		case event, open := <-watch.Events():
			ok = open && s.tell(event)
		}
		if !ok {
			return nil
		}
	}
}

// stream is an event stream under way. Its methods return false when nobody is
// there any more, or nothing is left to say.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (s stream) tell(event events.Event) bool {
	name, data := shared.EventSessionExpiring, shared.SessionEvent{}
	if event.Ended {
		name = shared.EventSessionEnded
	} else {
		data.ExpiresIn = max(1, int64(event.ExpiresIn/time.Second))
	}
	body, err := json.Marshal(data)
	return err == nil && s.send("event: %s\ndata: %s\n\n", name, body) && !event.Ended
}

func (s stream) send(format string, args ...any) bool {
	// A tab that does not read would hold the stream for ever. A writer that
	// knows no deadline does not hold it either.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	// Once it passes, HTTP/2 resets a stream even if nothing is being written;
	// over HTTP/1 it would meet the next request of the connection.
	defer func() { _ = s.rc.SetWriteDeadline(time.Time{}) }()
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return false
	}
	return s.rc.Flush() == nil
}

// tabs counts the event streams of each session.
type tabs struct {
	mu   sync.Mutex
	open map[session.ID]int
}

func (t *tabs) enter(id session.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[session.ID]int{}
	}
	if t.open[id] >= maxTabs {
		return false
	}
	t.open[id]++
	return true
}

func (t *tabs) leave(id session.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[id]--; t.open[id] == 0 {
		delete(t.open, id)
	}
}
