package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/servers"
	"cloakroom/shared"
)

// streaming is an upstream that never ends what it began: server-sent events
// below /v1/events, a WebSocket at /v1/socket.
func streaming(t testing.TB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/socket" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		_, _, _ = c.Read(context.Background()) // until the other side is gone
	}
}

// as returns a browser at s that holds v's ticket.
func (v *visitor) as(t testing.TB, s *stage) *visitor {
	t.Helper()
	there := newVisitor(t, s.origin)
	there.Jar.SetCookies(callOf(t, http.MethodGet, s.origin, "/").URL, []*http.Cookie{{Name: shared.CookieName, Value: v.ticket(t), Path: "/", Secure: true}})
	return there
}

// lines opens an event stream as a browser's EventSource does, without the
// header it cannot send, and reads its first line that says something.
func (v *visitor) lines(t testing.TB, path, first string) *bufio.Reader {
	t.Helper()
	r := callOf(t, http.MethodGet, v.origin, path)
	r.Header.Del(shared.HeaderCSRF)
	r.Header.Set("Accept", "text/event-stream")
	response, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	in := bufio.NewReader(response.Body)
	if line, err := in.ReadString('\n'); err != nil || response.StatusCode != http.StatusOK || line != first {
		t.Fatalf("GET %s: %s %q, %v", path, response.Status, line, err)
	}
	return in
}

func (v *visitor) tab(t testing.TB) *bufio.Reader {
	t.Helper()
	return v.lines(t, shared.PathEvents, ": watching\n")
}

func (v *visitor) socket(t testing.TB) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), v.origin+"/api/socket", &websocket.DialOptions{
		HTTPClient: v.Client, HTTPHeader: http.Header{"Origin": {v.origin}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// rest reads what is still said until the end, which must come as one.
func rest(t testing.TB, in *bufio.Reader) string {
	t.Helper()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatalf("the stream ended with %v after %q", err, text)
	}
	return string(text)
}

// mustEnd waits until the connection is gone.
func mustEnd(t testing.TB, c *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the socket: %v, %v", err, ctx.Err())
	}
}

const sessionEnded = "event: " + shared.EventSessionEnded + "\ndata: {}\n\n"

// TestASignOutEndsWhatIsOpenOnEveryInstance: sign out here, and there a tab is
// told, and the streams that were opened with the session are cut. Somebody
// else's stay.
func TestASignOutEndsWhatIsOpenOnEveryInstance(t *testing.T) {
	stores := sharedStores(t)
	stores["memory, and one instance"] = func(*testing.T) (string, outage) { return "", nil }
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section, store := start(t)
			here := open(t, "http", section)
			there := here
			if store != nil {
				there = open(t, "http", section)
			}
			there.upstream.answers(streaming(t))
			v, bystander := newVisitor(t, here.origin), newVisitor(t, here.origin)
			v.signIn(t)
			bystander.signIn(t)
			logout := logoutLink(t, v)

			elsewhere := v.as(t, there)
			tab, stream, socket := elsewhere.tab(t), elsewhere.lines(t, "/api/events", "data: first\n"), elsewhere.socket(t)
			other := bystander.as(t, there)
			otherTab, otherStream := other.tab(t), other.lines(t, "/api/events", "data: first\n")

			v.visit(t, here.origin+logout)
			if got := rest(t, tab); !strings.HasSuffix(got, sessionEnded) || strings.Count(got, "event:") != 1 {
				t.Errorf("the tab is told %q", got)
			}
			if got := rest(t, stream); got != "\n" {
				t.Errorf("the stream says %q", got)
			}
			mustEnd(t, socket)

			there.stop() // which ends the others
			if got := rest(t, otherTab); strings.Contains(got, "event:") {
				t.Errorf("another user's tab is told %q", got)
			}
			if got := rest(t, otherStream); got != "\n" {
				t.Errorf("another user's stream says %q", got)
			}
			if _, leaked := there.issued.in(there.log.String()); leaked != "" || strings.Contains(there.log.String(), elsewhere.ticket(t)) {
				t.Error("the log has a token or a ticket")
			}
		})
	}
}

