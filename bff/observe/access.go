package observe

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Access logs and counts every request.
type Access struct {
	// Log receives a line a request; nil discards.
	Log *slog.Logger
	// Metrics counts; nil counts nothing.
	Metrics *Metrics
	// Session names the session of a request, by a fingerprint; "" for none.
	Session func(*http.Request) string
}

// Handler wraps next, which must be a ServeMux or pass its request through to
// one: the route is what the mux matched.
func (a Access) Handler(next http.Handler) http.Handler {
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	to := accessLogOf(a.Log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &recorder{ResponseWriter: w}
		done := false
		defer func() {
			// A panic here is an aborted answer (http.ErrAbortHandler), or a
			// crash that net/http is about to log.
			status := seen.status
			if !done && status == 0 {
				status = http.StatusInternalServerError
			}
			a.record(to, r, status, seen.bytes, start, !done)
		}()
		next.ServeHTTP(seen, r)
		done = true
	})
}

// record redacts what the client wrote itself, as to does not: to look at each value
// of each line costs as much as the rest of it.
func (a Access) record(to accessLog, r *http.Request, status int, bytes int64, start time.Time, aborted bool) {
	if status == 0 {
		status = http.StatusOK
	}
	route := r.Pattern
	if route == "" {
		route = "none"
	}
	took := time.Since(start)
	if a.Metrics != nil {
		a.Metrics.requests.WithLabelValues(route, digits(status)).Inc()
		a.Metrics.duration.WithLabelValues(route).Observe(took.Seconds())
	}
	if !to.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	e := entry{
		at: start.Add(took), method: Redact(r.Method), route: route, path: Redact(r.URL.Path), status: status,
		bytes: bytes, micros: took.Microseconds(), client: host(r.RemoteAddr), aborted: aborted,
	}
	if a.Session != nil {
		e.session = a.Session(r)
	}
	to.write(&e)
}

// digits is the status as text, without making it anew each time.
func digits(status int) string {
	if status < 100 || status >= 600 {
		return strconv.Itoa(status)
	}
	return statuses[3*(status-100):][:3]
}

// statuses are 100 to 599, one after the other.
var statuses = func() string {
	var b []byte
	for status := 100; status < 600; status++ {
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return string(b)
}()

func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

// recorder notes the status and size of an answer. http.ResponseController
// reaches the original through Unwrap, so flushing, hijacking and full duplex
// work as if it were not there.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
