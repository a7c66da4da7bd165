package observe

import (
	"log/slog"
	"strconv"
	"time"
)

// entry is a line of the access log.
type entry struct {
	at                  time.Time
	method, route, path string
	status              int
	bytes, micros       int64
	client, session     string // session may be ""
	aborted             bool
}

// record is the line for any handler.
func (e *entry) record() slog.Record {
	r := slog.NewRecord(e.at, slog.LevelInfo, "request", 0)
	r.AddAttrs(
		slog.String("method", e.method), slog.String("route", e.route), slog.String("path", e.path),
		slog.Int("status", e.status), slog.Int64("bytes", e.bytes), slog.Int64("micros", e.micros), slog.String("client", e.client),
	)
	if e.session != "" {
		r.AddAttrs(slog.String("session", e.session))
	}
	if e.aborted {
		r.AddAttrs(slog.Bool("aborted", true))
	}
	return r
}

// appendJSON appends what slog.JSONHandler writes of record, for a quarter of its
// cost: there is one for every request. It is false where that would escape
// something.
func (e *entry) appendJSON(b []byte) (line []byte, ok bool) {
	for _, text := range [...]string{e.method, e.route, e.path, e.client, e.session} {
		if !unescaped(text) {
			return b, false
		}
	}
	b = append(b, `{"time":"`...)
	b = e.at.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"request","method":"`...)
	b = append(b, e.method...)
	b = append(b, `","route":"`...)
	b = append(b, e.route...)
	b = append(b, `","path":"`...)
	b = append(b, e.path...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(e.status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.bytes, 10)
	b = append(b, `,"micros":`...)
	b = strconv.AppendInt(b, e.micros, 10)
	b = append(b, `,"client":"`...)
	b = append(b, e.client...)
	b = append(b, '"')
	if e.session != "" {
		b = append(b, `,"session":"`...)
		b = append(b, e.session...)
		b = append(b, '"')
	}
	if e.aborted {
		b = append(b, `,"aborted":true`...)
	}
	return append(b, "}\n"...), true
}

// unescaped reports whether JSON has text as it is (RFC 8259 §7).
func unescaped(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
