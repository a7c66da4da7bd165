package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

func TestHeadersAreShownAndTheTokenIsNot(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-alice")
	r := httptest.NewRequest("GET", "http://api.localhost:8080/debug/headers", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Cookie", "a=b")
	r.Header.Add("X-Twice", "1")
	r.Header.Add("X-Twice", "2")
	r.Header.Set("X-Forwarded-Access-Token", "<"+token+">")
	response := l.do(r)
	if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers of the answer: %v", response.Header)
	}
	seen := decode[map[string][]string](t, response, 200)
	described := fmt.Sprintf("[token %s; exp=%d; aud=%s; scope=openid orders]",
		secret.New(token).Fingerprint(), l.clock.Now().Unix()+60, audience)
	for name, want := range map[string]string{
		"Authorization": "Bearer " + described, "Cookie": "a=b", "X-Twice": "1|2",
		"X-Forwarded-Access-Token": "<" + described + ">", "Host": "api.localhost:8080",
	} {
		if got := strings.Join(seen[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Contains(fmt.Sprint(seen), token) {
		t.Error("the token is repeated")
	}
}

// flushCounter counts how the answer is cut.
type flushCounter struct {
	*httptest.ResponseRecorder
	flushes int
}

func (f *flushCounter) Flush() { f.flushes++ }

func TestEventsAreFlushedOneByOne(t *testing.T) {
	l := newLab(t, nil)
	token := l.token("user-alice")
	for _, row := range []struct {
		query string
		want  int
	}{{"", 5}, {"?n=3", 3}, {"?n=1000", 1000}} {
		w := &flushCounter{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/debug/stream"+row.query, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		l.api.ServeHTTP(w, r)
		if got := strings.Count(w.Body.String(), "\ndata: "); got != row.want || w.flushes != row.want {
			t.Errorf("%q: %d events in %d flushes, want %d", row.query, got, w.flushes, row.want)
		}
		if got := w.Header().Get("Content-Type"); got != "text/event-stream" {
			t.Error(got)
		}
	}
	for _, query := range []string{"n=0", "n=1001", "n=x"} {
		wantProblem(t, l.call(token, "GET", "/debug/stream?"+query, ""), problem.ParameterInvalid)
	}
}

func TestABodyComesBackPieceByPiece(t *testing.T) {
	l := newLab(t, nil)
	server := httptest.NewServer(l.api)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a piece that is held back would be waited for
	defer cancel()
	body, pen := io.Pipe()
	defer context.AfterFunc(ctx, func() { pen.CloseWithError(ctx.Err()) })()
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/debug/echo", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.token("user-alice"))
	answered := make(chan *http.Response, 1)
	go func() {
		response, err := server.Client().Do(r)
		if err != nil {
			t.Error(err)
		}
		answered <- response
	}()
	fmt.Fprintln(pen, "line 0")
	response := <-answered
	if response == nil {
		t.FailNow()
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for i := range 5 { // the next line is sent only when this one is back
		line, err := lines.ReadString('\n')
		if want := fmt.Sprintf("line %d\n", i); err != nil || line != want {
			t.Fatalf("got %q, %v, want %q", line, err, want)
		}
		fmt.Fprintf(pen, "line %d\n", i+1)
	}
	pen.Close()
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "line 5\n" {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestABodyWithoutEndIsCutOffVisibly(t *testing.T) {
	l := newLab(t, nil)
	server := httptest.NewServer(l.api)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/debug/echo", io.LimitReader(zeros{}, 17<<20))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.token("user-alice"))
	response, err := server.Client().Do(r)
	if err != nil {
		return // cut before the answer began: visible, too
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err == nil || n > 16<<20 {
		t.Errorf("%d bytes came back with error %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestMessagesComeBack(t *testing.T) {
	l := newLab(t, nil)
	server := httptest.NewServer(l.api)
	defer server.Close()
	dial := func(ctx context.Context, token string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, server.URL+"/debug/echo", &websocket.DialOptions{HTTPHeader: http.Header{
			"Authorization": {"Bearer " + token}, "Origin": {"http://localhost:8080"},
		}})
	}
	conn, _, err := dial(t.Context(), l.token("user-alice"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(64 << 10)
	for _, message := range []string{"one", "", strings.Repeat("x", 64<<10)} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		kind, back, err := conn.Read(t.Context())
		if err != nil || kind != websocket.MessageText || string(back) != message {
			t.Fatalf("got %v %d bytes, %v", kind, len(back), err)
		}
	}
	if err := conn.Write(t.Context(), websocket.MessageBinary, make([]byte, 64<<10+1)); err == nil {
		if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("a message too large: %v", err)
		}
	}
	_, response, err := dial(t.Context(), "x")
	if err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a socket without a good token opens: %v", err)
	}
}

func TestASocketEndsWithItsToken(t *testing.T) {
	l := newLab(t, nil)
	server := httptest.NewServer(l.api)
	defer server.Close()
	k := l.ticket("user-alice")
	k.claims["exp"] = l.clock.Now().Unix() - 5 // valid by the leeway alone, which ends at once
	conn, _, err := websocket.Dial(t.Context(), server.URL+"/debug/echo", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + k.sign(t)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(t.Context()); err == nil {
		t.Error("a message came from nowhere")
	}
}
