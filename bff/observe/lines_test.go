package observe_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/observe"
)

// writes keeps what was written, a piece a write.
type writes struct {
	mu     sync.Mutex
	pieces []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pieces = append(w.pieces, string(b))
	return len(b), nil
}

func (w *writes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pieces)
}

// heldLog is an access log over a log that holds back, and what gets through.
func heldLog() (call func(path string), log *slog.Logger, lines *observe.Lines, out *writes) {
	out = &writes{}
	lines = observe.HoldLines(out)
	log = observe.NewLogger(lines, slog.LevelInfo, "text")
	h := observe.Access{Log: log}.Handler(http.NotFoundHandler())
	call = func(path string) { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)) }
	return call, log, lines, out
}

func TestAccessLinesAreWrittenTogetherWithinAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call, _, _, out := heldLog()
		for turn := range 2 {
			for i := range 5 {
				call(fmt.Sprint("/", turn, "/", i))
			}
			if got := out.all(); len(got) != turn {
				t.Fatalf("turn %d: written at once: %q", turn, got)
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if got := out.all(); len(got) != turn+1 || strings.Count(got[turn], "\n") != 5 {
				t.Fatalf("turn %d: after a moment: %q", turn, got)
			}
		}
	})
}

func TestEveryOtherLineIsWrittenAtOnceAndInOrder(t *testing.T) {
	for name, say := range map[string]func(*slog.Logger){
		"info":            func(l *slog.Logger) { l.Info("said") },
		"warning":         func(l *slog.Logger) { l.Warn("said") },
		"with attributes": func(l *slog.Logger) { l.With("a", 1).Info("said") },
		"in a group":      func(l *slog.Logger) { l.WithGroup("g").Info("said", "a", 1) },
		"through log":     func(l *slog.Logger) { slog.NewLogLogger(l.Handler(), slog.LevelWarn).Print("said") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call, log, lines, out := heldLog()
				call("/before")
				say(log)
				call("/after")
				got := out.all()
				if len(got) == 0 || !strings.HasSuffix(got[len(got)-1], "\n") {
					t.Fatalf("not written at once: %q", got)
				}
				text := strings.Join(got, "")
				before, said := strings.Index(text, "/before"), strings.Index(text, "said")
				if before < 0 || said < before || strings.Contains(text, "/after") {
					t.Errorf("written: %q", text)
				}
				if err := lines.Flush(); err != nil || !strings.Contains(strings.Join(out.all(), ""), "/after") {
					t.Errorf("after a flush: %q, %v", out.all(), err)
				}
			})
		})
	}
}

func TestHeldLinesAreBoundedAndStayWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &writes{}
		lines := observe.HoldLines(out)
		var want bytes.Buffer
		for i := range 3000 {
			line := []byte(strings.Repeat(string(rune('a'+i%26)), i*7%600) + "\n")
			if i%500 == 0 {
				line = append(bytes.Repeat([]byte("long"), 2000), '\n')
			}
			want.Write(line)
			if n, err := lines.Write(line); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := lines.Flush(); err != nil {
			t.Fatal(err)
		}
		got := out.all()
		if strings.Join(got, "") != want.String() {
			t.Error("what was written is not what was given")
		}
		for _, piece := range got {
			if !strings.HasSuffix(piece, "\n") || len(piece) > 4<<10 && strings.Count(piece, "\n") > 1 {
				t.Errorf("a write of %d bytes", len(piece))
			}
		}
	})
}

// What is held back is not looked through, so what the client wrote must have
// been.
func TestNoTokenReachesAHeldLine(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	for _, format := range []string{"json", "text"} {
		for _, attrs := range [][]any{nil, {"instance", "blue"}} {
			out := &writes{}
			lines := observe.HoldLines(out)
			h := observe.Access{Log: observe.NewLogger(lines, slog.LevelInfo, format).With(attrs...)}.Handler(http.NotFoundHandler())
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Method, r.URL.Path = jwt, "/orders/"+jwt+"/code=secret"
			h.ServeHTTP(httptest.NewRecorder(), r)
			if err := lines.Flush(); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(out.all(), "")
			if strings.Contains(got, "eyJ") || strings.Contains(got, "secret") || strings.Count(got, "[redacted]") != 3 || strings.Contains(got, "blue") != (attrs != nil) {
				t.Errorf("%s, %v: %s", format, attrs, got)
			}
		}
	}
}