// TestHowSoonATabIsTold measures what a sign-out on one instance takes to be
// said on another, from the moment the browser asks for it. It asserts only that
// it is.
func TestHowSoonATabIsTold(t *testing.T) {
	const signOuts = 200
	stores := sharedStores(t)
	for _, name := range []string{"redis", "postgres"} {
		t.Run(name, func(t *testing.T) {
			section, _ := stores[name](t)
			here, there := open(t, "http", section), open(t, "http", section)
			v := newVisitor(t, here.origin)
			var took []time.Duration
			for range signOuts {
				v.signIn(t)
				logout := visitOf(t, here.origin+logoutLink(t, v))
				tab := v.as(t, there).tab(t)
				answered := make(chan error, 1)
				began := time.Now()
				go func() {
					response, err := v.Do(logout)
					if err == nil {
						err = response.Body.Close()
					}
					answered <- err
				}()
				got := rest(t, tab)
				took = append(took, time.Since(began))
				if !strings.HasSuffix(got, sessionEnded) {
					t.Fatalf("the tab is told %q", got)
				}
				if err := <-answered; err != nil {
					t.Fatal(err)
				}
			}
			slices.Sort(took)
			at := func(share float64) float64 { return took[int(share*float64(len(took)-1))].Seconds() * 1000 }
			t.Logf("metric session_ended_latency store=%s sign_outs=%d p50_ms=%.2f p99_ms=%.2f max_ms=%.2f", name, signOuts, at(0.5), at(0.99), at(1))
		})
	}
}

// TestADrainIsNotHeldUpByWhoStays: neither an open tab nor a stream keeps the
// server from stopping at once; its last resort, at the end of the drain, is
// not needed.
func TestADrainIsNotHeldUpByWhoStays(t *testing.T) {
	s := open(t, "http", "")
	s.upstream.answers(streaming(t))
	v := newVisitor(t, s.origin)
	v.signIn(t)
	tab, stream, socket := v.tab(t), v.lines(t, "/api/events", "data: first\n"), v.socket(t)
	s.stop()
	if err := s.ended(t); err != nil {
		t.Errorf("run: %v", err)
	}
	if strings.Contains(s.log.String(), "cutting open answers") {
		t.Error("the drain was held up to its end")
	}
	for _, in := range []*bufio.Reader{tab, stream} {
		if got := rest(t, in); strings.Contains(got, "event:") {
			t.Errorf("a stop is no end of a session: %q", got)
		}
	}
	mustEnd(t, socket)
}

// TestAStoreThatIsDownEndsNoStream: its users are not signed out, so what they
// have open stays open, and is ended once a sign-out can be seen again.
func TestAStoreThatIsDownEndsNoStream(t *testing.T) {
	section, store := sharedStores(t)["redis"](t)
	here, there := open(t, "http", section), open(t, "http", section)
	more := make(chan string)
	there.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case text := <-more:
				_, _ = io.WriteString(w, text)
			case <-r.Context().Done():
				return
			}
		}
	})
	v := newVisitor(t, here.origin)
	v.signIn(t)
	logout := logoutLink(t, v)
	elsewhere := v.as(t, there)
	tab, stream := elsewhere.tab(t), elsewhere.lines(t, "/api/events", "data: first\n")
	told := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(tab)
		told <- string(text)
	}()
	store.Kill()
	servers.WaitFor(t, "the outage to be seen there", answers(func() answer { return elsewhere.call(t, http.MethodGet, shared.PathUser) }, http.StatusServiceUnavailable))
	store.Restart()
	for _, browser := range []*visitor{v, elsewhere} {
		servers.WaitFor(t, "the store to be found again", answers(func() answer { return browser.call(t, http.MethodGet, shared.PathUser) }, http.StatusOK))
	}
	select {
	case text := <-told:
		t.Fatalf("the outage ended the tab with %q", text)
	case more <- "data: second\n\n":
	}
	v.visit(t, here.origin+logout)
	select {
	case text := <-told:
		if !strings.HasSuffix(text, sessionEnded) || strings.Count(text, "event:") != 1 {
			t.Errorf("the tab is told %q", text)
		}
	case <-time.After(patience):
		t.Error("the tab is told nothing")
	}
	if got := rest(t, stream); got != "\ndata: second\n\n" {
		t.Errorf("the stream says %q", got)
	}
}
